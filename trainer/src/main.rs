//! The `quintet-trainer` program.

use std::process::ExitCode;

use quintet_trainer::cli;
use quintet_trainer::models::NETWORKS;

fn main() -> ExitCode {
    cli::main(&NETWORKS)
}
