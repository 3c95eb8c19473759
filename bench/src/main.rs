//! `quintet-bench`: how close Quintet comes to what its machine can do, measured side by side in
//! one run.
//!
//! - *Echo*: tonic at its best set-up answers the same requests with the same replies, without
//!   inference.
//! - *Runtime*: ONNX Runtime in this process, at its best batch size, over all cores or on the GPU,
//!   without requests.
//! - *Quintet*: the server as it is built.
//!
//! A request's cost is the echo's and the runtime's together, and the load generator shares the
//! cores, so the *limit* is `1 / (1 / echo + 1 / runtime)`: what a server could reach whose
//! batching were free. Machines differ, and change from hour to hour, so the ratio to the limit is
//! the figure; the passes are interleaved, and the table has their medians.

mod echo;
mod inference;
mod limit;
mod load;
mod machine;
mod overload;
mod peer;
mod photographs;
mod pictures;
mod process;
mod table;
mod texts;
mod twin;
mod whole;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use quintet_bundle::{BundlePath, task};
use quintet_server::runtime::Device;

use crate::inference::Inference;
use crate::load::Generator;
use crate::process::Server;
use crate::table::Series;

/// What any step of a measurement gives; its errors are only printed.
type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The concurrencies of the table, if no others are named.
const CONCURRENCIES: [usize; 3] = [1, 8, 64];

/// Measure Quintet beside the limit of its machine, and print a Markdown table.
#[derive(Debug, Parser)]
#[command(name = "quintet-bench", version)]
struct Arguments {
    /// The model repository; every image classifier in it is measured.
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: PathBuf,
    /// Only these models.
    #[arg(long, global = true, value_name = "NAME")]
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
    /// Where the server and the runtime compute: cpu or cuda, the first GPU.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device)]
    device: Device,
    /// Requests in flight, one row of the table each.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = CONCURRENCIES)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    concurrency: Vec<usize>,
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
    Texts(texts::Options),
    /// Measure the image classifiers on files of photographs.
    Photographs(photographs::Options),
    /// Measure which share of MNIST's test digits each classifier of digits reads right on pictures
    /// as people send them.
    Pictures(pictures::Options),
    /// Measure beside another server of the Open Inference Protocol, such as Triton, that serves
    /// the same models.
    Peer {
        /// Where it serves gRPC.
        #[arg(value_name = "HOST:PORT")]
        address: String,
    },
    /// Measure beside another build of quintet-server, every model by its own call.
    Build {
        /// The other server.
        #[arg(value_name = "FILE")]
        other: PathBuf,
    },
    /// Measure what traces cost: every model by its own call, beside the same server without them.
    Traces(Traces),
    /// Offer each model twice what it can do, and print what becomes of it.
    Overload(Cores),
}

#[derive(Debug, Args)]
struct Traces {
    /// The collector that takes the spans, by OTLP over gRPC.
    #[arg(value_name = "URL")]
    endpoint: String,
    /// Share of the calls that are traced.
    #[arg(long, value_name = "SHARE", default_value = "0.01")]
    ratio: String,
}

/// Who computes where, so that neither takes from the other; lists as `taskset --cpu-list` takes
/// them.
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
        Some(Command::Texts(options)) => texts(&arguments, options),
        Some(Command::Photographs(options)) => photographs(&arguments, options),
        Some(Command::Pictures(options)) => pictures(&arguments, options),
        Some(Command::Peer { address }) => peer(&arguments, address),
        Some(Command::Build { other }) => build(&arguments, other),
        Some(Command::Traces(options)) => traces(&arguments, options),
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

fn device(text: &str) -> Result<Device, String> {
    match text {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        _ => Err(format!("device is {text}; allowed: cpu, cuda")),
    }
}

fn beside(given: Option<&PathBuf>, name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(given.cloned().unwrap_or_else(|| this.with_file_name(name)))
}

impl Arguments {
    /// Where to compute, if that was said.
    fn cores(&self) -> Option<&Cores> {
        match &self.command {
            Some(Command::Overload(cores)) => Some(cores),
            _ => None,
        }
    }

    fn generator(&self) -> Result<Generator> {
        Ok(Generator {
            program: beside(self.generator.as_ref(), "quintet")?,
            cores: self.cores().and_then(|cores| cores.generator_cores.clone()),
            duration: Duration::from_secs(self.seconds),
            warmup: Duration::from_millis(self.seconds * 250),
        })
    }

    fn quintet(&self) -> Result<Server> {
        self.start(&self.program()?, &[])
    }

    fn program(&self) -> Result<PathBuf> {
        beside(self.server.as_ref(), "quintet-server")
    }

    fn start(&self, program: &Path, options: &[&str]) -> Result<Server> {
        let cores = self.cores().and_then(|cores| cores.server_cores.as_deref());
        Server::quintet(program, cores, self, options)
    }

    /// Every version of every model, or of those that were named.
    fn found(&self) -> Result<impl Iterator<Item = BundlePath>> {
        let found = quintet_bundle::discover(&self.models_dir)?.into_iter();
        Ok(found.filter(|it| self.model.is_empty() || self.model.contains(&it.name)))
    }
}

