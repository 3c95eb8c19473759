//! `quintet-bench`: how close Quintet comes to what its machine can do, measured side by side in one run.
//!
//! - *Echo*: tonic at its best set-up answers the same requests with the same replies, without inference.
//! - *Runtime*: ONNX Runtime in this process, at its best batch size, over all cores, without requests.
//! - *Quintet*: the server as it is built.
//!
//! A request's cost is the echo's and the runtime's together, and the load generator shares the cores, so the *limit* is
//! `1 / (1 / echo + 1 / runtime)`: what a server could reach whose batching were free. Machines differ, and change
//! from hour to hour, so the ratio to the limit is the figure; the passes are interleaved and their medians told.

mod echo;
mod inference;
mod load;
mod machine;
mod overload;
mod peer;
mod process;
mod table;
mod texts;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::inference::Inference;
use crate::load::Generator;
use crate::overload::Flood;
use crate::process::Server;
use crate::table::{Pass, Row};

/// The concurrencies of the table.
const CONCURRENCIES: [usize; 3] = [1, 8, 64];

/// Measure Quintet beside the limit of its machine, and print a Markdown table.
#[derive(Debug, Parser)]
#[command(name = "quintet-bench", version)]
struct Arguments {
    /// The model repository; every image classifier in it is measured.
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: PathBuf,
    /// Only these models.
    #[arg(long, value_name = "NAME")]
    model: Vec<String>,
    /// ONNX Runtime's shared library.
    #[arg(
        long,
        value_name = "FILE",
        env = "ORT_DYLIB_PATH",
        default_value = ".runtime/onnxruntime/lib/libonnxruntime.so"
    )]
    onnxruntime: PathBuf,
    /// The server to measure [default: quintet-server beside this program].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The load generator [default: quintet beside this program].
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// How often everything is measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Seconds of each measurement under load; as much again in four warms up.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the echo alone, for another load generator. It says where it listens.
    Echo,
    /// Measure the text models on reviews and sentences, which lie in DIR/imdb/ or DIR itself.
    Texts {
        #[arg(value_name = "DIR")]
        data_dir: PathBuf,
    },
    /// Measure beside another server of the Open Inference Protocol, such as Triton, that serves the same models.
    Peer {
        /// Where it serves gRPC.
        #[arg(value_name = "HOST:PORT")]
        address: String,
    },
    /// Offer each model twice what it can do, and print what becomes of it.
    Overload(Cores),
}

/// Who computes where, so that neither takes from the other; lists as `taskset --cpu-list` takes them.
#[derive(Debug, Args)]
struct Cores {
    /// The server's cores [default: all].
    #[arg(long, value_name = "LIST")]
    server_cores: Option<String>,
    /// The load generator's cores [default: all].
    #[arg(long, value_name = "LIST")]
    generator_cores: Option<String>,
}

fn main() -> ExitCode {
    #[expect(unsafe_code, reason = "a variable of the environment is set")]
    // SAFETY: this is the only thread.
    unsafe {
        quintet_server::environment::disable_telemetry();
    }
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Echo) => echo::serve(),
        Some(Command::Texts { data_dir }) => texts(&arguments, data_dir),
        Some(Command::Peer { address }) => peer(&arguments, address),
        Some(Command::Overload(_)) => overload(&arguments),
        None => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn beside(given: Option<&PathBuf>, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    Ok(given.cloned().unwrap_or_else(|| this.with_file_name(name)))
}

/// Where to compute, if that was said.
fn cores(arguments: &Arguments) -> Option<&Cores> {
    match &arguments.command {
        Some(Command::Overload(cores)) => Some(cores),
        _ => None,
    }
}

fn generator(arguments: &Arguments) -> Result<Generator, Box<dyn Error>> {
    Ok(Generator {
        program: beside(arguments.generator.as_ref(), "quintet")?,
        cores: cores(arguments).and_then(|cores| cores.generator_cores.clone()),
        duration: Duration::from_secs(arguments.seconds),
        warmup: Duration::from_millis(arguments.seconds * 250),
    })
}

fn quintet(arguments: &Arguments) -> Result<Server, Box<dyn Error>> {
    Server::quintet(
        &beside(arguments.server.as_ref(), "quintet-server")?,
        cores(arguments).and_then(|cores| cores.server_cores.as_deref()),
        &arguments.models_dir,
        &arguments.onnxruntime,
    )
}

