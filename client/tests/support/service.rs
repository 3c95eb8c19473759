//! The calls of the scripted server.

use std::sync::{Arc, PoisonError};

use quintet_proto::v1::{
    ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, ClassifyStreamResponse,
    ClassifyTextRequest, ClassifyTextResponse, GenerateDigitsRequest, GenerateDigitsResponse,
    Label, ListModelsRequest, ListModelsResponse, Sentiment, SentimentScoreRequest,
    SentimentScoreResponse, StreamError, TextClassification, TextInput, Timing,
    classify_stream_response::Result as Outcome, inference_service_server::InferenceService,
};
use tokio_stream::StreamExt as _;
use tonic::{
    Code, Request, Response, Status, Streaming, codegen::BoxStream, metadata::AsciiMetadataValue,
};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{Calls, Received, Texts, generator, models};

/// Answers the n-th call, from 0; `None` never answers.
pub(super) type Script =
    Box<dyn Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>> + Send + Sync>;

pub(super) struct Service {
    pub(super) calls: Calls,
    pub(super) texts: Texts,
    pub(super) images: Arc<generator::Requests>,
    pub(super) script: Arc<Script>,
}

/// Half of the love that a text speaks of, in three words; one that says "refuse" is refused. Of
/// German it knows one word.
fn feeling(index: usize, text: &str) -> Result<Sentiment, Status> {
    if text.contains("refuse") {
        let details = ErrorDetails::with_bad_request_violation(
            format!("texts[{index}]"),
            "speaks of refusal",
        );
        return Err(Status::with_error_details(
            Code::InvalidArgument,
            "bad text",
            details,
        ));
    }
    let positive = text.contains("love");
    let is_german = text.starts_with("Dieser");
    let words = text.split_whitespace().count() as u32;
    Ok(Sentiment {
        score: if positive { 0.9375 } else { 0.125 },
        label: if positive { "POSITIVE" } else { "NEGATIVE" }.into(),
        tokens: words + 1,
        truncated: text.len() > 1000,
        known_tokens: if is_german { 1 } else { words },
        language_supported: !is_german,
    })
}

/// What a text entails, less surely for its pair; "stars" are counted instead.
fn classification(input: &TextInput, request: &ClassifyTextRequest) -> TextClassification {
    let is_regression = input.text.contains("stars");
    let label = |index: u32, name: &str, probability| Label {
        name: name.into(),
        index,
        probability,
    };
    let sure = if input.text_pair.is_some() {
        0.75
    } else {
        0.875
    };
    let mut labels = vec![label(1, "yes", sure), label(0, "no", 1.0 - sure)];
    labels.truncate(if is_regression {
        0
    } else {
        request.top_k as usize
    });
    let logits = match (is_regression, request.return_logits) {
        (true, _) => vec![4.5],
        (_, true) => vec![-1.0, 1.0],
        _ => Vec::new(),
    };
    TextClassification {
        labels,
        logits,
        tokens: 3,
        truncated: request.refuse_truncated,
    }
}

impl Service {
    /// Notes a request, and gives the script's answer to it.
    fn answer(
        calls: &Calls,
        script: &Script,
        received: Received,
    ) -> Option<Result<ClassifyResponse, Status>> {
        let message = received.message.clone();
        let number = {
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(received);
            calls.len() - 1
        };
        script(number, &message)
    }
}

/// The id of the answer to a request: another than the caller's, as some proxies give.
fn answered_id<T>(request: &Request<T>) -> AsciiMetadataValue {
    let id = request.metadata().get("x-request-id");
    let id = id.and_then(|it| it.to_str().ok()).unwrap_or_default();
    format!("answer to {id}").parse().expect("an id is ASCII")
}

fn grpc_timeout<T>(request: &Request<T>) -> String {
    let timeout = request.metadata().get("grpc-timeout");
    let timeout = timeout.and_then(|it| it.to_str().ok());
    timeout.unwrap_or_default().to_owned()
}

