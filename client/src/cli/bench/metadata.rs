//! What a model takes, by ModelMetadata of the Open Inference Protocol: the way to servers that
//! have no ListModels, such as Triton, so that one load generator measures both.

use std::{error::Error, io, rc::Rc, time::Duration};

use prost::Message as _;
use quintet_proto::inference::{
    ModelMetadataRequest, ModelMetadataResponse, model_metadata_response::TensorMetadata,
};

use super::{
    connection::{Connection, Target},
    framing,
    servers::Servers,
};
use crate::failure::Failure;

const PATH: &str = "/inference.GRPCInferenceService/ModelMetadata";

/// The inputs of a model, the newest version that the server would let answer.
pub(super) async fn inputs(
    servers: Rc<Servers>,
    timeout: Duration,
    model: &str,
) -> Result<Vec<TensorMetadata>, Failure> {
    let target = Target {
        servers,
        path: PATH,
        timeout,
    };
    let ask = async {
        let mut connection = Connection::open(&target).await?;
        let request = ModelMetadataRequest {
            name: model.to_owned(),
            version: String::new(),
        };
        let reply = connection.call(framing::frame(&request)).await?;
        Ok::<_, Box<dyn Error>>(ModelMetadataResponse::decode(reply)?.inputs)
    };
    let answer = tokio::time::timeout(timeout, ask).await;
    let inputs = answer.unwrap_or_else(|late| Err(io::Error::from(late).into()));
    inputs.map_err(|error| {
        Failure::new(format!("ModelMetadata of {model:?} failed: {error}"))
            .hint("is it a server of the Open Inference Protocol that listens there?")
    })
}
