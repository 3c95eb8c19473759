//! `quintet.v1.InferenceService`: convert, call, convert.

use std::sync::Arc;

use quintet_bundle::Task;
use quintet_proto::v1;
use quintet_proto::v1::inference_service_server::InferenceService;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::call::Call;
use super::status::status;
use super::{convert, generate, stream};
use crate::error::ServeError;
use crate::generate::Delivery;
use crate::lifecycle::Lifecycle;
use crate::service::Service;

/// The field of a ClassifyStreamRequest that holds the request.
pub(super) const WRAPPED_REQUEST: u32 = 2;

/// The domain API over gRPC.
#[derive(Debug)]
pub(super) struct Inference {
    service: Service,
    lifecycle: Arc<Lifecycle>,
}

impl Inference {
    pub(super) fn new(service: Service, lifecycle: Arc<Lifecycle>) -> Self {
        Self { service, lifecycle }
    }

    /// The Classify call.
    pub(super) async fn classify(
        &self,
        call: &Call,
        request: v1::ClassifyRequest,
    ) -> Result<v1::ClassifyResponse, ServeError> {
        self.lifecycle.check()?;
        classify(&self.service, call, request).await
    }

    /// The SentimentScore call.
    pub(super) async fn sentiment(
        &self,
        call: &Call,
        request: v1::SentimentScoreRequest,
    ) -> Result<v1::SentimentScoreResponse, ServeError> {
        self.lifecycle.check()?;
        let model = self
            .service
            .sentiment_model(&request.model, &request.version)?;
        call.reached(&model.name);
        let answer = self
            .service
            .sentiment(&model, request.texts, call.deadline)
            .await?;
        Ok(convert::sentiments(&model, answer))
    }

    /// The GenerateDigits call.
    pub(super) async fn generate(
        &self,
        call: &Call,
        request: v1::GenerateDigitsRequest,
    ) -> Result<v1::GenerateDigitsResponse, ServeError> {
        self.lifecycle.check()?;
        let drawing = generate::drawing(&self.service, call, &request, Delivery::Whole)?;
        generate::whole(drawing).await
    }
}

/// One request, alone or from a stream.
async fn classify(
    service: &Service,
    call: &Call,
    request: v1::ClassifyRequest,
) -> Result<v1::ClassifyResponse, ServeError> {
    let model = service.classifier(&request.model, &request.version)?;
    call.reached(&model.name);
    service.check_images(request.images.len())?;
    let request = convert::classify(request)?;
    let answer = service.classify(&model, request, call.deadline).await?;
    Ok(convert::classified(&model, answer))
}

/// One request of a stream.
async fn classify_item(
    service: Service,
    call: Call,
    item: v1::ClassifyStreamRequest,
) -> v1::ClassifyStreamResponse {
    let v1::ClassifyStreamRequest { index, request } = item;
    let answer = match request {
        Some(request) => classify(&service, &call, request).await,
        None => Err(ServeError::invalid("request", "is not set")),
    };
    convert::classified_item(index, answer)
}

#[tonic::async_trait]
impl InferenceService for Inference {
    async fn classify(
        &self,
        request: Request<v1::ClassifyRequest>,
    ) -> Result<Response<v1::ClassifyResponse>, Status> {
        let call = Call::of(&request);
        let answer = Self::classify(self, &call, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn classify_stream(
        &self,
        request: Request<Streaming<v1::ClassifyStreamRequest>>,
    ) -> Result<Response<BoxStream<v1::ClassifyStreamResponse>>, Status> {
        self.lifecycle.check().map_err(|error| status(&error))?;
        let (call, service) = (Call::of(&request), self.service.clone());
        let answer = {
            let call = call.clone();
            move |item| classify_item(service.clone(), call.clone(), item)
        };
        let answers = stream::as_they_come(request.into_inner(), &call, &self.lifecycle, answer);
        Ok(Response::new(answers))
    }

    async fn sentiment_score(
        &self,
        request: Request<v1::SentimentScoreRequest>,
    ) -> Result<Response<v1::SentimentScoreResponse>, Status> {
        let call = Call::of(&request);
        let answer = self.sentiment(&call, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn generate_digits(
        &self,
        request: Request<v1::GenerateDigitsRequest>,
    ) -> Result<Response<v1::GenerateDigitsResponse>, Status> {
        let call = Call::of(&request);
        let answer = self.generate(&call, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn generate_digits_stream(
        &self,
        request: Request<v1::GenerateDigitsRequest>,
    ) -> Result<Response<BoxStream<v1::GenerateDigitsResponse>>, Status> {
        self.lifecycle.check().map_err(|error| status(&error))?;
        let (call, request) = (Call::of(&request), request.into_inner());
        let drawing = generate::drawing(&self.service, &call, &request, Delivery::Stream);
        let drawing = drawing.map_err(|error| status(&error))?;
        let answers = generate::stream(drawing, Arc::clone(&self.lifecycle));
        Ok(Response::new(answers))
    }

    async fn list_models(
        &self,
        _request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let repository = self.service.repository();
        let tasks = [
            Task::ImageClassification,
            Task::TextClassification,
            Task::ImageGeneration,
        ];
        let defaults = tasks.map(|task| repository.resolve(task, "", "").ok());
        let is_default = |name: &str, version: u32| {
            let mut defaults = defaults.iter().flatten();
            defaults.any(|model| *model.name == *name && model.version == version)
        };
        let models = repository
            .versions()
            .map(|(id, state)| {
                let is_default = is_default(&id.name, id.version);
                convert::model_info(id, state, is_default)
            })
            .collect();
        Ok(Response::new(v1::ListModelsResponse { models }))
    }
}
