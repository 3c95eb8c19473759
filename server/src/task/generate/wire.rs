//! GenerateDigits and GenerateDigitsStream of `quintet.v1.InferenceService`.

use futures_util::stream::{Stream, try_unfold};
use quintet_proto::v1;

use super::draw::{Drawing, Generated, KeptImage};
use super::finish::Pictures;
use super::judge::Judge;
use super::plan::{Delivery, Plan};
use super::{Limits, NAME};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::Rpc;
use crate::task::picture::Picture;
use crate::task::wire::timing;

pub(super) fn calls(limits: Limits) -> Vec<Rpc> {
    vec![
        Rpc::unary(
            "/quintet.v1.InferenceService/GenerateDigits",
            move |call, request| generate(limits, call, request),
        ),
        Rpc::server_streaming(
            "/quintet.v1.InferenceService/GenerateDigitsStream",
            move |call, request| drawing(limits, call, &request, Delivery::Stream).map(stream),
        ),
    ]
}

async fn generate(
    limits: Limits,
    call: Call,
    request: v1::GenerateDigitsRequest,
) -> Result<v1::GenerateDigitsResponse, ServeError> {
    let mut drawing = drawing(limits, call, &request, Delivery::Whole)?;
    let generated = drawing.all().await?;
    Ok(response(&drawing, generated))
}

/// Draws the next images when the caller has taken the last ones. A server that drains ends it.
fn stream(drawing: Drawing) -> impl Stream<Item = Result<v1::GenerateDigitsResponse, ServeError>> {
    try_unfold(drawing, async |mut drawing| {
        let next = drawing.some().await?;
        Ok(next.map(|generated| (response(&drawing, generated), drawing)))
    })
}

/// What a request asks for, ready to be drawn.
fn drawing(
    limits: Limits,
    call: Call,
    request: &v1::GenerateDigitsRequest,
    delivery: Delivery,
) -> Result<Drawing, ServeError> {
    let generator = call.resolve(NAME, &request.model, &request.version)?;
    let plan = Plan::new(request, delivery, limits)?;
    let judge = Judge::find(&call, &request.classifier)?;
    Drawing::new(call, generator, judge, plan)
}

fn response(drawing: &Drawing, generated: Generated) -> v1::GenerateDigitsResponse {
    let (pictures, sheet) = match generated.pictures {
        Pictures::Separate(pictures) => (pictures, None),
        Pictures::Sheet(sheet) => (Vec::new(), Some(sheet)),
    };
    let image = |picture: Picture| v1::Image {
        source: Some(picture),
    };
    let mut pictures = pictures.into_iter();
    let digit = |kept: KeptImage| v1::GeneratedDigit {
        image: pictures.next().map(image),
        digit: kept.digit.into(),
        confidence: kept.confidence,
        index: kept.index,
    };
    let (generator, classifier) = (&drawing.generator, &drawing.judge.model);
    v1::GenerateDigitsResponse {
        digits: generated.images.into_iter().map(digit).collect(),
        sheet: sheet.map(image),
        seed: drawing.seed,
        candidates: generated.candidates,
        model: generator.name.to_string(),
        version: generator.version.to_string(),
        classifier: classifier.name.to_string(),
        classifier_version: classifier.version.to_string(),
        timing: Some(timing(&generated.spent)),
    }
}
