//! `inference.GRPCInferenceService`: the Open Inference Protocol and those of Triton's extensions that its clients use.

mod convert;
mod describe;

use std::sync::Arc;

use quintet_proto::inference as oip;
use quintet_proto::inference::grpc_inference_service_server::GrpcInferenceService;
use tokio::time::Instant;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::call::Call;
use super::status::status;
use super::stream;
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::model::Model;
use crate::repository::{Repository, State};
use crate::service::Service;

/// The protocol over the same models, and the same batching, as the domain API.
#[derive(Debug)]
pub(super) struct OpenInference {
    service: Service,
    lifecycle: Arc<Lifecycle>,
}

impl OpenInference {
    pub(super) fn new(service: Service, lifecycle: Arc<Lifecycle>) -> Self {
        Self { service, lifecycle }
    }

    /// The ModelInfer call.
    pub(super) async fn infer(
        &self,
        call: &Call,
        request: oip::ModelInferRequest,
    ) -> Result<oip::ModelInferResponse, ServeError> {
        self.lifecycle.check()?;
        infer(&self.service, call, request).await
    }

    fn repository(&self) -> &Repository {
        self.service.repository()
    }

    /// The model versions that are ready, of this name and version where they are given.
    fn ready(&self, name: &str, version: &str) -> Result<Vec<Arc<Model>>, ServeError> {
        if !name.is_empty() {
            // An unknown or unready one is an error, not an empty list.
            find(&self.service, "name", name, version)?;
        }
        let versions = self.repository().versions();
        let ready = versions.filter_map(|(_, state)| match state {
            State::Ready(model) => Some(model),
            _ => None,
        });
        let wanted = |model: &Arc<Model>| {
            (name.is_empty() || *model.name == *name)
                && (version.is_empty() || model.version.to_string() == version)
        };
        Ok(ready.filter(wanted).collect())
    }
}

/// The model that a request means. Unlike the domain API, the protocol has no default: `field` must name one.
fn find(
    service: &Service,
    field: &str,
    name: &str,
    version: &str,
) -> Result<Arc<Model>, ServeError> {
    if name.is_empty() {
        let known: Vec<_> = service.repository().names().collect();
        let problem = format!("is empty; there is {}", known.join(", "));
        return Err(ServeError::invalid(field, problem));
    }
    service.repository().find_ready(name, version)
}

/// One request, alone or from a stream.
async fn infer(
    service: &Service,
    call: &Call,
    request: oip::ModelInferRequest,
) -> Result<oip::ModelInferResponse, ServeError> {
    let (name, version) = (&request.model_name, &request.model_version);
    let model = find(service, "model_name", name, version)?;
    call.reached(&model.name);
    let timeout = convert::timeout(&request)?;
    // A time that the clock cannot count to is none.
    let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let deadline = [call.deadline, timeout].into_iter().flatten().min();
    let (request, form) = convert::request(request)?;
    let answer = service.infer(&model, request, deadline).await?;
    Ok(convert::answer(&model, form, answer.answer))
}

/// One request of a stream.
async fn infer_item(
    service: Service,
    call: Call,
    request: oip::ModelInferRequest,
) -> oip::ModelStreamInferResponse {
    let id = request.id.clone();
    let wants_end = convert::wants_final_response(&request);
    match infer(&service, &call, request).await {
        Ok(mut answer) => {
            if wants_end {
                convert::mark_final(&mut answer);
            }
            oip::ModelStreamInferResponse {
                error_message: String::new(),
                infer_response: Some(answer),
            }
        }
        Err(error) => oip::ModelStreamInferResponse {
            error_message: status(&error).message().to_owned(),
            infer_response: Some(oip::ModelInferResponse {
                id,
                ..Default::default()
            }),
        },
    }
}

fn reply<T>(answer: Result<T, ServeError>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|error| status(&error))
}