#[tonic::async_trait]
impl InferenceService for Service {
    async fn classify_stream(
        &self,
        request: Request<Streaming<ClassifyStreamRequest>>,
    ) -> Result<Response<BoxStream<ClassifyStreamResponse>>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let (id, metadata) = (answered_id(&request), request.metadata().clone());
        let (calls, script) = (Arc::clone(&self.calls), Arc::clone(&self.script));
        let answers = request.into_inner().filter_map(move |request| {
            let ClassifyStreamRequest { index, request } = match request {
                Ok(request) => request,
                Err(status) => return Some(Err(status)),
            };
            let received = Received {
                message: request.unwrap_or_default(),
                grpc_timeout: grpc_timeout.clone(),
                metadata: metadata.clone(),
            };
            let result = match Self::answer(&calls, &script, received)? {
                Ok(response) => Outcome::Response(response),
                Err(status) => Outcome::Error(StreamError {
                    code: status.code().into(),
                    message: status.message().into(),
                    retry_after_ms: 0,
                }),
            };
            let result = Some(result);
            Some(Ok(ClassifyStreamResponse { index, result }))
        });
        let mut response: Response<BoxStream<_>> = Response::new(Box::pin(answers));
        response.metadata_mut().insert("x-request-id", id);
        Ok(response)
    }

    async fn sentiment_score(
        &self,
        request: Request<SentimentScoreRequest>,
    ) -> Result<Response<SentimentScoreResponse>, Status> {
        let request = request.into_inner();
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let texts = request.texts.iter().enumerate();
        let sentiments = texts.map(|(index, text)| feeling(index, text));
        Ok(Response::new(SentimentScoreResponse {
            sentiments: sentiments.collect::<Result<_, _>>()?,
            model: "lstm".into(),
            version: "1".into(),
            timing: Some(Timing {
                preprocess_us: 20,
                queue_us: 10,
                compute_us: 900,
                batch_size: 2,
            }),
        }))
    }

    async fn classify_text(
        &self,
        request: Request<ClassifyTextRequest>,
    ) -> Result<Response<ClassifyTextResponse>, Status> {
        let request = request.into_inner();
        let texts = request.texts.iter();
        Ok(Response::new(ClassifyTextResponse {
            classifications: texts.map(|it| classification(it, &request)).collect(),
            model: format!("{}!", request.model),
            version: "1".into(),
            timing: None,
        }))
    }

    async fn classify(
        &self,
        request: Request<ClassifyRequest>,
    ) -> Result<Response<ClassifyResponse>, Status> {
        let id = answered_id(&request);
        let received = Received {
            grpc_timeout: grpc_timeout(&request),
            metadata: request.metadata().clone(),
            message: request.into_inner(),
        };
        match Self::answer(&self.calls, &self.script, received) {
            Some(Ok(answer)) => {
                let mut response = Response::new(answer);
                response.metadata_mut().insert("x-request-id", id);
                Ok(response)
            }
            Some(Err(mut status)) => {
                status.metadata_mut().insert("x-request-id", id);
                Err(status)
            }
            None => std::future::pending().await,
        }
    }

    async fn generate_digits(
        &self,
        request: Request<GenerateDigitsRequest>,
    ) -> Result<Response<GenerateDigitsResponse>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let request = request.into_inner();
        generator::note(&self.images, &request, grpc_timeout);
        generator::whole(&request).map(Response::new)
    }

    async fn generate_digits_stream(
        &self,
        request: Request<GenerateDigitsRequest>,
    ) -> Result<Response<BoxStream<GenerateDigitsResponse>>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let request = request.into_inner();
        generator::note(&self.images, &request, grpc_timeout);
        let stalls = request.seed == Some(generator::STALLED);
        let messages = generator::messages(&request).into_iter();
        let messages = messages.take(if stalls { 1 } else { usize::MAX });
        let messages = tokio_stream::iter(messages.collect::<Vec<_>>());
        let messages: BoxStream<_> = if stalls {
            Box::pin(messages.merge(tokio_stream::pending()))
        } else {
            Box::pin(messages)
        };
        Ok(Response::new(messages))
    }

    async fn list_models(
        &self,
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        Ok(Response::new(models::list()))
    }
}
