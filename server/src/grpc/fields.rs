//! How many fields a message has, counted before it is decoded: an empty element of a list takes
//! two bytes on the wire and a hundred in memory.

use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::layout::Layout;
use crate::error::ServeError;

/// Fields that a message may have, those of the messages in it included.
const MAX_FIELDS: usize = 65_536;
/// Messages may be nested as deep as prost decodes them.
const MAX_DEPTH: usize = 100;

/// Refuses a message of too many fields at any level. It leaves a malformed one to the decoder.
pub(super) fn check(message: &[u8], layout: Layout) -> Result<(), ServeError> {
    if has_more(message, layout, MAX_FIELDS) {
        let words = format!("has too many fields; at most {MAX_FIELDS} are allowed");
        return Err(ServeError::invalid("request", words));
    }
    Ok(())
}

fn has_more(message: &[u8], layout: Layout, limit: usize) -> bool {
    // Two bytes are the least that a field takes.
    message.len() / 2 > limit && count(message, layout, limit, MAX_DEPTH) > limit
}

// The fields of `message`, or some number above `limit`.
fn count(mut message: &[u8], layout: Layout, limit: usize, depth: usize) -> usize {
    let mut fields = 0;
    while let Ok((tag, wire_type)) = decode_key(&mut message) {
        fields += 1;
        if fields > limit || depth == 0 {
            break;
        }
        if let Some(layout) = layout.field(tag)
            && wire_type == WireType::LengthDelimited
        {
            let Some(nested) = delimited(&mut message) else {
                break;
            };
            fields += count(nested, layout, limit - fields, depth - 1);
        } else if skip_field(wire_type, tag, &mut message, DecodeContext::default()).is_err() {
            break;
        }
    }
    fields
}

/// The bytes of a field behind their length.
fn delimited<'a>(message: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(message).ok()?).ok()?;
    let nested = message.get(..length)?;
    message.advance(length);
    Some(nested)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use quintet_proto::inference::model_infer_request::InferInputTensor;
    use quintet_proto::{inference as oip, v1};

    use super::*;

    fn images(count: usize) -> v1::ClassifyRequest {
        v1::ClassifyRequest {
            images: vec![v1::Image::default(); count],
            ..v1::ClassifyRequest::default()
        }
    }

    fn of(call: &str) -> Layout {
        Layout::of_request(call)
    }

    #[test]
    fn a_list_is_counted_where_it_is() {
        let classify = of("/quintet.v1.InferenceService/Classify");
        let bare = images(3).encode_to_vec();
        assert!(!has_more(&bare, classify, 3));
        let bare = images(4).encode_to_vec();
        assert!(has_more(&bare, classify, 3));
        let stream = of("/quintet.v1.InferenceService/ClassifyStream");
        let wrapped = |count| {
            let request = Some(images(count));
            v1::ClassifyStreamRequest { index: 7, request }.encode_to_vec()
        };
        // The index and the request are two more.
        assert!(!has_more(&wrapped(3), stream, 5));
        assert!(has_more(&wrapped(4), stream, 5));
        // Of another crate's call only the upper level is known.
        assert!(!has_more(&wrapped(4), of("/example.Locate/Locate"), 5));
    }

    #[test]
    fn requests_that_are_merged_are_counted_together() {
        let stream = of("/quintet.v1.InferenceService/ClassifyStream");
        let request = Some(images(3));
        let half = v1::ClassifyStreamRequest { index: 0, request }.encode_to_vec();
        assert!(has_more(&[&half[..], &half].concat(), stream, 7));
    }

    #[test]
    fn lists_and_maps_within_tensors_are_counted() {
        let infer = of("/inference.GRPCInferenceService/ModelInfer");
        let input = |strings: usize, parameters: usize| {
            let contents = oip::InferTensorContents {
                bytes_contents: vec![vec![].into(); strings],
                ..Default::default()
            };
            let parameter = |index: usize| (index.to_string(), oip::InferParameter::default());
            let input = InferInputTensor {
                contents: Some(contents),
                parameters: (0..parameters).map(parameter).collect(),
                ..Default::default()
            };
            let inputs = vec![input];
            oip::ModelInferRequest {
                inputs,
                ..Default::default()
            }
            .encode_to_vec()
        };
        // The input and its contents are two more.
        assert!(!has_more(&input(18, 0), infer, 20));
        assert!(has_more(&input(19, 0), infer, 20));
        assert!(has_more(&input(0, 15), infer, 20));
    }

    proptest! {
        #[test]
        fn noise_is_no_reason_to_panic(noise: Vec<u8>, limit in 0_usize..20) {
            has_more(&noise, of("/inference.GRPCInferenceService/ModelInfer"), limit);
        }
    }
}
