//! A task: which ring does each point lie in?

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use quintet_bundle::Bundle;
use quintet_server::call::Call;
use quintet_server::error::ServeError;
use quintet_server::grpc::Rpc;
use quintet_server::runtime::{Row, Rows, Signature};
use quintet_server::task::{Opened, Task};

use crate::scaling::Scaling;

/// The task's name in a manifest.
pub const NAME: &str = "point_classification";

/// The path of its call.
pub const PATH: &str = "/example.v1.PointService/Locate";

/// The task. It keeps the [`Scaling`] of each model.
#[derive(Debug)]
pub struct Locate {
    /// Points in one request.
    pub max_points: usize,
}

/// Asks for the rings of points.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LocateRequest {
    /// Of the points.
    #[prost(float, repeated, tag = "1")]
    pub x: Vec<f32>,
    /// Of the points.
    #[prost(float, repeated, tag = "2")]
    pub y: Vec<f32>,
}

/// The rings of points.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LocateResponse {
    /// By point.
    #[prost(string, repeated, tag = "1")]
    pub rings: Vec<String>,
    /// What answered.
    #[prost(string, tag = "2")]
    pub model: String,
}

impl Task for Locate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, bundle: &Bundle, _: &mut Signature) -> Opened {
        Ok(Arc::new(bundle.manifest().spec::<Scaling>()?))
    }

    fn calls(&self) -> Vec<Rpc> {
        let max_points = self.max_points;
        vec![Rpc::unary(PATH, move |call, request| {
            locate(max_points, call, request)
        })]
    }
}

async fn locate(
    max_points: usize,
    call: Call,
    request: LocateRequest,
) -> Result<LocateResponse, ServeError> {
    let model = call.resolve(NAME, "", "")?;
    let count = request.x.len();
    ServeError::check_count("x", count, max_points)?;
    if request.y.len() != count {
        let problem = format!("holds {} numbers; x holds {count}", request.y.len());
        return Err(ServeError::invalid("y", problem));
    }
    let scaling = model.state::<Scaling>()?;
    let row = |(x, y): (&f32, &f32)| -> Row {
        let bytes = scaling.apply([*x, *y]).map(f32::to_le_bytes).concat();
        std::iter::once(Bytes::from(bytes)).collect()
    };
    let rows: Rows = request.x.iter().zip(&request.y).map(row).collect();
    let rows = pin!(async { Ok((rows, ())) });
    let served = model.serve(call.turn(), count, rows, |outputs, ()| {
        outputs
            .iter()
            .map(likeliest)
            .collect::<Option<Vec<usize>>>()
    });
    let classes = served.await?.answer.into_iter();
    Ok(LocateResponse {
        rings: classes
            .map(|class| model.manifest.labels[class].clone())
            .collect(),
        model: model.name.to_string(),
    })
}

/// The class with the largest probability.
fn likeliest(row: &Row) -> Option<usize> {
    let (numbers, _) = row.first()?.as_chunks();
    let probabilities = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let best = probabilities.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(class, _)| class)
}
