//! What the scripted server makes of `GenerateDigits`: the image of a candidate is its name.

use std::sync::{Mutex, PoisonError};

use quintet_proto::v1::{
    GenerateDigitsRequest, GenerateDigitsResponse, GeneratedDigit, Image, ImageFormat, Layout,
    RawImage, Timing, image::Source,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The seed that is drawn for a request without one.
pub(crate) const DRAWN: u64 = u64::MAX >> 1;
/// A stream of this seed is lost after its first message. This seed and the next two are none that `quintet bench` asks for.
pub(crate) const LOST: u64 = 1_013;
/// A stream of this seed ends after its first message.
pub(crate) const SHORT: u64 = 1_014;
/// An answer to this seed has no images.
pub(crate) const EMPTY: u64 = 1_015;
/// A stream of this seed sends nothing after its first message, and does not end.
pub(crate) const STALLED: u64 = 1_016;
/// The digit of which too few are found.
pub(crate) const RARE: u32 = 9;
/// Images in a message of a stream.
const PART: usize = 16;
/// Images in an answer.
const MOST: u32 = 100;

/// Requests as they arrived, and the `grpc-timeout` of each.
pub(crate) type Requests = Mutex<Vec<(GenerateDigitsRequest, String)>>;

/// Notes the request.
pub(super) fn note(requests: &Requests, request: &GenerateDigitsRequest, grpc_timeout: String) {
    let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
    requests.push((request.clone(), grpc_timeout));
}

pub(super) fn whole(request: &GenerateDigitsRequest) -> Result<GenerateDigitsResponse, Status> {
    if !(1..=MOST).contains(&request.count) {
        let allowed = format!("is {}; 1 to {MOST} are allowed", request.count);
        let details = ErrorDetails::with_bad_request_violation("count", allowed);
        let code = Code::InvalidArgument;
        return Err(Status::with_error_details(code, "bad count", details));
    }
    let images = images(request)?;
    let mut answer = part(request, images);
    if request.layout() == Layout::Grid {
        for it in &mut answer.digits {
            it.image = None;
        }
        answer.sheet = Some(image(request, "sheet"));
    }
    Ok(answer)
}

pub(super) fn messages(
    request: &GenerateDigitsRequest,
) -> Vec<Result<GenerateDigitsResponse, Status>> {
    let images = match images(request) {
        Ok(images) => images,
        Err(status) => return vec![Err(status)],
    };
    let parts = images.chunks(PART);
    let mut messages: Vec<_> = parts
        .map(|images| Ok(part(request, images.to_vec())))
        .collect();
    match request.seed {
        Some(LOST) => {
            messages.truncate(1);
            messages.push(Err(Status::unavailable("the server stops")));
        }
        Some(SHORT) => messages.truncate(1),
        _ => {}
    }
    messages
}

/// Every third candidate is of the digit that was asked for.
fn images(request: &GenerateDigitsRequest) -> Result<Vec<GeneratedDigit>, Status> {
    if request.digit == Some(RARE) {
        let counts = [("found", "3"), ("wanted", "20"), ("candidates", "5120")];
        let counts = counts.map(|(name, count)| (name.to_owned(), count.to_owned()));
        let details = ErrorDetails::with_error_info("TOO_FEW_FOUND", "quintet.v1", counts);
        let code = Code::FailedPrecondition;
        let message = "found 3 of 20 images of a 9 in 5120 candidates";
        return Err(Status::with_error_details(code, message, details));
    }
    if request.seed == Some(EMPTY) {
        return Ok(Vec::new());
    }
    let images = (0..u64::from(request.count)).map(|place| {
        let index = request.digit.map_or(place, |_| place * 3);
        GeneratedDigit {
            image: Some(image(request, &format!("candidate {index}"))),
            digit: request.digit.unwrap_or((index % 10) as u32),
            confidence: if index.is_multiple_of(2) { 1.0 } else { 0.75 },
            index,
        }
    });
    Ok(images.collect())
}

fn image(request: &GenerateDigitsRequest, name: &str) -> Image {
    let source = match request.format() {
        ImageFormat::Raw => Source::Raw(RawImage {
            width: 28,
            height: 28,
            channels: 1,
            data: vec![0; 784].into(),
        }),
        _ => Source::Encoded(format!("seed {}, {name}", seed(request)).into()),
    };
    Image {
        source: Some(source),
    }
}

fn part(request: &GenerateDigitsRequest, digits: Vec<GeneratedDigit>) -> GenerateDigitsResponse {
    GenerateDigitsResponse {
        candidates: digits.last().map_or(0, |it| it.index + 1),
        digits,
        sheet: None,
        seed: seed(request),
        model: "gan".into(),
        version: "3".into(),
        classifier: "mlp".into(),
        classifier_version: "2".into(),
        timing: Some(Timing {
            preprocess_us: 30,
            queue_us: 20,
            compute_us: 700,
            batch_size: 8,
        }),
    }
}

fn seed(request: &GenerateDigitsRequest) -> u64 {
    request.seed.unwrap_or(DRAWN)
}
