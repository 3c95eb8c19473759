//! `quintet`: the command line tool on top of the SDK.
//!
//! Parse, run the command until it ends or Ctrl-C, report. Answers go to stdout, errors, notes and
//! progress to stderr.

mod args;
mod bench;
mod classify;
mod classify_text;
mod connection;
mod digits;
mod evaluate;
mod failure;
mod generate;
mod health;
mod input;
mod models;
mod output;
mod progress;
mod score;
mod sentiment;
mod texts;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::{
    args::{Cli, Command},
    failure::Failure,
};

/// `quintet bench` shares its cores with the server that it measures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = without_environment(error);
            // A closed stderr is not worth another error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Failure::USAGE));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
            outcome = run(cli) => outcome,
        }
    });
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|failure| failure.report())
}

/// The same error with a usage that names no option which only the environment sets.
fn without_environment(error: clap::Error) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    let command = Cli::command().mut_args(|it| it.env(None));
    command.try_get_matches().err().unwrap_or(error)
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let connection = cli.connection;
    let client = connection.client()?;
    match cli.command {
        Command::Classify(args) => classify::run(&client, args).await?,
        Command::ClassifyText(args) => classify_text::run(&client, args).await?,
        Command::Sentiment(args) => sentiment::run(&client, args).await?,
        Command::Generate(args) => generate::run(&client, args).await?,
        Command::Models(args) => models::run(&client, &args).await?,
        Command::Health(args) => return health::run(&client, &args).await,
        Command::Evaluate(args) => evaluate::run(&client, args).await?,
        Command::Bench(args) => bench::run(&client, connection, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
