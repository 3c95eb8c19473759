//! `inference.GRPCInferenceService`.

use std::pin::pin;
use std::sync::Arc;

use quintet_proto::inference as oip;
use tokio::time::Instant;

use super::{describe, finish, prepare, wanted, wire};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::{Items, Rpc};
use crate::model::Model;
use crate::repository::State;

/// The protocol's calls.
pub(crate) fn calls() -> Vec<Rpc> {
    // Triton answers a stream in order, and its callers need not give ids.
    let items = Items {
        in_order: true,
        request_field: None,
    };
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
        ),
        Rpc::query(
            "/inference.GRPCInferenceService/ServerReady",
            |call, _: &oip::ServerReadyRequest| {
                let ready = call.repository().is_ready() && !call.is_leaving();
                Ok(oip::ServerReadyResponse { ready })
            },
        ),
        Rpc::query(
            "/inference.GRPCInferenceService/ModelReady",
            |call, request: &oip::ModelReadyRequest| {
                let model = call
                    .repository()
                    .find_ready(&request.name, &request.version);
                let ready = model.is_ok() && !call.is_leaving();
                Ok(oip::ModelReadyResponse { ready })
            },
        ),
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
                let states = versions.map(|version| (version, version.state()));
                let wanted =
                    states.filter(|(_, state)| !request.ready || matches!(state, State::Ready(_)));
                let models = wanted.map(|(version, state)| describe::index_entry(version, state));
                Ok(oip::RepositoryIndexResponse {
                    models: models.collect(),
                })
            },
        ),
    ]
}

async fn infer(
    call: Call,
    request: oip::ModelInferRequest,
) -> Result<oip::ModelInferResponse, ServeError> {
    let (name, version) = (&request.model_name, &request.model_version);
    let model = find(&call, "model_name", name, version)?;
    call.set_model(&model);
    let timeout = wire::timeout(&request)?;
    // An overflowing timeout means no deadline.
    let timeout = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let deadline = [call.deadline(), timeout].into_iter().flatten().min();
    let (inputs, form) = wire::request(request)?;
    let max_rows = model.engine.settings().max_queue_size;
    // As the caller says; a wrong number is refused when it is checked.
    let rows = inputs.first().and_then(|tensor| tensor.shape.first());
    let rows = rows.and_then(|rows| usize::try_from(*rows).ok());
    let rows = rows.filter(|rows| *rows <= max_rows).unwrap_or(1);
    let prepare = pin!(async {
        let names = form.outputs.iter().map(String::as_str);
        let wanted = wanted(&model.signature, names).map_err(ServeError::violations)?;
        // A request of more rows could never be queued.
        let rows = prepare(&model.signature, inputs, max_rows).map_err(ServeError::violations)?;
        Ok((rows, wanted))
    });
    let served = model.serve(deadline, rows, prepare, |rows, wanted| {
        let outputs = wanted.into_iter().map(|port| {
            let bytes = finish(&model.signature, port, &rows);
            bytes.map(|bytes| (port, bytes))
        });
        Some((rows.len(), outputs.collect::<Option<_>>()?))
    });
    let (rows, outputs) = served.await?.answer;
    Ok(wire::answer(&model, form, rows, outputs))
}

async fn infer_item(call: Call, request: oip::ModelInferRequest) -> oip::ModelStreamInferResponse {
    let id = request.id.clone();
    let wants_final = wire::wants_final_response(&request);
    match infer(call, request).await {
        Ok(mut answer) => {
            if wants_final {
                wire::mark_final(&mut answer);
            }
            oip::ModelStreamInferResponse {
                error_message: String::new(),
                infer_response: Some(answer),
            }
        }
        Err(error) => oip::ModelStreamInferResponse {
            error_message: error.to_string(),
            infer_response: Some(oip::ModelInferResponse {
                id,
                ..Default::default()
            }),
        },
    }
}

fn metadata(
    call: &Call,
    request: &oip::ModelMetadataRequest,
) -> Result<oip::ModelMetadataResponse, ServeError> {
    let model = find(call, "name", &request.name, &request.version)?;
    call.set_model(&model);
    let versions = ready(call, &request.name, "")?;
    let versions = versions.iter().map(|model| model.version.to_string());
    Ok(describe::metadata(&model, versions.collect()))
}

fn config(
    call: &Call,
    request: &oip::ModelConfigRequest,
) -> Result<oip::ModelConfigResponse, ServeError> {
    let model = find(call, "name", &request.name, &request.version)?;
    call.set_model(&model);
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
    }
    let ready = call.repository().ready();
    let wanted = |model: &Arc<Model>| {
        (name.is_empty() || *model.name == *name)
            && (version.is_empty() || model.version.to_string() == version)
    };
    Ok(ready.filter(wanted).collect())
}