fn classifiers(arguments: &Arguments) -> Result<Vec<Inference>, Box<dyn Error>> {
    inference::models(
        &arguments.models_dir,
        &arguments.model,
        &arguments.onnxruntime,
    )
}

fn texts(arguments: &Arguments, data_dir: &Path) -> Result<(), Box<dyn Error>> {
    let models = texts::models(
        &arguments.models_dir,
        &arguments.model,
        data_dir,
        &arguments.onnxruntime,
    )?;
    let generator = generator(arguments)?;
    let (echo, quintet) = (
        Server::echo(&std::env::current_exe()?)?,
        quintet(arguments)?,
    );
    let watch = machine::Watch::start();
    let mut rows = Vec::new();
    for model in &models {
        let mut passes = Vec::new();
        for pass in 1..=arguments.passes {
            say(&format!(
                "pass {pass} of {}: {}",
                arguments.passes, model.name
            ));
            passes.push(model.measure(&generator, data_dir, &echo, &quintet)?);
        }
        rows.push((model.name.clone(), passes));
    }
    print(&texts::render(&rows, &machine::describe(&watch)))?;
    Ok(())
}

fn peer(arguments: &Arguments, address: &str) -> Result<(), Box<dyn Error>> {
    let (generator, quintet) = (generator(arguments)?, quintet(arguments)?);
    let models = classifiers(arguments)?;
    let watch = machine::Watch::start();
    let row = |model: &Inference| CONCURRENCIES.map(|it| peer::Row::new(&model.name, it));
    let mut rows: Vec<_> = models.iter().flat_map(row).collect();
    for pass in 1..=arguments.passes {
        say(&format!("pass {pass} of {}", arguments.passes));
        for row in &mut rows {
            row.measure(&generator, &quintet.address, address)?;
        }
    }
    print(&peer::render(
        &rows,
        &machine::describe(&watch),
        arguments.seconds,
    ))?;
    Ok(())
}

fn overload(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (generator, quintet) = (generator(arguments)?, quintet(arguments)?);
    let watch = machine::Watch::start();
    let models = classifiers(arguments)?.into_iter();
    let mut floods: Vec<_> = models.map(|model| Flood::of(model.name)).collect();
    for pass in 1..=arguments.passes {
        say(&format!("pass {pass} of {}", arguments.passes));
        for flood in &mut floods {
            flood.measure(&generator, &quintet)?;
        }
    }
    print(&overload::render(
        &floods,
        &machine::describe(&watch),
        arguments.seconds,
    ))?;
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (generator, quintet) = (generator(arguments)?, quintet(arguments)?);
    let models = classifiers(arguments)?;
    let echo = Server::echo(&std::env::current_exe()?)?;
    let watch = machine::Watch::start();
    let mut rows = rows(&models);
    for pass in 1..=arguments.passes {
        for model in &models {
            let inference = model.measure()?;
            for concurrency in CONCURRENCIES {
                say(&format!(
                    "pass {pass} of {}: {} at concurrency {concurrency}",
                    arguments.passes, model.name
                ));
                let row = rows
                    .iter_mut()
                    .find(|row| row.model == model.name && row.concurrency == concurrency)
                    .expect("every model has a row for every concurrency");
                row.passes.push(Pass {
                    inference: inference.clone(),
                    echo: generator.run(&echo.address, &model.name, concurrency)?,
                    quintet: generator.run(&quintet.address, &model.name, concurrency)?,
                });
            }
        }
    }
    print(&table::render(
        &rows,
        &machine::describe(&watch),
        arguments.seconds,
    ))?;
    Ok(())
}

fn rows(models: &[Inference]) -> Vec<Row> {
    let row = |model: &Inference, concurrency| Row {
        model: model.name.clone(),
        concurrency,
        passes: Vec::new(),
    };
    models
        .iter()
        .flat_map(|model| CONCURRENCIES.map(|concurrency| row(model, concurrency)))
        .collect()
}

/// Where a program is, for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The result, to stdout.
fn print(text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Progress, to stderr.
#[expect(clippy::print_stderr, reason = "stdout is the table's")]
fn say(text: &str) {
    eprintln!("{text}");
}
