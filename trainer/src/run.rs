//! What each command does.

mod gan;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, BundleError, Task};
use tch::Device;
use thiserror::Error;

use crate::cli::{Cli, Command, Evaluate, Export, Output, RecipeChoice, Train};
use crate::data::dataset::DatasetError;
use crate::data::{Dataset, Loaded};
use crate::device::{self, DeviceChoice, DeviceError};
use crate::evaluate::Evaluation;
use crate::fit::{Ending, Fit, FitError, fit};
use crate::gan::{AdversarialFit, JudgeError};
use crate::models::Architecture;
use crate::progress::Progress;
use crate::recipe::{Recipe, RecipeError};
use crate::release::{Release, ReleaseError, release};
use crate::run_folder::{RunError, RunFolder};
use crate::stop::Stop;
use crate::verify::{Runtime, VerifyError};

/// Why a command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// There is no such folder.
    #[error("--data-dir is {0}, allowed: an existing folder")]
    NoDataDir(PathBuf),
    /// The data cannot be read or downloaded.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The bundle's task has no data here.
    #[error("{0}: its task is none that the trainer has data for")]
    Task(PathBuf),
    /// The bundle's tokeniser cannot be used.
    #[error("{path}: {source}")]
    Tokenizer {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        source: TokenizerError,
    },
    /// The run's files cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Training failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// There is no CNN to judge the GAN's digits.
    #[error(
        "the GAN's digits are judged by a CNN, and there is none in {0}: train it first, or name a \
         bundle with --judge"
    )]
    NoJudge(PathBuf),
    /// The bundle cannot judge the GAN's digits.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// No bundle was written.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime cannot be had or fails.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Signals cannot be listened to.
    #[error("signals: {0}")]
    Signals(#[from] ctrlc::Error),
    /// Standard output is closed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Does what the command line says, with results on `out`.
pub fn run(cli: &Cli, out: &mut impl Write) -> Result<Ending, CommandError> {
    tch::set_num_threads(i32::from(cli.threads));
    match &cli.command {
        Command::Train(args) => train(cli, args, out),
        Command::Evaluate(args) => evaluate(cli, args, out),
        Command::Export(args) => export(cli, args, out),
    }
}

fn train(cli: &Cli, args: &Train, out: &mut impl Write) -> Result<Ending, CommandError> {
    let progress = Progress::detect();
    // Whatever can be wrong is found before the first epoch, not after the last one.
    let architectures = args.architecture.architectures();
    let recipes = architectures.iter().map(|&it| recipe(args, it));
    let recipes = recipes.collect::<Result<Vec<_>, _>>()?;
    let device = args.device.resolve()?;
    let runtime = runtime(cli)?;
    let data = load(&args.data_dir, &args.output, architectures, device)?;
    let stop = Stop::on_signals()?;

    let chosen = if args.device == DeviceChoice::Auto {
        " (chosen by auto)"
    } else {
        ""
    };
    progress.line(&format!("device {}{chosen}", device::name(device)));
    for recipe in &recipes {
        let folder = args.output.runs_dir.join(recipe.architecture.as_str());
        let resumed = if args.resume {
            RunFolder::resume(&folder, recipe)?
        } else {
            None
        };
        let resume = resumed.is_some();
        let run = resumed.map_or_else(|| RunFolder::create(&folder, recipe), Ok)?;
        let data = of_architecture(&data, recipe.architecture);
        let (train, validation) = data.train.split(recipe.validation_fraction, recipe.seed);
        progress.line(&format!(
            "{}: {} parameters, {} training and {} validation {}, {}",
            recipe.architecture,
            recipe.architecture.parameters(),
            train.len(),
            validation.len(),
            data.dataset.noun(),
            folder.display(),
        ));
        if recipe.architecture == Architecture::Gan {
            let judge = gan::judge(
                args.output.judge.as_deref(),
                &args.output.models_dir,
                &data.test,
                device,
            )?;
            let job = AdversarialFit {
                recipe,
                train: &data.train,
                judge: &judge,
                judged: args.output.judged as usize,
                device,
                run: &run,
                resume,
                progress,
            };
            if crate::gan::fit(&job, &|| stop.is_requested())? == Ending::Stopped {
                progress.line(&stopped(&run));
                return Ok(Ending::Stopped);
            }
            gan::finish(&args.output, &run, recipe, data, &judge, &runtime, out)?;
            continue;
        }
        let job = Fit {
            recipe,
            train: &train,
            validation: &validation,
            device,
            run: &run,
            resume,
            progress,
        };
        let ending = fit(&job, &|| stop.is_requested())?;
        if ending == Ending::Stopped {
            progress.line(&stopped(&run));
            return Ok(ending);
        }
        finish(&args.output, &run, recipe, train.len(), data, &runtime, out)?;
    }
    Ok(Ending::Finished)
}

fn stopped(run: &RunFolder) -> String {
    let best = run.best();
    if best.exists() {
        let best = best.display();
        format!(
            "stopped; the best epoch so far is in {best}; --resume goes on, `export` bundles it"
        )
    } else {
        "stopped before the first epoch was done".to_owned()
    }
}

fn export(cli: &Cli, args: &Export, out: &mut impl Write) -> Result<Ending, CommandError> {
    let runtime = runtime(cli)?;
    let architectures = args.architecture.architectures();
    let data = load(&args.data_dir, &args.output, architectures, Device::Cpu)?;
    for &architecture in architectures {
        let run = RunFolder::open(&args.output.runs_dir.join(architecture.as_str()));
        let recipe = run.recipe()?;
        let data = of_architecture(&data, architecture);
        if architecture == Architecture::Gan {
            let asked = args.output.judge.as_deref();
            let judge = gan::judge(asked, &args.output.models_dir, &data.test, Device::Cpu)?;
            gan::finish(&args.output, &run, &recipe, data, &judge, &runtime, out)?;
            continue;
        }
        let (train, _) = data.train.split(recipe.validation_fraction, recipe.seed);
        finish(
            &args.output,
            &run,
            &recipe,
            train.len(),
            data,
            &runtime,
            out,
        )?;
    }
    Ok(Ending::Finished)
}

fn evaluate(cli: &Cli, args: &Evaluate, out: &mut impl Write) -> Result<Ending, CommandError> {
    let runtime = runtime(cli)?;
    let bundle = Bundle::open(&args.bundle)?;
    let manifest = bundle.manifest();
    let dataset = match manifest.task {
        Task::ImageClassification | Task::ImageGeneration => Dataset::Mnist,
        Task::TextClassification => Dataset::Imdb,
        _ => return Err(CommandError::Task(args.bundle.clone())),
    };
    let tokenizer = bundle.file(TOKENIZER_FILE).map(Tokenizer::from_bytes);
    let tokenizer = tokenizer
        .transpose()
        .map_err(|source| CommandError::Tokenizer {
            path: args.bundle.clone(),
            source,
        })?;
    check_data_dir(&args.data_dir)?;
    let test = dataset.load_test(&args.data_dir, tokenizer.as_ref(), Progress::detect())?;
    if manifest.task == Task::ImageGeneration {
        // Without --judge, the CNN beside it: models/gan/1 is judged by models/cnn/1.
        let models_dir = args.bundle.join("../..");
        let judge = gan::judge(args.judge.as_deref(), &models_dir, &test, Device::Cpu)?;
        gan::evaluate(&bundle, &judge, &runtime, out)?;
        return Ok(Ending::Finished);
    }
    let probabilities = runtime.model(bundle.model())?.probabilities(&test)?;
    writeln!(
        out,
        "{} version {}, {} test {}\n",
        manifest.name,
        manifest.version,
        test.len(),
        dataset.noun(),
    )?;
    let evaluation = Evaluation::new(&probabilities, &test.label_values());
    writeln!(out, "{}", evaluation.report(&manifest.labels))?;
    Ok(Ending::Finished)
}

fn finish(
    output: &Output,
    run: &RunFolder,
    recipe: &Recipe,
    train_samples: usize,
    data: &Loaded,
    runtime: &Runtime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let released = release(&Release {
        run,
        recipe,
        train_samples,
        data,
        runtime,
        models_dir: &output.models_dir,
        version: output.model_version,
    })?;
    let percent = |evaluation: &Evaluation| 100.0 * evaluation.accuracy();
    writeln!(
        out,
        "{}: best epoch {}\n",
        recipe.architecture, released.best_epoch
    )?;
    writeln!(out, "{}", released.stored.report(data.dataset.labels()))?;
    writeln!(
        out,
        "float32 weights {:.2} %, float16 as stored {:.2} %, difference {:+.2} points",
        percent(&released.float32),
        percent(&released.stored),
        percent(&released.stored) - percent(&released.float32),
    )?;
    writeln!(
        out,
        "onnxruntime and libtorch differ by at most {:.1e}",
        released.difference
    )?;
    writeln!(out, "pictures  {}", run.path().display())?;
    writeln!(out, "bundle    {}", released.bundle.display())?;
    Ok(())
}

fn recipe(args: &Train, architecture: Architecture) -> Result<Recipe, RecipeError> {
    let mut recipe = match &args.recipe {
        RecipeChoice::Default => Recipe::built_in(architecture),
        RecipeChoice::Original => Recipe::original(architecture),
        RecipeChoice::File(path) => Recipe::read(path, architecture)?,
    };
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch_size = args.batch_size.unwrap_or(recipe.batch_size);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.validate()?;
    Ok(recipe)
}

fn runtime(cli: &Cli) -> Result<Runtime, VerifyError> {
    Runtime::load(&cli.onnxruntime, usize::from(cli.threads))
}

// Reads each data set that `architectures` learn from, once.
fn load(
    data_dir: &Path,
    output: &Output,
    architectures: &[Architecture],
    device: Device,
) -> Result<Vec<Loaded>, CommandError> {
    check_data_dir(data_dir)?;
    let mut data: Vec<Loaded> = Vec::new();
    for dataset in architectures.iter().map(|it| it.dataset()) {
        if data.iter().all(|loaded| loaded.dataset != dataset) {
            data.push(dataset.load(data_dir, &output.cache(), device, Progress::detect())?);
        }
    }
    Ok(data)
}

fn of_architecture(data: &[Loaded], architecture: Architecture) -> &Loaded {
    data.iter()
        .find(|loaded| loaded.dataset == architecture.dataset())
        .expect("`load` was given every architecture")
}

fn check_data_dir(data_dir: &Path) -> Result<(), CommandError> {
    if data_dir.is_dir() {
        Ok(())
    } else {
        Err(CommandError::NoDataDir(data_dir.to_owned()))
    }
}

// === impl CommandError ===

impl CommandError {
    /// Whether the user can mend it by other flags or another recipe.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Recipe(_)
                | Self::Device(_)
                | Self::NoDataDir(_)
                | Self::NoJudge(_)
                | Self::Judge(JudgeError::Architecture { .. })
                | Self::Verify(VerifyError::Library { .. })
                | Self::Run(RunError::OtherRecipe { .. })
        )
    }

    /// Whether the reader of standard output has gone away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
