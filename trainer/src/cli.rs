//! The command line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use quintet_bundle::{Products, Quantization, Saturation, SaturationError};

use crate::data;
use crate::error::Error;
use crate::fit::Ending;
use crate::import::Import;
use crate::models::Architecture;
use crate::run;
use crate::stop::STOPPED;

/// The network's name that stands for all of them.
pub const ALL: &str = "all";

/// Trains Quintet's networks with libtorch and writes verified bundles for the server.
#[derive(Debug, Parser)]
#[command(name = "quintet-trainer", version, max_term_width = 100)]
#[command(after_help = "Train all networks and look at what came out:

  quintet-trainer train all --data-dir data-sets
  quintet-trainer evaluate models/cnn/1 --data-dir data-sets
  ls runs/cnn        # curves.png  confusion.png  images.png  metrics.jsonl ...

Exit codes: 0 done, 1 failed, 2 wrong flags or recipe, 130 stopped by Ctrl-C or SIGTERM.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// ONNX Runtime's shared library; it verifies what is exported.
    #[arg(long, global = true, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    #[arg(default_value = "libonnxruntime.so", hide_env_values = true)]
    pub onnxruntime: PathBuf,
    /// Threads that libtorch and ONNX Runtime compute with. More can be faster, but add up in
    /// another order, so the same seed gives slightly other weights; the committed models were made
    /// with one.
    #[arg(long, global = true, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, judge it on the test samples and write its bundle.
    Train(Train),
    /// Judge a bundle on the test samples, through ONNX Runtime.
    Evaluate(Evaluate),
    /// Write the bundle of a run, from its best epoch so far, or of a bundle in int8.
    Export(Export),
    /// Import a model that was trained elsewhere, prove it and write its bundle.
    Import(Import),
}

/// Flags of `train`.
#[derive(Debug, Args)]
pub struct Train {
    /// The network, or `all` for one after the other.
    #[arg(value_name = "ARCHITECTURE")]
    pub network: String,
    /// Where the data sets are.
    #[command(flatten)]
    pub data: DataDir,
    /// The images that a network learns from, if not its own.
    #[command(flatten)]
    pub images: Images,
    /// What training starts from.
    #[command(flatten)]
    pub init: Init,
    /// Where results go.
    #[command(flatten)]
    pub output: Output,
    /// `default`, `original` (as the original Keras program trained), or a TOML file.
    #[arg(long, value_name = "RECIPE", default_value = "default")]
    pub recipe: String,
    /// Passes over the training samples, instead of the recipe's.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Samples a step, instead of the recipe's.
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Seed of everything random, instead of the recipe's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where to train: `auto` takes CUDA where it works, `cuda:1` takes that device or fails.
    #[arg(long, value_name = "auto|cpu|cuda[:N]", default_value = "auto")]
    pub device: String,
    /// Go on where a killed or stopped run ended. The recipe and its flags must be the same; the
    /// weights will be those of a run that was never stopped. A network without a finished epoch
    /// starts anew.
    #[arg(long)]
    pub resume: bool,
}

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// The bundle's folder, for example models/cnn/1.
    #[arg(value_name = "BUNDLE_DIR")]
    pub bundle: PathBuf,
    /// Where the data sets are.
    #[command(flatten)]
    pub data: DataDir,
    /// Bundle of the CNN that judges a GAN's digits [default: the newest cnn beside BUNDLE_DIR].
    #[arg(long, value_name = "BUNDLE_DIR")]
    pub judge: Option<PathBuf>,
}

/// Flags of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The network, or `all`.
    #[arg(value_name = "ARCHITECTURE")]
    pub network: String,
    /// Where the data sets are.
    #[command(flatten)]
    pub data: DataDir,
    /// The images that a network learns from, if not its own.
    #[command(flatten)]
    pub images: Images,
    /// What training starts from.
    #[command(flatten)]
    pub init: Init,
    /// Whether the bundle computes in int8.
    #[command(flatten)]
    pub quantize: Quantize,
    /// The bundle of this network to write in int8, instead of a run's. It is judged by the test
    /// samples where --data-dir is there.
    #[arg(long, value_name = "BUNDLE_DIR", requires = "quantize")]
    pub from: Option<PathBuf>,
    /// With --from, judge by so many of the test samples, evenly spread, instead of all.
    #[arg(long, value_name = "N", requires = "from")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub test_samples: Option<u32>,
    /// Where results go.
    #[command(flatten)]
    pub output: Output,
}

/// Whether a bundle computes in int8.
#[derive(Debug, Clone, Copy, Args)]
pub struct Quantize {
    /// Compute the large products of a Transformer in int8, with a scale for each token and each
    /// output: about twice as fast on a CPU. An answer does not depend on the texts beside it.
    #[arg(long = "quantize", id = "quantize", value_name = "int8")]
    #[arg(value_parser = PossibleValuesParser::new(["int8"]).map(|_| Quantization::Int8))]
    pub quantization: Option<Quantization>,
    /// Whether that is refused or allowed on an x86 processor without VNNI, where sums can saturate
    /// and answers be wrong.
    #[arg(long, value_name = "WHAT", default_value = "refused")]
    pub int8_saturation: Saturation,
}

