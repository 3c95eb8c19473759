//! The requests, encoded once before the run and sent again and again.

mod digits;
mod images;
mod texts;

use std::cell::Cell;

use bytes::Bytes;
use prost::Message as _;
use quintet_proto::{
    inference::{ModelInferResponse, model_metadata_response::TensorMetadata},
    v1::{ClassifyResponse, GenerateDigitsResponse, SentimentScoreResponse, Timing},
};

pub(super) use self::{
    digits::{Noise, generate},
    images::{Pixels, Tensor},
    texts::{Mix, Texts},
};
use super::framing;
use crate::failure::Failure;

/// The call that takes the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    Classify,
    ClassifyStream,
    SentimentScore,
    GenerateDigits,
    ModelInfer,
}

/// Encoded requests, taken in turn.
#[derive(Debug)]
pub(super) struct Payload {
    rpc: Rpc,
    bodies: Vec<Bytes>,
    next: Cell<usize>,
    rows: usize,
}

/// What a reply says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) model: String,
    pub(super) version: String,
    /// Rows of the batch that it rode in; a plain tensor's answer does not say.
    pub(super) batch_size: Option<u32>,
}

/// A model whose inputs are other ones than the benchmark makes.
fn unfit(model: &str, inputs: &[TensorMetadata], made: &str) -> Failure {
    let tensors = inputs
        .iter()
        .map(|it| format!("{} {:?}", it.datatype, it.shape));
    let tensors = tensors.collect::<Vec<_>>().join(" and ");
    Failure::new(format!(
        "{model} takes {tensors}; the benchmark makes {made}"
    ))
}

// === impl Rpc ===

impl Rpc {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Classify => "/quintet.v1.InferenceService/Classify",
            Self::ClassifyStream => "/quintet.v1.InferenceService/ClassifyStream",
            Self::SentimentScore => "/quintet.v1.InferenceService/SentimentScore",
            Self::GenerateDigits => "/quintet.v1.InferenceService/GenerateDigits",
            Self::ModelInfer => "/inference.GRPCInferenceService/ModelInfer",
        }
    }

    /// A request as it is sent.
    fn encode(self, request: &impl prost::Message) -> Bytes {
        match self {
            Self::ClassifyStream => framing::stream_request(request),
            _ => framing::frame(request),
        }
    }
}

// === impl Payload ===

impl Payload {
    /// There is at least one request; each has `rows`.
    fn new(rpc: Rpc, rows: usize, bodies: Vec<Bytes>) -> Self {
        Self {
            rpc,
            bodies,
            next: Cell::new(0),
            rows,
        }
    }

    pub(super) fn rpc(&self) -> Rpc {
        self.rpc
    }

    /// The next request.
    pub(super) fn next(&self) -> Bytes {
        let next = self.next.get();
        self.next.set((next + 1) % self.bodies.len());
        self.bodies[next].clone()
    }

    /// Reads a reply; `None` if it is not the answer to one of these requests.
    pub(super) fn read(&self, message: Bytes) -> Option<Answer> {
        let timed = |timing: Timing| Some(timing.batch_size);
        let (rows, answer) = match self.rpc {
            Rpc::Classify | Rpc::ClassifyStream => {
                let reply = ClassifyResponse::decode(message).ok()?;
                let answer = Answer {
                    model: reply.model,
                    version: reply.version,
                    batch_size: timed(reply.timing?),
                };
                (reply.classifications.len(), answer)
            }
            Rpc::SentimentScore => {
                let reply = SentimentScoreResponse::decode(message).ok()?;
                let answer = Answer {
                    model: reply.model,
                    version: reply.version,
                    batch_size: timed(reply.timing?),
                };
                (reply.sentiments.len(), answer)
            }
            Rpc::GenerateDigits => {
                let reply = GenerateDigitsResponse::decode(message).ok()?;
                let answer = Answer {
                    model: reply.model,
                    version: reply.version,
                    batch_size: timed(reply.timing?),
                };
                (reply.digits.len(), answer)
            }
            Rpc::ModelInfer => {
                let reply = ModelInferResponse::decode(message).ok()?;
                let answer = Answer {
                    model: reply.model_name,
                    version: reply.model_version,
                    batch_size: None,
                };
                let rows = *reply.outputs.first()?.shape.first()?;
                (usize::try_from(rows).ok()?, answer)
            }
        };
        (rows == self.rows).then_some(answer)
    }
}

#[cfg(test)]
mod tests {
    use quintet_proto::{inference::model_infer_response::InferOutputTensor, v1::Classification};

    use super::*;

    #[test]
    fn only_an_answer_to_all_rows_is_one() {
        let payload = |rpc| Payload::new(rpc, 2, vec![Bytes::new()]);
        let timing = Some(Timing {
            batch_size: 7,
            ..Default::default()
        });
        let image = |rows| ClassifyResponse {
            classifications: vec![Classification::default(); rows],
            timing,
            ..Default::default()
        };
        for rpc in [Rpc::Classify, Rpc::ClassifyStream] {
            let read = |rows| payload(rpc).read(image(rows).encode_to_vec().into());
            assert_eq!(read(2).and_then(|it| it.batch_size), Some(7));
            assert_eq!(read(1), None);
        }
        let text = |rows| SentimentScoreResponse {
            sentiments: vec![quintet_proto::v1::Sentiment::default(); rows],
            timing,
            ..Default::default()
        };
        let read = |rows| payload(Rpc::SentimentScore).read(text(rows).encode_to_vec().into());
        assert_eq!(read(2).and_then(|it| it.batch_size), Some(7));
        assert_eq!(read(3), None);
        let digits = |rows| GenerateDigitsResponse {
            digits: vec![quintet_proto::v1::GeneratedDigit::default(); rows],
            timing,
            ..Default::default()
        };
        let read = |rows| payload(Rpc::GenerateDigits).read(digits(rows).encode_to_vec().into());
        assert_eq!(read(2).and_then(|it| it.batch_size), Some(7));
        assert_eq!(read(1), None);
        let tensor = |rows| ModelInferResponse {
            outputs: vec![InferOutputTensor {
                shape: vec![rows, 10],
                ..Default::default()
            }],
            ..Default::default()
        };
        let read = |rows| payload(Rpc::ModelInfer).read(tensor(rows).encode_to_vec().into());
        assert_eq!(read(2).map(|it| it.batch_size), Some(None));
        assert_eq!(read(-2), None);
        assert_eq!(
            payload(Rpc::Classify).read(Bytes::from_static(b"\xff")),
            None
        );
    }
}
