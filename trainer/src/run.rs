//! What each command does.

use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use quintet_bundle::Bundle;
use tch::Device;

use crate::cli::{Cli, Command, Evaluate, Export, Output, RecipeChoice, Train};
use crate::data::{Loaded, Source};
use crate::device::{self, DeviceChoice};
use crate::error::Error;
use crate::fit::{Ending, Fit, fit};
use crate::models::Architecture;
use crate::network::Network;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::release::{Release, release};
use crate::run_folder::RunFolder;
use crate::stop::Stop;
use crate::task::Setting;
use crate::verify::Runtime;

/// How many generated samples `evaluate` judges.
const JUDGED: usize = 10_000;

/// What all commands need.
struct Session<'a> {
    networks: &'a [&'static Architecture],
    runtime: Runtime,
    progress: Progress,
    out: &'a mut dyn Write,
}

/// A network to train or to release.
struct Job<'a> {
    architecture: &'static Architecture,
    recipe: Recipe,
    output: &'a Output,
    device: Device,
}

/// How to train before the release.
struct Training<'a> {
    resume: bool,
    stop: &'a Stop,
}

/// Does what the command line says for `networks`, with results on `out`.
pub fn run(
    cli: &Cli,
    networks: &[&'static Architecture],
    out: &mut dyn Write,
) -> Result<Ending, Error> {
    tch::set_num_threads(i32::from(cli.threads));
    // Whatever can be wrong is found before the first epoch, not after the last one.
    let jobs = match &cli.command {
        Command::Train(args) => train_jobs(args, networks)?,
        Command::Export(args) => export_jobs(args, networks)?,
        Command::Evaluate(_) => Vec::new(),
    };
    let mut session = Session {
        networks,
        runtime: Runtime::load(&cli.onnxruntime, usize::from(cli.threads))?,
        progress: Progress::detect(),
        out,
    };
    match &cli.command {
        Command::Train(args) => session.train(args, &jobs),
        Command::Export(args) => session.export(args, &jobs),
        Command::Evaluate(args) => session.evaluate(args),
    }
}

fn chosen(name: &str, networks: &[&'static Architecture]) -> Vec<&'static Architecture> {
    let all = networks.iter().copied();
    all.filter(|it| name == crate::cli::ALL || name == it.name)
        .collect()
}

fn train_jobs<'a>(
    args: &'a Train,
    networks: &[&'static Architecture],
) -> Result<Vec<Job<'a>>, Error> {
    let recipe = |architecture: &'static Architecture| {
        let mut recipe = match &args.recipe {
            RecipeChoice::Default => architecture.recipe(),
            RecipeChoice::Original => {
                let none = || format!("recipe is original, but {architecture} has none");
                architecture
                    .original()
                    .ok_or_else(|| Error::Usage(none()))?
            }
            RecipeChoice::File(path) => Recipe::read(path, architecture)?,
        };
        recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
        recipe.batch_size = args.batch_size.unwrap_or(recipe.batch_size);
        recipe.seed = args.seed.unwrap_or(recipe.seed);
        recipe.validate(architecture)?;
        Ok::<_, Error>((architecture, recipe))
    };
    let recipes = chosen(&args.network, networks).into_iter().map(recipe);
    let recipes = recipes.collect::<Result<Vec<_>, _>>()?;
    let device = args.device.resolve()?;
    let job = |(architecture, recipe)| Job {
        architecture,
        recipe,
        output: &args.output,
        device,
    };
    Ok(recipes.into_iter().map(job).collect())
}

fn export_jobs<'a>(
    args: &'a Export,
    networks: &[&'static Architecture],
) -> Result<Vec<Job<'a>>, Error> {
    let job = |architecture: &'static Architecture| {
        let run = RunFolder::open(&args.output.runs_dir.join(architecture.name));
        Ok(Job {
            architecture,
            recipe: run.recipe(architecture)?,
            output: &args.output,
            device: Device::Cpu,
        })
    };
    chosen(&args.network, networks)
        .into_iter()
        .map(job)
        .collect()
}

// === impl Session ===

