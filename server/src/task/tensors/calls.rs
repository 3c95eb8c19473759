//! `inference.GRPCInferenceService`.

use std::iter::repeat;
use std::pin::pin;
use std::sync::Arc;

use quintet_proto::inference as oip;
use tokio::time::Instant;

use super::finish::{response, wanted};
use super::parameters::{self, mark_final, wants_final_response};
use super::{describe, prepare::prepare};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::{Items, Rpc};
use crate::model::Model;
use crate::repository::State;
use crate::tokens::{Access, Scope};

/// The protocol's calls.
pub(crate) fn calls() -> Vec<Rpc> {
    // Triton answers a stream in order, and its callers need not give ids.
    let items = Items { in_order: true };
    vec![
        Rpc::unary("/inference.GRPCInferenceService/ModelInfer", infer),
        Rpc::bidirectional(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            items,
            infer_item,
        ),
        Rpc::query(
            "/inference.GRPCInferenceService/ServerLive",
            |_, _: &oip::ServerLiveRequest| Ok(oip::ServerLiveResponse { live: true }),
        )
        .needs(Access::Open),
        Rpc::query(
            "/inference.GRPCInferenceService/ServerReady",
            |call, _: &oip::ServerReadyRequest| {
                let ready = call.repository().is_ready() && !call.is_leaving();
                Ok(oip::ServerReadyResponse { ready })
            },
        )
        .needs(Access::Open),
        Rpc::query(
            "/inference.GRPCInferenceService/ModelReady",
            |call, request: &oip::ModelReadyRequest| {
                let model = call
                    .repository()
                    .find_ready(&request.name, &request.version);
                let ready = model.is_ok() && !call.is_leaving();
                Ok(oip::ModelReadyResponse { ready })
            },
        )
        .needs(Access::Open),
        Rpc::query(
            "/inference.GRPCInferenceService/ServerMetadata",
            |_, _: &oip::ServerMetadataRequest| Ok(describe::server()),
        ),
        Rpc::query("/inference.GRPCInferenceService/ModelMetadata", metadata),
        Rpc::query("/inference.GRPCInferenceService/ModelConfig", config),
        Rpc::query(
            "/inference.GRPCInferenceService/ModelStatistics",
            statistics,
        ),
        Rpc::query(
            "/inference.GRPCInferenceService/RepositoryIndex",
            |call, request: &oip::RepositoryIndexRequest| {
                let versions = call.repository().versions();
                let versions = versions.filter(|version| call.may_use(&version.name));
                let states = versions.map(|version| (version, version.state()));
                let wanted =
                    states.filter(|(_, state)| !request.ready || matches!(state, State::Ready(_)));
                let models = wanted.map(|(version, state)| describe::index_entry(version, state));
                Ok(oip::RepositoryIndexResponse {
                    models: models.collect(),
                })
            },
        )
        .needs(Access::Scope(Scope::Control)),
    ]
}

async fn infer(
    call: Call,
    request: oip::ModelInferRequest,
) -> Result<oip::ModelInferResponse, ServeError> {
    let (name, version) = (&request.model_name, &request.model_version);
    let model = find(&call, "model_name", name, version)?;
    call.reach(&model)?;
    let timeout = parameters::timeout(&request)?;
    // An overflowing timeout means no deadline.
    let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut turn = call.turn();
    turn.deadline = [turn.deadline, timeout].into_iter().flatten().min();
    parameters::check(&request)?;
    let max_rows = model.engine.settings().max_queue_size;
    // As the caller says; a wrong number is refused when it is checked.
    let rows = request.inputs.first().and_then(|it| it.shape.first());
    let rows = rows.and_then(|rows| usize::try_from(*rows).ok());
    let rows = rows.filter(|rows| *rows <= max_rows).unwrap_or(1);
    let _admitted = call.admit(rows)?;
    let raw = !request.raw_input_contents.is_empty();
    let (inputs, contents) = (request.inputs, request.raw_input_contents);
    let prepare = pin!(async {
        let wanted = wanted(&model.signature, &request.outputs)?;
        let contents = contents.into_iter().map(Some).chain(repeat(None));
        let inputs = inputs.into_iter().zip(contents).collect();
        // A request of more rows could never be queued.
        let rows = prepare(&model.signature, inputs, max_rows)?;
        Ok((rows, wanted))
    });
    let served = model.serve(turn, rows, prepare, |rows, wanted| {
        response(&model, &rows, &wanted, raw)
    });
    let mut response = served.await?.answer;
    response.id = request.id;
    Ok(response)
}

async fn infer_item(call: Call, request: oip::ModelInferRequest) -> oip::ModelStreamInferResponse {
    let id = request.id.clone();
    let wants_final = wants_final_response(&request.parameters);
    let (error_message, response) = match infer(call, request).await {
        Ok(mut response) => {
            if wants_final {
                mark_final(&mut response);
            }
            (String::new(), response)
        }
        Err(error) => {
            let response = oip::ModelInferResponse {
                id,
                ..Default::default()
            };
            (error.to_string(), response)
        }
    };
    oip::ModelStreamInferResponse {
        error_message,
        infer_response: Some(response),
    }
}

fn metadata(
    call: &Call,
    request: &oip::ModelMetadataRequest,
) -> Result<oip::ModelMetadataResponse, ServeError> {
    let model = find(call, "name", &request.name, &request.version)?;
    call.reach(&model)?;
    let versions = ready(call, &request.name, "")?;
    let versions = versions.iter().map(|model| model.version.to_string());
    Ok(describe::metadata(&model, versions.collect()))
}

fn config(
    call: &Call,
    request: &oip::ModelConfigRequest,
) -> Result<oip::ModelConfigResponse, ServeError> {
    let model = find(call, "name", &request.name, &request.version)?;
    call.reach(&model)?;
    let config = Some(describe::config(&model));
    Ok(oip::ModelConfigResponse { config })
}

fn statistics(
    call: &Call,
    request: &oip::ModelStatisticsRequest,
) -> Result<oip::ModelStatisticsResponse, ServeError> {
    let models = ready(call, &request.name, &request.version)?;
    let statistics = models.iter().map(|model| describe::statistics(model));
    Ok(oip::ModelStatisticsResponse {
        model_stats: statistics.collect(),
    })
}

/// The model that a request means. The protocol has no default model: `field` must name one.
fn find(call: &Call, field: &str, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
    let models = call.repository();
    if name.is_empty() {
        let known: Vec<_> = models.names().collect();
        let problem = format!("is empty; there is {}", known.join(", "));
        return Err(ServeError::invalid(field, problem));
    }
    models.find_ready(name, version)
}

/// The model versions that are ready, of this name and version where they are given.
fn ready(call: &Call, name: &str, version: &str) -> Result<Vec<Arc<Model>>, ServeError> {
    if !name.is_empty() {
        // An unknown or unready one is an error, not an empty list.
        find(call, "name", name, version)?;
        call.check_model(name)?;
    }
    let ready = call.repository().ready();
    let wanted = |model: &Arc<Model>| {
        call.may_use(&model.name)
            && (name.is_empty() || *model.name == *name)
            && (version.is_empty() || model.version.to_string() == version)
    };
    Ok(ready.filter(wanted).collect())
}