fn texts(arguments: &Arguments, options: &texts::Options) -> Result<()> {
    let models = inference::models(arguments, task::TEXT_CLASSIFICATION)?;
    let (generator, quintet) = (arguments.generator()?, arguments.quintet()?);
    let echo = Server::echo()?;
    let texts = options.texts()?;
    let (mix, data_dir) = (options.mix(), options.data_dir.display().to_string());
    let options = ["--mix", &mix, "--data-dir", &data_dir];
    report(
        arguments,
        &names(&models),
        &[texts::CONCURRENCY],
        |series| {
            let (model, concurrency) = (&series.model, series.concurrency);
            let score =
                |server: &Server| generator.run(&server.address, model, concurrency, &options);
            Ok(whole::Pass {
                note: texts::NOTE,
                alone: find(&models, model).measure_texts(&texts)?,
                echo: score(&echo)?,
                quintet: score(&quintet)?,
            })
        },
    )
}

fn photographs(arguments: &Arguments, options: &photographs::Options) -> Result<()> {
    let models = inference::models(arguments, task::IMAGE_CLASSIFICATION)?;
    let (generator, quintet) = (arguments.generator()?, arguments.quintet()?);
    let (echo, files) = (Server::echo()?, photographs::files(&options.folder)?);
    let folder = options.folder.display().to_string();
    let send = ["--images", &folder];
    let concurrencies = &arguments.concurrency;
    report(arguments, &names(&models), concurrencies, |series| {
        let (model, concurrency) = (&series.model, series.concurrency);
        let classify = |server: &Server| generator.run(&server.address, model, concurrency, &send);
        Ok(whole::Pass {
            note: photographs::NOTE,
            alone: find(&models, model).measure_files(&files)?,
            echo: classify(&echo)?,
            quintet: classify(&quintet)?,
        })
    })
}

fn pictures(arguments: &Arguments, options: &pictures::Options) -> Result<()> {
    let mut models = inference::models(arguments, task::IMAGE_CLASSIFICATION)?;
    models.retain(|model| pictures::reads_digits(model.bundle.manifest()));
    if models.is_empty() {
        return Err("no model that was named classifies the ten digits".into());
    }
    print(&pictures::measure(options, models)?)
}

fn peer(arguments: &Arguments, address: &str) -> Result<()> {
    let (generator, quintet) = (arguments.generator()?, arguments.quintet()?);
    let models = inference::models(arguments, task::IMAGE_CLASSIFICATION)?;
    let concurrencies = &arguments.concurrency;
    report(arguments, &names(&models), concurrencies, |series| {
        let infer = ["--protocol", "oip"];
        peer::Pass::measure(series, &generator, [&quintet.address, address], &infer)
    })
}

fn build(arguments: &Arguments, other: &Path) -> Result<()> {
    twins(
        arguments,
        &arguments.quintet()?,
        &arguments.start(other, &[])?,
    )
}

fn traces(arguments: &Arguments, Traces { endpoint, ratio }: &Traces) -> Result<()> {
    let options = ["--otlp-endpoint", endpoint, "--trace-ratio", ratio];
    let traced = arguments.start(&arguments.program()?, &options)?;
    twins(arguments, &traced, &arguments.quintet()?)
}

fn twins(arguments: &Arguments, one: &Server, other: &Server) -> Result<()> {
    // What warms up would be part of the servers' time.
    let generator = Generator {
        warmup: Duration::ZERO,
        ..arguments.generator()?
    };
    let mut names: Vec<String> = arguments.found()?.map(|found| found.name).collect();
    names.dedup();
    report(arguments, &names, &arguments.concurrency, |series| {
        twin::Pass::measure(series, &generator, [one, other])
    })
}

fn overload(arguments: &Arguments) -> Result<()> {
    let (generator, quintet) = (arguments.generator()?, arguments.quintet()?);
    let models = inference::models(arguments, task::IMAGE_CLASSIFICATION)?;
    report(arguments, &names(&models), &[overload::BEST], |series| {
        overload::Pass::measure(&series.model, &generator, &quintet)
    })
}

fn run(arguments: &Arguments) -> Result<()> {
    let (generator, quintet) = (arguments.generator()?, arguments.quintet()?);
    let models = inference::models(arguments, task::IMAGE_CLASSIFICATION)?;
    let echo = Server::echo()?;
    let mut speed = None;
    let concurrencies = &arguments.concurrency;
    report(arguments, &names(&models), concurrencies, |series| {
        let (model, concurrency) = (&series.model, series.concurrency);
        // Once a pass and model: inference alone knows no concurrency.
        let inference = match speed.take() {
            Some(speed) if concurrency != concurrencies[0] => speed,
            _ => find(&models, model).measure()?,
        };
        speed = Some(inference.clone());
        Ok(limit::Pass {
            inference,
            echo: generator.run(&echo.address, model, concurrency, &[])?,
            quintet: generator.run(&quintet.address, model, concurrency, &[])?,
        })
    })
}

fn names(models: &[Inference]) -> Vec<String> {
    models.iter().map(|it| it.name.clone()).collect()
}

fn find<'a>(models: &'a [Inference], name: &str) -> &'a Inference {
    let mut models = models.iter();
    models
        .find(|it| it.name == name)
        .expect("every row is a model's")
}

/// Measures each model at each concurrency, and prints the table.
fn report<P: table::Pass>(
    arguments: &Arguments,
    models: &[String],
    concurrencies: &[usize],
    measure: impl FnMut(&Series<P>) -> Result<P>,
) -> Result<()> {
    let row = |model| concurrencies.iter().map(move |it| Series::new(model, *it));
    let rows = models.iter().flat_map(|it| row(it)).collect();
    let Arguments {
        passes, seconds, ..
    } = *arguments;
    print(&table::measure(rows, passes, seconds, measure)?)
}

fn print(text: &str) -> Result<()> {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Progress, to stderr.
#[expect(clippy::print_stderr, reason = "stdout is the table's")]
fn say(text: &str) {
    eprintln!("{text}");
}