impl Session<'_> {
    fn train(&mut self, args: &Train, jobs: &[Job<'_>]) -> Result<Ending, Error> {
        let data = self.load(&args.data.data_dir, jobs)?;
        let stop = Stop::on_signals()?;
        let chosen = match args.device {
            DeviceChoice::Auto => " (chosen by auto)",
            _ => "",
        };
        if let Some(job) = jobs.first() {
            let device = device::name(job.device);
            self.progress.line(&format!("device {device}{chosen}"));
        }
        let training = Training {
            resume: args.resume,
            stop: &stop,
        };
        for (job, data) in jobs.iter().zip(&data) {
            if self.work(job, data, Some(&training))? == Ending::Stopped {
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::Finished)
    }

    fn export(&mut self, args: &Export, jobs: &[Job<'_>]) -> Result<Ending, Error> {
        let data = self.load(&args.data.data_dir, jobs)?;
        for (job, data) in jobs.iter().zip(&data) {
            self.work(job, data, None)?;
        }
        Ok(Ending::Finished)
    }

    // Trains, if asked to, and releases.
    fn work(
        &mut self,
        job: &Job<'_>,
        data: &Loaded,
        training: Option<&Training<'_>>,
    ) -> Result<Ending, Error> {
        let Job {
            architecture,
            recipe,
            output,
            device,
        } = job;
        let (train, validation) = data.train.split(recipe.validation_fraction, recipe.seed);
        let setting = Setting {
            train: &train,
            validation: &validation,
            test: &data.test,
            labels: architecture
                .dataset
                .labels()
                .iter()
                .map(|&it| it.to_owned())
                .collect(),
            noun: architecture.dataset.noun(),
            device: *device,
            judge: output.judge.as_deref(),
            models_dir: &output.models_dir,
            judged: output.judged as usize,
        };
        let folder = output.runs_dir.join(architecture.name);
        let mut run = RunFolder::open(&folder);
        let exam;
        if let Some(training) = training {
            let resumed = match training.resume {
                true => RunFolder::resume(&folder, architecture, recipe)?,
                false => None,
            };
            let resume = resumed.is_some();
            run = resumed.map_or_else(|| RunFolder::create(&folder, recipe), Ok)?;
            self.progress.line(&format!(
                "{architecture}: {} parameters, {} training and {} validation {}, {}",
                Network::new(architecture, recipe, Device::Cpu).parameters(),
                train.len(),
                validation.len(),
                setting.noun,
                folder.display(),
            ));
            exam = architecture.task.exam(&setting)?;
            let job = Fit {
                architecture,
                recipe,
                train: &train,
                exam: &*exam,
                device: *device,
                run: &run,
                resume,
                progress: self.progress,
            };
            if fit(&job, &|| training.stop.is_requested())? == Ending::Stopped {
                self.progress.line(&stopped(&run));
                return Ok(Ending::Stopped);
            }
        } else {
            exam = architecture.task.exam(&setting)?;
        }
        let released = release(&Release {
            architecture,
            run: &run,
            recipe,
            train_samples: train.len(),
            data,
            exam: &*exam,
            runtime: &self.runtime,
            models_dir: &output.models_dir,
            version: output.model_version,
        })?;
        writeln!(
            self.out,
            "{architecture}: best epoch {}\n",
            released.best_epoch
        )?;
        writeln!(self.out, "{}", released.report)?;
        writeln!(self.out, "pictures  {}", run.path().display())?;
        writeln!(self.out, "bundle    {}", released.bundle.display())?;
        Ok(Ending::Finished)
    }

    fn evaluate(&mut self, args: &Evaluate) -> Result<Ending, Error> {
        let bundle = Bundle::open(&args.bundle)?;
        let manifest = bundle.manifest();
        let mut networks = self.networks.iter();
        let same = networks.clone().find(|it| it.name == manifest.architecture);
        let architecture = same
            .or_else(|| networks.find(|it| it.task.name() == manifest.task.as_str()))
            .ok_or_else(|| Error::file(&args.bundle)("no network of the trainer has its task"))?;
        check_data_dir(&args.data.data_dir)?;
        let source = Source {
            data_dir: &args.data.data_dir,
            cache: Path::new(""),
            device: Device::Cpu,
            tokenizer: architecture.recipe().tokenizer(),
            progress: self.progress,
        };
        let test = architecture.dataset.load_test(&source, &bundle)?;
        let none = test.slice(0, 0);
        let models_dir = args.bundle.join("../..");
        let exam = architecture.task.exam(&Setting {
            train: &none,
            validation: &none,
            test: &test,
            labels: manifest.labels.clone(),
            noun: architecture.dataset.noun(),
            device: Device::Cpu,
            judge: args.judge.as_deref(),
            // Without --judge, the CNN beside it: models/gan/1 is judged by models/cnn/1.
            models_dir: &models_dir,
            judged: JUDGED,
        })?;
        let verdict = exam.judge_model(&mut self.runtime.model(bundle.model())?)?;
        let (name, version) = (&manifest.name, manifest.version);
        writeln!(self.out, "{name} version {version}, {}\n", exam.subject())?;
        writeln!(self.out, "{}", verdict.report)?;
        Ok(Ending::Finished)
    }

    // The data of each job. What is the same for several is read once.
    fn load(&self, data_dir: &Path, jobs: &[Job<'_>]) -> Result<Vec<Rc<Loaded>>, Error> {
        check_data_dir(data_dir)?;
        let mut all: Vec<Rc<Loaded>> = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let key = |job: &Job<'_>| (job.architecture.dataset.name(), job.recipe.tokenizer());
            let same = jobs[..index].iter().position(|it| key(it) == key(job));
            let cache = job.output.cache();
            let source = Source {
                data_dir,
                cache: &cache,
                device: job.device,
                tokenizer: job.recipe.tokenizer(),
                progress: self.progress,
            };
            all.push(match same {
                Some(same) => Rc::clone(&all[same]),
                None => Rc::new(job.architecture.dataset.load(&source)?),
            });
        }
        Ok(all)
    }
}

fn stopped(run: &RunFolder) -> String {
    let best = run.best();
    if !best.exists() {
        return "stopped before the first epoch was done".to_owned();
    }
    let best = best.display();
    format!("stopped; the best epoch so far is in {best}; --resume goes on, `export` bundles it")
}

fn check_data_dir(data_dir: &Path) -> Result<(), Error> {
    if data_dir.is_dir() {
        Ok(())
    } else {
        Err(Error::value(
            "--data-dir",
            data_dir.display(),
            "an existing folder",
        ))
    }
}
