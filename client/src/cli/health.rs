//! `quintet health`.

use std::process::ExitCode;

use quintet_client::{Client, Error, ErrorKind, ServingStatus};

use crate::{args::HealthArgs, failure::Failure, output};

/// Succeeds only for a server, or model, that is serving, as probes want it.
pub(crate) async fn run(client: &Client, args: &HealthArgs) -> Result<ExitCode, Failure> {
    let status = client.health(args.model.as_deref()).await;
    let status = status.map_err(|error| failed(&error, client, args.model.as_deref()))?;
    let (text, code) = match status {
        ServingStatus::Serving => ("serving\n", ExitCode::SUCCESS),
        ServingStatus::NotServing => ("not serving\n", ExitCode::FAILURE),
        _ => ("unknown\n", ExitCode::FAILURE),
    };
    output::print(text)?;
    Ok(code)
}

/// Health checks call a model a service. The user named a model.
fn failed(error: &Error, client: &Client, model: Option<&str>) -> Failure {
    let failure = Failure::of_items(error, client.address(), |_| None);
    match (error.kind(), model) {
        (ErrorKind::NotFound, Some(model)) => {
            failure.told_as(format!("{}: not found: model {model:?}", error.rpc()))
        }
        _ => failure,
    }
}
