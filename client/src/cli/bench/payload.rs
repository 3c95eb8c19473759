//! The requests, encoded once before the run and sent again and again.

mod digits;
mod images;
mod tensor;
mod texts;

use std::cell::Cell;

use bytes::Bytes;
use prost::Message;
use quintet_proto::{
    inference::ModelInferResponse,
    v1::{ClassifyResponse, GenerateDigitsResponse, SentimentScoreResponse},
};

pub(super) use self::{
    digits::generate,
    images::{Files, Pixels},
    tensor::Tensor,
    texts::{Mix, Texts},
};
use super::framing;

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

/// The model that answered, and the batch that the request was part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) model: String,
    pub(super) version: String,
    /// Rows of the batch; the answer to a plain tensor does not say.
    pub(super) batch_size: Option<u32>,
}

/// Groups of `rows` items: each item is in some group, and the last group is filled up with the
/// first items.
fn groups<T: Clone>(items: &[T], rows: usize) -> impl Iterator<Item = Vec<T>> {
    let item = |index: usize| items[index % items.len()].clone();
    let firsts = (0..items.len()).step_by(rows);
    firsts.map(move |first| (first..first + rows).map(item).collect())
}

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
}

impl Payload {
    /// There is at least one request; each has `rows`.
    fn new<M: Message>(rpc: Rpc, rows: usize, requests: impl IntoIterator<Item = M>) -> Self {
        let encode = |request: M| match rpc {
            // Its frame holds the request's index too.
            Rpc::ClassifyStream => request.encode_to_vec().into(),
            _ => framing::frame(&request),
        };
        Self {
            rpc,
            bodies: requests.into_iter().map(encode).collect(),
            next: Cell::new(0),
            rows,
        }
    }

    /// Compresses the requests. Those of a stream are compressed as they are sent, with their
    /// indices.
    pub(super) fn compress(&mut self) {
        if self.rpc != Rpc::ClassifyStream {
            for body in &mut self.bodies {
                *body = framing::gzip(body);
            }
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
        let (rows, model, version, timing) = match self.rpc {
            Rpc::Classify | Rpc::ClassifyStream => {
                let it = ClassifyResponse::decode(message).ok()?;
                let rows = it.classifications.len();
                (rows, it.model, it.version, Some(it.timing?))
            }
            Rpc::SentimentScore => {
                let it = SentimentScoreResponse::decode(message).ok()?;
                (it.sentiments.len(), it.model, it.version, Some(it.timing?))
            }
            Rpc::GenerateDigits => {
                let it = GenerateDigitsResponse::decode(message).ok()?;
                (it.digits.len(), it.model, it.version, Some(it.timing?))
            }
            Rpc::ModelInfer => {
                let it = ModelInferResponse::decode(message).ok()?;
                let rows = usize::try_from(*it.outputs.first()?.shape.first()?).ok()?;
                (rows, it.model_name, it.model_version, None)
            }
        };
        let batch_size = timing.map(|it| it.batch_size);
        (rows == self.rows).then_some(Answer {
            model,
            version,
            batch_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use quintet_proto::{
        inference::model_infer_response::InferOutputTensor,
        v1::{Classification, Timing},
    };

    use super::*;

    #[test]
    fn only_an_answer_to_all_rows_is_one() {
        let payload = |rpc| Payload::new(rpc, 2, [ClassifyResponse::default()]);
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
