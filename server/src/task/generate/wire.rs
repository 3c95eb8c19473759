//! GenerateDigits and GenerateDigitsStream of `quintet.v1.InferenceService`.

use futures_util::stream::{Stream, try_unfold};
use quintet_proto::v1;

use super::draw::Drawing;
use super::judge::Judge;
use super::plan::{Delivery, Plan};
use super::{Limits, NAME};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::Rpc;

pub(super) fn calls(limits: Limits) -> Vec<Rpc> {
    vec![
        Rpc::unary(
            "/quintet.v1.InferenceService/GenerateDigits",
            move |call, request| async move {
                let mut drawing = drawing(limits, call, &request, Delivery::Whole)?;
                drawing.all().await
            },
        ),
        Rpc::server_streaming(
            "/quintet.v1.InferenceService/GenerateDigitsStream",
            move |call, request| drawing(limits, call, &request, Delivery::Stream).map(stream),
        ),
    ]
}

/// Draws the next images when the caller has taken the last ones. A server that drains ends it.
fn stream(drawing: Drawing) -> impl Stream<Item = Result<v1::GenerateDigitsResponse, ServeError>> {
    try_unfold(drawing, async |mut drawing| {
        let next = drawing.some().await?;
        Ok(next.map(|response| (response, drawing)))
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