#[tonic::async_trait]
impl GrpcInferenceService for OpenInference {
    async fn server_live(
        &self,
        _request: Request<oip::ServerLiveRequest>,
    ) -> Result<Response<oip::ServerLiveResponse>, Status> {
        Ok(Response::new(oip::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _request: Request<oip::ServerReadyRequest>,
    ) -> Result<Response<oip::ServerReadyResponse>, Status> {
        let ready = self.repository().is_ready() && !self.lifecycle.is_leaving();
        Ok(Response::new(oip::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<oip::ModelReadyRequest>,
    ) -> Result<Response<oip::ModelReadyResponse>, Status> {
        let oip::ModelReadyRequest { name, version } = request.into_inner();
        let known = self.repository().find_ready(&name, &version).is_ok();
        let ready = known && !self.lifecycle.is_leaving();
        Ok(Response::new(oip::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _request: Request<oip::ServerMetadataRequest>,
    ) -> Result<Response<oip::ServerMetadataResponse>, Status> {
        Ok(Response::new(describe::server()))
    }

    async fn model_metadata(
        &self,
        request: Request<oip::ModelMetadataRequest>,
    ) -> Result<Response<oip::ModelMetadataResponse>, Status> {
        let call = Call::of(&request);
        let oip::ModelMetadataRequest { name, version } = request.into_inner();
        let model = find(&self.service, "name", &name, &version);
        reply(model.and_then(|model| {
            call.reached(&model.name);
            let versions = self.ready(&name, "")?;
            let versions = versions.iter().map(|model| model.version.to_string());
            Ok(describe::metadata(&model, versions.collect()))
        }))
    }

    async fn model_infer(
        &self,
        request: Request<oip::ModelInferRequest>,
    ) -> Result<Response<oip::ModelInferResponse>, Status> {
        let call = Call::of(&request);
        reply(self.infer(&call, request.into_inner()).await)
    }

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<oip::ModelInferRequest>>,
    ) -> Result<Response<BoxStream<oip::ModelStreamInferResponse>>, Status> {
        self.lifecycle.check().map_err(|error| status(&error))?;
        let (call, service) = (Call::of(&request), self.service.clone());
        let answer = {
            let call = call.clone();
            move |request| infer_item(service.clone(), call.clone(), request)
        };
        // In order, as Triton does: its callers need not give ids.
        let answers = stream::in_order(request.into_inner(), &call, &self.lifecycle, answer);
        Ok(Response::new(answers))
    }

    async fn model_config(
        &self,
        request: Request<oip::ModelConfigRequest>,
    ) -> Result<Response<oip::ModelConfigResponse>, Status> {
        let call = Call::of(&request);
        let oip::ModelConfigRequest { name, version } = request.into_inner();
        let model = find(&self.service, "name", &name, &version);
        reply(model.map(|model| {
            call.reached(&model.name);
            let config = Some(describe::config(&model));
            oip::ModelConfigResponse { config }
        }))
    }

    async fn model_statistics(
        &self,
        request: Request<oip::ModelStatisticsRequest>,
    ) -> Result<Response<oip::ModelStatisticsResponse>, Status> {
        let oip::ModelStatisticsRequest { name, version } = request.into_inner();
        let models = self.ready(&name, &version);
        reply(models.map(|models| {
            oip::ModelStatisticsResponse {
                model_stats: models
                    .iter()
                    .map(|model| describe::statistics(model))
                    .collect(),
            }
        }))
    }

    async fn repository_index(
        &self,
        request: Request<oip::RepositoryIndexRequest>,
    ) -> Result<Response<oip::RepositoryIndexResponse>, Status> {
        let only_ready = request.into_inner().ready;
        let versions = self.repository().versions();
        let models = versions
            .filter(|(_, state)| !only_ready || matches!(state, State::Ready(_)))
            .map(|(id, state)| describe::index_entry(id, state))
            .collect();
        Ok(Response::new(oip::RepositoryIndexResponse { models }))
    }
}
