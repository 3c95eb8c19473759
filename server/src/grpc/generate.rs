//! GenerateDigits and its stream: between the wire's messages and the domain's types.

use std::sync::Arc;

use futures_util::stream::try_unfold;
use quintet_proto::v1;
use tonic::codegen::BoxStream;

use super::call::Call;
use super::convert::timing;
use super::status::status;
use crate::decode::Picture;
use crate::encode::Format;
use crate::error::{ServeError, Violation};
use crate::generate::{
    Delivery, Digit, Drawing, Generate, Generated, Layout, Limits, Pictures, Plan,
};
use crate::lifecycle::Lifecycle;
use crate::service::Service;

/// What a request asks for, ready to be drawn.
pub(super) fn drawing(
    service: &Service,
    call: &Call,
    request: &v1::GenerateDigitsRequest,
    delivery: Delivery,
) -> Result<Drawing, ServeError> {
    let generator = service.generator(&request.model, &request.version)?;
    call.reached(&generator.name);
    let plan = plan(request, delivery, service.limits().generation)?;
    let judge = service.judge(&request.classifier)?;
    service.draw(generator, judge, plan, call.deadline)
}

/// All images.
pub(super) async fn whole(mut drawing: Drawing) -> Result<v1::GenerateDigitsResponse, ServeError> {
    let generated = drawing.all().await?;
    Ok(answer(&drawing, generated))
}

/// The images a few at a time: the next are drawn when the last have been taken. A server that drains ends it.
pub(super) fn stream(
    drawing: Drawing,
    lifecycle: Arc<Lifecycle>,
) -> BoxStream<v1::GenerateDigitsResponse> {
    let answers = try_unfold((drawing, lifecycle), async |(mut drawing, lifecycle)| {
        let next = drawing.some(|| lifecycle.check()).await;
        let next = next.map_err(|error| status(&error))?;
        Ok(next.map(|generated| (answer(&drawing, generated), (drawing, lifecycle))))
    });
    Box::pin(answers)
}

/// A request as the domain takes it, checked; all that is wrong is named, by field.
fn plan(
    request: &v1::GenerateDigitsRequest,
    delivery: Delivery,
    limits: Limits,
) -> Result<Plan, ServeError> {
    let mut violations = Vec::new();
    let mut unknown = |field: &str, value: i32, allowed: &str| {
        violations.push(Violation {
            field: field.to_owned(),
            description: format!("is {value}; {allowed} are allowed"),
        });
    };
    let format = match v1::ImageFormat::try_from(request.format) {
        Ok(v1::ImageFormat::Unspecified | v1::ImageFormat::Png) => Format::Png,
        Ok(v1::ImageFormat::Raw) => Format::Raw,
        Err(_) => {
            let allowed = "IMAGE_FORMAT_PNG (1) and IMAGE_FORMAT_RAW (2)";
            unknown("format", request.format, allowed);
            Format::Png
        }
    };
    let layout = match v1::Layout::try_from(request.layout) {
        Ok(v1::Layout::Unspecified | v1::Layout::Separate) => Layout::Separate,
        Ok(v1::Layout::Grid) => Layout::Grid,
        Err(_) => {
            let allowed = "LAYOUT_SEPARATE (1) and LAYOUT_GRID (2)";
            unknown("layout", request.layout, allowed);
            Layout::Separate
        }
    };
    let generate = Generate {
        count: request.count,
        seed: request.seed,
        digit: request.digit,
        min_confidence: request.min_confidence,
        format,
        layout,
    };
    match generate.check(delivery, limits) {
        Ok(plan) if violations.is_empty() => Ok(plan),
        outcome => {
            violations.extend(outcome.err().into_iter().flatten());
            Err(ServeError::violations(violations))
        }
    }
}

/// An answer as the wire carries it.
fn answer(drawing: &Drawing, generated: Generated) -> v1::GenerateDigitsResponse {
    let (pictures, sheet) = match generated.pictures {
        Pictures::Separate(pictures) => (pictures, None),
        Pictures::Sheet(sheet) => (Vec::new(), Some(sheet)),
    };
    let mut pictures = pictures.into_iter();
    let digit = |digit: Digit| v1::GeneratedDigit {
        image: pictures.next().map(image),
        digit: digit.digit.into(),
        confidence: digit.confidence,
        index: digit.index,
    };
    let (generator, classifier) = (&drawing.generator, &drawing.judge.model);
    v1::GenerateDigitsResponse {
        digits: generated.digits.into_iter().map(digit).collect(),
        sheet: sheet.map(image),
        seed: drawing.seed,
        candidates: generated.candidates,
        model: generator.name.to_string(),
        version: generator.version.to_string(),
        classifier: classifier.name.to_string(),
        classifier_version: classifier.version.to_string(),
        timing: Some(timing(generated.spent.preprocess, generated.spent.timing)),
    }
}

fn image(picture: Picture) -> v1::Image {
    let source = match picture {
        Picture::Encoded(file) => v1::image::Source::Encoded(file),
        Picture::Raw {
            width,
            height,
            channels,
            data,
        } => v1::image::Source::Raw(v1::RawImage {
            width,
            height,
            channels,
            data,
        }),
    };
    v1::Image {
        source: Some(source),
    }
}
