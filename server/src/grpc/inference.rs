//! `quintet.v1.InferenceService`: convert, call, convert.

use std::sync::Arc;

use quintet_bundle::Task;
use quintet_proto::v1;
use quintet_proto::v1::inference_service_server::InferenceService;
use tonic::{Request, Response, Status};

use super::convert;
use super::observe::Call;
use super::status::status;
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::service::Service;

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

    async fn classify(
        &self,
        call: &Call,
        request: v1::ClassifyRequest,
    ) -> Result<v1::ClassifyResponse, ServeError> {
        self.lifecycle.check()?;
        let model = self.service.classifier(&request.model, &request.version)?;
        call.reached(&model.name);
        let request = convert::classify(request)?;
        let answer = self
            .service
            .classify(&model, request, call.deadline)
            .await?;
        Ok(convert::classified(&model, answer))
    }
}

#[tonic::async_trait]
impl InferenceService for Inference {
    async fn classify(
        &self,
        request: Request<v1::ClassifyRequest>,
    ) -> Result<Response<v1::ClassifyResponse>, Status> {
        let call = Call::of(&request);
        let answer = self.classify(&call, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn list_models(
        &self,
        _request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let repository = self.service.repository();
        let default = repository.resolve(Task::ImageClassification, "", "").ok();
        let is_default = |name: &str, version: u32| {
            default
                .as_ref()
                .is_some_and(|model| *model.name == *name && model.version == version)
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
