//! The elements of a tensor in the protocol's lists, of which each type has its own.

use bytes::Bytes;
use quintet_bundle::DataType;
use quintet_proto::inference::InferTensorContents;

/// The elements as little-endian bytes of this type.
///
/// # Errors
/// What is wrong with the lists.
pub(super) fn into_bytes(
    contents: Option<InferTensorContents>,
    datatype: DataType,
) -> Result<Bytes, String> {
    let contents = contents.unwrap_or_default();
    let lists = [
        ("bool_contents", contents.bool_contents.is_empty()),
        ("int_contents", contents.int_contents.is_empty()),
        ("int64_contents", contents.int64_contents.is_empty()),
        ("uint_contents", contents.uint_contents.is_empty()),
        ("uint64_contents", contents.uint64_contents.is_empty()),
        ("fp32_contents", contents.fp32_contents.is_empty()),
        ("fp64_contents", contents.fp64_contents.is_empty()),
        ("bytes_contents", contents.bytes_contents.is_empty()),
    ];
    let mut filled = lists.iter().filter(|(_, is_empty)| !is_empty);
    let list = filled.next().map(|(list, _)| *list);
    let others = filled.count();
    if others > 0 {
        return Err(format!("fills {} lists; one is allowed", others + 1));
    }
    let (ours, bytes) = match datatype {
        DataType::Uint8 => ("uint_contents", narrow(&contents.uint_contents)),
        DataType::Int32 => ("int_contents", Ok(copy(&contents.int_contents))),
        DataType::Int64 => ("int64_contents", Ok(copy(&contents.int64_contents))),
        DataType::Float32 => ("fp32_contents", Ok(copy(&contents.fp32_contents))),
    };
    let problem = match list {
        Some(list) if list == ours => return bytes,
        Some(list) => format!("has {list}"),
        None => "is empty, and so is raw_input_contents".to_owned(),
    };
    Err(format!("{problem}; {datatype} belongs in {ours}"))
}

/// Little-endian elements as the list for their type.
pub(super) fn from_bytes(bytes: &[u8], datatype: DataType) -> InferTensorContents {
    fn values<const SIZE: usize, T>(bytes: &[u8], value: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
        let (chunks, _) = bytes.as_chunks();
        chunks.iter().map(|chunk| value(*chunk)).collect()
    }
    let mut contents = InferTensorContents::default();
    match datatype {
        DataType::Uint8 => contents.uint_contents = values(bytes, |[byte]| byte.into()),
        DataType::Int32 => contents.int_contents = values(bytes, i32::from_le_bytes),
        DataType::Int64 => contents.int64_contents = values(bytes, i64::from_le_bytes),
        DataType::Float32 => contents.fp32_contents = values(bytes, f32::from_le_bytes),
    }
    contents
}

/// The values as bytes, which the protocol has no list for.
fn narrow(values: &[u32]) -> Result<Bytes, String> {
    let narrow = |(place, value): (usize, &u32)| {
        u8::try_from(*value)
            .map_err(|_| format!("element {place} is {value}; UINT8 holds 0 to 255"))
    };
    values.iter().enumerate().map(narrow).collect()
}

/// The values as they lie in memory, which is little-endian wherever this server builds.
fn copy<T: bytemuck::NoUninit>(values: &[T]) -> Bytes {
    Bytes::copy_from_slice(bytemuck::cast_slice(values))
}

/// The first float32 that is not a finite number, and its place.
pub(super) fn non_finite(bytes: &[u8]) -> Option<(usize, f32)> {
    let (elements, _) = bytes.as_chunks();
    let values = elements.iter().map(|bytes| f32::from_le_bytes(*bytes));
    values.enumerate().find(|(_, value)| !value.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What a response's lists say is what a request's lists are read as.
        #[test]
        fn lists_are_read_as_they_are_written(bytes in prop::collection::vec(any::<u8>(), 8..64)) {
            let bytes = Bytes::from(bytes[..bytes.len() / 8 * 8].to_vec());
            for datatype in [DataType::Uint8, DataType::Int32, DataType::Int64, DataType::Float32] {
                let read = into_bytes(Some(from_bytes(&bytes, datatype)), datatype);
                prop_assert_eq!(read, Ok(bytes.clone()));
            }
        }
    }
}
