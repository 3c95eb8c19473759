//! The `quintet-trainer` program.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use quintet_trainer::cli::Cli;
use quintet_trainer::fit::Ending;
use quintet_trainer::run::run;
use quintet_trainer::stop::STOPPED;

fn main() -> ExitCode {
    // `ort`'s own switch comes after ONNX Runtime's telemetry has started.
    #[expect(unsafe_code, reason = "a variable of the environment is set")]
    // SAFETY: this is the only thread.
    unsafe {
        std::env::set_var("ORT_DISABLE_TELEMETRY", "1");
    }
    let cli = Cli::parse();
    match run(&cli, &mut io::stdout().lock()) {
        Ok(Ending::Finished) => ExitCode::SUCCESS,
        Ok(Ending::Stopped) => ExitCode::from(STOPPED),
        // `| head` has read enough: end as quietly as a program that SIGPIPE ended.
        Err(error) if error.is_closed_pipe() => ExitCode::from(141),
        Err(error) => {
            // Nobody is there to be told that standard error is closed.
            let _ = writeln!(io::stderr(), "quintet-trainer: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}