impl Quantize {
    /// What was asked for.
    ///
    /// # Errors
    /// This processor would give wrong answers.
    pub fn checked(self) -> Result<Option<Quantization>, SaturationError> {
        let products = Products::here_if(self.int8_saturation);
        if let Some(quantization) = self.quantization {
            quantization.check(products)?;
        }
        Ok(self.quantization)
    }
}

/// Where the data sets are.
#[derive(Debug, Args)]
pub struct DataDir {
    /// Folder with MNIST's four files, in it or in its subfolder `mnist`, those of Fashion-MNIST in
    /// its subfolder `fashion-mnist`, IMDB's archive aclImdb_v1.tar.gz, in it or in its subfolder
    /// `imdb`, and SST-2's train.tsv, in it or in its subfolder `sst2`. Files that are needed and
    /// missing are downloaded there.
    #[arg(long, value_name = "DIR", default_value = "data-sets")]
    pub data_dir: PathBuf,
}

/// The images that a network learns from.
#[derive(Debug, Args)]
pub struct Images {
    /// Train a classifier of images on these instead of its own; the run and the bundle are called
    /// NETWORK-DATASET.
    #[arg(long = "data", value_name = "DATASET")]
    #[arg(value_parser = PossibleValuesParser::new(data::IMAGES.map(|(name, _)| name)))]
    pub name: Option<String>,
}

/// What training starts from.
#[derive(Debug, Args)]
pub struct Init {
    /// Train the Transformer from this encoder instead of from random weights: a folder with
    /// config.json, model.safetensors and tokenizer.json of BERT, DistilBERT or RoBERTa. `minilm`
    /// is also found in .runtime, where `deploy/fetch.py minilm` puts it. The run and the bundle
    /// have the folder's name.
    #[arg(long = "init", value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Where results go.
#[derive(Debug, Args)]
pub struct Output {
    /// Where the bundle goes: DIR/NETWORK/VERSION.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models_dir: PathBuf,
    /// Version of the bundle; one that exists is replaced.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub model_version: u32,
    /// Where checkpoints, metrics and pictures go: DIR/NETWORK. An earlier run there is replaced,
    /// unless --resume is given. The reviews as tokens are kept in DIR/cache for the next run.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
    /// Bundle of the CNN that judges the GAN's digits, or of the text classifier that gives
    /// sentences a score [default: the newest cnn or minilm in --models-dir].
    #[arg(long, value_name = "BUNDLE_DIR")]
    pub judge: Option<PathBuf>,
    /// Digits that each epoch of the GAN, and its bundle, are judged by. The Fréchet distance of
    /// fewer is larger, so only those of as many can be compared.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=60_000))]
    pub judged: u32,
}

/// Runs the command line of this process for `networks`. Call it first in `main`: it changes the
/// environment, which no other thread may use meanwhile.
pub fn main(networks: &[&'static Architecture]) -> ExitCode {
    // `ort`'s own switch comes after ONNX Runtime's telemetry has started.
    #[expect(unsafe_code, reason = "a variable of the environment is set")]
    // SAFETY: a program calls this first, while it has one thread.
    unsafe {
        std::env::set_var("ORT_DISABLE_TELEMETRY", "1");
    }
    let error = match run(std::env::args_os(), networks, &mut io::stdout().lock()) {
        Ok(Ending::Finished) => return ExitCode::SUCCESS,
        Ok(Ending::Stopped) => return ExitCode::from(STOPPED),
        Err(error) => error,
    };
    // A closed standard error cannot be reported.
    match error {
        Error::Arguments(error) => {
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        }
        // `| head` has read enough: end as quietly as a program that SIGPIPE ended.
        error if error.is_closed_pipe() => ExitCode::from(141),
        error => {
            let _ = writeln!(io::stderr(), "quintet-trainer: {error}");
            ExitCode::from(if matches!(error, Error::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}

/// Does what `args`, the program's name first, say for `networks`, with results on `out`.
pub fn run(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    networks: &[&'static Architecture],
    out: &mut dyn Write,
) -> Result<Ending, Error> {
    let matches = command(networks).try_get_matches_from(args)?;
    run::run(&Cli::from_arg_matches(&matches)?, networks, out)
}

// The flags, with the names of `networks` as the values of `NETWORK`.
fn command(networks: &[&'static Architecture]) -> clap::Command {
    let values = networks
        .iter()
        .map(|it| PossibleValue::new(it.name).help(it.summary));
    let all = PossibleValue::new(ALL).help("All of them");
    let parser = PossibleValuesParser::new(values.chain([all]).collect::<Vec<_>>());
    ["train", "export"]
        .into_iter()
        .fold(Cli::command(), |command, name| {
            command.mut_subcommand(name, |it| {
                it.mut_arg("network", |it| it.value_parser(parser.clone()))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::NETWORKS;

    #[test]
    fn the_flags_are_consistent() {
        command(&NETWORKS).debug_assert();
    }
}
