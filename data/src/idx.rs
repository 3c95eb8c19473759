//! The IDX format of LeCun, Cortes and Burges (<http://yann.lecun.com/exdb/mnist/>): a big-endian
//! magic number, the size of each dimension, then unsigned bytes. Read packed with gzip or plain.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::published::unpacked;
use crate::{DataError, DataErrorKind};

/// Far above any data set of this format; limits the memory that a damaged header asks for.
const MAX_ITEMS: u32 = 10_000_000;

/// The magic number of unsigned bytes in `dims` dimensions.
pub(crate) const fn magic(dims: u32) -> u32 {
    0x0800 | dims
}

/// Reads images of `side` × `side` pixels, one after the other.
pub(crate) fn read_images(path: &Path, side: u32) -> Result<Vec<u8>, DataError> {
    read(path, |file| {
        let [count, height, width] = header(file)?;
        if (width, height) != (side, side) {
            return Err(DataErrorKind::Content(format!(
                "images are {width} x {height} pixels, must be {side} x {side}"
            )));
        }
        body(file, 16, count, u64::from(side) * u64::from(side))
    })
}

/// Reads labels, one byte each.
pub(crate) fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    read(path, |file| {
        let [count] = header(file)?;
        body(file, 8, count, 1)
    })
}

/// Opens the file, unpacks it if it is packed, and names it in the error.
fn read(
    path: &Path,
    parse: impl FnOnce(&mut dyn Read) -> Result<Vec<u8>, DataErrorKind>,
) -> Result<Vec<u8>, DataError> {
    let file = File::open(path).and_then(unpacked);
    let mut file = file.map_err(|error| DataError::new(path, error))?;
    parse(&mut file).map_err(|kind| DataError::new(path, kind))
}

/// Reads the magic number and the `D` sizes.
fn header<const D: usize>(file: &mut dyn Read) -> Result<[u32; D], DataErrorKind> {
    let mut header = Vec::with_capacity(4 * (D + 1));
    let expected = 4 * (D as u64 + 1);
    read_up_to(file, expected, &mut header)?;
    let words = header.as_chunks::<4>().0;
    // The magic number comes first, so that a small file of another kind is reported as such.
    if let Some(&word) = words.first() {
        let (found, expected) = (u32::from_be_bytes(word), magic(D as u32));
        if found != expected {
            let reason = format!("magic number is {found:#010x}, must be {expected:#010x}");
            return Err(DataErrorKind::Content(reason));
        }
    }
    if words.len() != D + 1 {
        return Err(truncated(header.len() as u64, expected));
    }
    Ok(std::array::from_fn(|dim| {
        u32::from_be_bytes(words[dim + 1])
    }))
}

/// Reads `count` items of `size` bytes, and checks that the file ends there.
fn body(file: &mut dyn Read, header: u64, count: u32, size: u64) -> Result<Vec<u8>, DataErrorKind> {
    if count > MAX_ITEMS {
        return Err(DataErrorKind::Content(format!(
            "header promises {count} items, at most {MAX_ITEMS} are allowed"
        )));
    }
    let length = u64::from(count) * size;
    let expected = header + length;
    let mut items = Vec::new();
    // One byte more shows a file that goes on, and makes gzip check its checksum.
    let broken_off = read_up_to(file, length + 1, &mut items)?;
    match items.len() as u64 {
        // A stream without its checksum at the end is cut too, though no item is missing.
        actual if actual < length || broken_off => Err(truncated(header + actual, expected)),
        actual if actual > length => Err(DataErrorKind::Content(format!(
            "goes on after the {expected} bytes that its header promises (unpacked)"
        ))),
        _ => Ok(items),
    }
}

fn truncated(actual: u64, expected: u64) -> DataErrorKind {
    DataErrorKind::Content(format!(
        "ends after {actual} bytes, its header promises {expected} (unpacked)"
    ))
}

/// Reads at most `limit` bytes, and tells whether a gzip stream broke off before.
fn read_up_to(file: &mut dyn Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<bool> {
    match file.take(limit).read_to_end(bytes) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(error) => Err(error),
    }
}
