//! How many fields a message has, counted before it is decoded: an empty element of a list takes
//! two bytes on the wire and a hundred in memory.

use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::ServeError;

/// Fields that a message may have.
const MAX_FIELDS: usize = 65_536;

/// Refuses a message of too many fields. It leaves a malformed one to the decoder.
///
/// Counts the fields at the top level, and those of the message in field `inner`, which holds the
/// request in some messages.
pub(super) fn check(message: &[u8], inner: Option<u32>) -> Result<(), ServeError> {
    if has_more(message, inner, MAX_FIELDS) {
        let words = format!("has too many fields; at most {MAX_FIELDS} are allowed");
        return Err(ServeError::invalid("request", words));
    }
    Ok(())
}

fn has_more(message: &[u8], inner: Option<u32>, limit: usize) -> bool {
    // Two bytes are the least that a field takes.
    message.len() / 2 > limit && count(message, inner, limit) > limit
}

// The fields of `message`, or some number above `limit`.
fn count(mut message: &[u8], inner: Option<u32>, limit: usize) -> usize {
    let mut fields = 0;
    while let Ok((tag, wire_type)) = decode_key(&mut message) {
        fields += 1;
        if fields > limit {
            break;
        }
        if inner == Some(tag) && wire_type == WireType::LengthDelimited {
            let Ok(length) = decode_varint(&mut message) else {
                break;
            };
            let Some(wrapped) = usize::try_from(length)
                .ok()
                .and_then(|it| message.get(..it))
            else {
                break;
            };
            fields += count(wrapped, None, limit - fields);
            message.advance(wrapped.len());
        } else if skip_field(wire_type, tag, &mut message, DecodeContext::default()).is_err() {
            break;
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use quintet_proto::v1;

    use super::*;

    fn images(count: usize) -> v1::ClassifyRequest {
        v1::ClassifyRequest {
            images: vec![v1::Image::default(); count],
            ..v1::ClassifyRequest::default()
        }
    }

    #[test]
    fn a_list_is_counted_where_it_is() {
        let bare = images(3).encode_to_vec();
        assert!(!has_more(&bare, None, 3));
        let bare = images(4).encode_to_vec();
        assert!(has_more(&bare, None, 3));
        let wrapped = |count| {
            let request = Some(images(count));
            v1::ClassifyStreamRequest { index: 7, request }.encode_to_vec()
        };
        // The index and the request are two more.
        assert!(!has_more(&wrapped(3), Some(2), 5));
        assert!(has_more(&wrapped(4), Some(2), 5));
        assert!(!has_more(&wrapped(4), None, 5));
    }

    #[test]
    fn requests_that_are_merged_are_counted_together() {
        let request = Some(images(3));
        let half = v1::ClassifyStreamRequest { index: 0, request }.encode_to_vec();
        assert!(has_more(&[&half[..], &half].concat(), Some(2), 7));
    }

    proptest! {
        #[test]
        fn noise_is_no_reason_to_panic(noise: Vec<u8>, inner: Option<u32>, limit in 0_usize..20) {
            has_more(&noise, inner, limit);
        }
    }
}
