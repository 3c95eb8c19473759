//! `quintet health`.

use std::process::ExitCode;

use quintet_client::{Client, ServingStatus};

use crate::{args::HealthArgs, failure::Failure, output};

/// Succeeds only for a server, or model, that is serving, as probes want it.
pub(crate) async fn run(client: &Client, args: &HealthArgs) -> Result<ExitCode, Failure> {
    let status = client.health(args.model.as_deref()).await;
    let status = status.map_err(Failure::of_call(client.address()))?;
    let (text, code) = match status {
        ServingStatus::Serving => ("serving\n", ExitCode::SUCCESS),
        ServingStatus::NotServing => ("not serving\n", ExitCode::FAILURE),
        _ => ("unknown\n", ExitCode::FAILURE),
    };
    output::print(text)?;
    Ok(code)
}
