//! Requests to a generator, for digits by the domain API.

use quintet_proto::v1::{GenerateDigitsRequest, ImageFormat};

use super::{Payload, Rpc};
use crate::failure::Failure;

/// Different requests, the same in every run.
const REQUESTS: u64 = 256;

/// For GenerateDigits, each request with a seed of its own. Pixels are asked for, so that no time
/// goes into files.
pub(in super::super) fn generate(model: &str, rows: usize) -> Result<Payload, Failure> {
    let count = u32::try_from(rows).map_err(|_| {
        Failure::usage(format!("{rows} images are more than a request may ask for"))
    })?;
    let requests = (0..REQUESTS).map(|seed| GenerateDigitsRequest {
        count,
        seed: Some(seed),
        model: model.to_owned(),
        format: ImageFormat::Raw.into(),
        ..GenerateDigitsRequest::default()
    });
    Ok(Payload::new(Rpc::GenerateDigits, rows, requests))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn every_request_has_a_seed_of_its_own() {
        let payload = generate("gan", 3).unwrap();
        for seed in (0..REQUESTS).chain([0]) {
            let body = unframe(payload.next()).unwrap();
            let request = GenerateDigitsRequest::decode(body).unwrap();
            assert_eq!((request.seed, request.count), (Some(seed), 3));
            assert_eq!(request.model, "gan");
            assert_eq!(request.format(), ImageFormat::Raw);
        }
        #[cfg(target_pointer_width = "64")]
        assert!(generate("gan", 1 << 32).is_err());
    }
}
