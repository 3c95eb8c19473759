//! What each command does.

mod evaluate;
mod quantize;

use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use quintet_bundle::Quantization;
use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer};
use tch::Device;

use crate::cli::{ALL, Cli, Command, Images, Init, Output, Train};
use crate::data::dataset::Teaching;
use crate::data::{Loaded, Samples, Source};
use crate::device;
use crate::error::Error;
use crate::fit::{Ending, Fit, Start, fit};
use crate::import::import;
use crate::models::{Architecture, transformer};
use crate::network::Network;
use crate::precision::Precision;
use crate::pretrained::Pretrained;
use crate::progress;
use crate::recipe::Recipe;
use crate::release::{Release, release};
use crate::run_folder::RunFolder;
use crate::stop;
use crate::task::Setting;
use crate::teacher;
use crate::verify::Runtime;

/// Where `deploy/fetch.py` puts what it fetches.
const FETCHED: &str = ".runtime";

/// The model that gives sentences a score, if --judge names no other.
const TEACHER: &str = "minilm";

/// A network, and how to train it.
type Job = (&'static Architecture, Recipe);

/// What training and releasing need.
struct Session<'a> {
    pretrained: Option<Pretrained>,
    output: &'a Output,
    data_dir: &'a Path,
    device: Device,
    runtime: Runtime,
    quantization: Option<Quantization>,
    out: &'a mut dyn Write,
}

/// What to do with a network.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// Train it, from its last checkpoint if `resume` says so and there is one, and release it.
    Train { resume: bool },
    /// Release it.
    Export,
}

/// Does what the command line says for `networks`, with results on `out`.
pub fn run(
    cli: &Cli,
    networks: &[&'static Architecture],
    out: &mut dyn Write,
) -> Result<Ending, Error> {
    tch::set_num_threads(i32::from(cli.threads));
    let runtime = || Runtime::load(&cli.onnxruntime, usize::from(cli.threads));
    // Whatever can be wrong is found before the first epoch, not after the last one.
    let mut quantization = None;
    let (jobs, pretrained, output, data, device, work) = match &cli.command {
        Command::Train(args) => {
            let pretrained = pretrained(&args.init)?;
            let networks = chosen(networks, &args.network, &args.images, pretrained.as_ref())?;
            let (device, resume) = (device::resolve(&args.device)?, args.resume);
            let jobs = jobs(networks, |it| recipe(args, it, device))?;
            let work = Work::Train { resume };
            (jobs, pretrained, &args.output, &args.data, device, work)
        }
        Command::Export(args) => {
            quantization = args.quantize.checked()?;
            if let Some(from) = &args.from {
                quantize::quantize(args, from, networks, &runtime()?, out)?;
                return Ok(Ending::Finished);
            }
            let run = |name| RunFolder::open(&args.output.runs_dir.join(name));
            let pretrained = pretrained(&args.init)?;
            let networks = chosen(networks, &args.network, &args.images, pretrained.as_ref())?;
            let jobs = jobs(networks, |it| run(it.name).recipe(it))?;
            if quantization.is_some() {
                let fresh = |(it, recipe): &Job| Network::new(it, recipe, Device::Cpu).quantize();
                jobs.iter().try_for_each(fresh)?;
            }
            let (output, data) = (&args.output, &args.data);
            (jobs, pretrained, output, data, Device::Cpu, Work::Export)
        }
        Command::Evaluate(args) => {
            evaluate::evaluate(args, networks, &runtime()?, out)?;
            return Ok(Ending::Finished);
        }
        Command::Import(args) => {
            import(args, &runtime()?, out)?;
            return Ok(Ending::Finished);
        }
    };
    if let Some(pretrained) = &pretrained {
        jobs.iter().try_for_each(|(_, it)| pretrained.check(it))?;
    }
    let mut session = Session {
        pretrained,
        output,
        data_dir: &data.data_dir,
        device,
        runtime: runtime()?,
        quantization,
        out,
    };
    let data = session.load(&jobs)?;
    if let Command::Train(args) = &cli.command {
        stop::on_signals()?;
        let chosen = match args.device.as_str() {
            device::AUTO => " (chosen by auto)",
            _ => "",
        };
        progress::line(&format!("device {}{chosen}", device::name(device)));
    }
    for (job, data) in jobs.iter().zip(&data) {
        if session.work(job, data, work)? == Ending::Stopped {
            return Ok(Ending::Stopped);
        }
    }
    Ok(Ending::Finished)
}

fn pretrained(init: &Init) -> Result<Option<Pretrained>, Error> {
    let Some(folder) = &init.folder else {
        return Ok(None);
    };
    let fetched = Path::new(FETCHED).join(folder);
    let folder = if folder.exists() { folder } else { &fetched };
    if !folder.is_dir() {
        let given = init.folder.as_deref().unwrap_or(folder).display();
        let allowed = format!("a folder, or one that deploy/fetch.py made in {FETCHED}");
        return Err(Error::value("--init", given, &allowed));
    }
    Pretrained::open(folder).map(Some)
}

// The networks called `name`, which may be all of them, for the images that they learn from and the
// encoder that they start from.
fn chosen(
    networks: &[&'static Architecture],
    name: &str,
    images: &Images,
    encoder: Option<&Pretrained>,
) -> Result<Vec<&'static Architecture>, Error> {
    let all = networks.iter().copied();
    let chosen = all.filter(|it| name == ALL || name == it.name);
    let network = |it: &'static Architecture| match (&images.name, encoder) {
        (Some(data), _) => it.trained_on(data),
        (None, Some(encoder)) => transformer::pretrained(it, encoder),
        (None, None) => Ok(it),
    };
    chosen.map(network).collect()
}

fn jobs(
    networks: Vec<&'static Architecture>,
    recipe: impl Fn(&Architecture) -> Result<Recipe, Error>,
) -> Result<Vec<Job>, Error> {
    let job = |it: &'static Architecture| Ok((it, recipe(it)?));
    networks.into_iter().map(job).collect()
}

fn recipe(args: &Train, architecture: &Architecture, device: Device) -> Result<Recipe, Error> {
    let none = || Error::Usage(format!("recipe is original, but {architecture} has none"));
    let mut recipe = match args.recipe.as_str() {
        "default" => architecture.recipe(),
        "original" => architecture.original().ok_or_else(none)?,
        path => Recipe::read(Path::new(path), architecture)?,
    };
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch_size = args.batch_size.unwrap_or(recipe.batch_size);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.validate(architecture)?;
    if recipe.precision.is_none() && architecture.tables.contains(&"precision") {
        let run = RunFolder::open(&args.output.runs_dir.join(architecture.name));
        let resumed = args.resume && run.last().exists();
        recipe.precision = if resumed {
            run.recipe(architecture)?.precision
        } else {
            Some(Precision::of_device(device))
        };
    }
    Ok(recipe)
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
        return Ok(());
    }
    let shown = data_dir.display();
    Err(Error::value("--data-dir", shown, "an existing folder"))
}

impl Session<'_> {
    // The data of each job. What is the same for several is read once.
    fn load(&self, jobs: &[Job]) -> Result<Vec<Rc<Loaded>>, Error> {
        check_data_dir(self.data_dir)?;
        let cache = self.output.runs_dir.join("cache");
        let key = |(it, recipe): &Job| {
            let has_sentences = recipe.sentences.is_some();
            let taught = recipe.distillation.map(|it| (it.sentences, it.negations));
            (it.dataset.name(), recipe.tokenizer(), has_sentences, taught)
        };
        let mut all: Vec<Rc<Loaded>> = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let distillation = job
                .1
                .distillation
                .filter(|it| it.sentences + it.negations > 0);
            let teacher = distillation.map(|_| {
                let (judge, models) = (self.output.judge.as_deref(), &self.output.models_dir);
                teacher::find(judge, models, TEACHER, "sentences get a score")
            });
            let teacher = teacher.transpose()?;
            let source = Source {
                data_dir: self.data_dir,
                cache: &cache,
                device: self.device,
                tokenizer: job.1.tokenizer(),
                has_sentences: job.1.sentences.is_some(),
                pretrained: self.pretrained.as_ref(),
                teaching: teacher
                    .as_ref()
                    .zip(distillation)
                    .map(|(bundle, it)| Teaching {
                        sentences: it.sentences,
                        negations: it.negations,
                        seed: job.1.seed,
                        bundle,
                        runtime: &self.runtime,
                    }),
            };
            let same = jobs[..index].iter().position(|it| key(it) == key(job));
            all.push(match same {
                Some(same) => Rc::clone(&all[same]),
                None => Rc::new(job.0.dataset.load(&source)?),
            });
        }
        Ok(all)
    }

    // Trains, if asked to, and releases.
    fn work(
        &mut self,
        (architecture, recipe): &Job,
        data: &Loaded,
        work: Work,
    ) -> Result<Ending, Error> {
        let split = |it: &Samples| it.split(recipe.validation_fraction, recipe.seed);
        let (mut train, mut validation) = split(&data.train);
        if let (Some((_, further)), Some(sentences)) = (&data.further, &recipe.sentences) {
            let (further, held_out) = split(further);
            train = train.followed_by(&further, sentences.repeat);
            validation = validation.followed_by(&held_out, 1);
        }
        if let Some(taught) = &data.taught {
            train = train.followed_by(taught, 1);
        }
        let tokenizer = data.files.get(TOKENIZER_FILE);
        let tokenizer = tokenizer.filter(|_| self.pretrained.is_some());
        let tokenizer = tokenizer.map(|it| Tokenizer::from_bytes(it)).transpose()?;
        let setting = Setting {
            train: &train,
            validation: &validation,
            test: &data.test,
            dataset: architecture.dataset,
            device: self.device,
            judge: self.output.judge.as_deref(),
            models_dir: &self.output.models_dir,
            judged: self.output.judged as usize,
        };
        let exam = architecture.task.exam(&setting)?;
        let folder = self.output.runs_dir.join(architecture.name);
        let run = RunFolder::open(&folder);
        let mut job = Fit {
            architecture,
            recipe,
            start: self
                .pretrained
                .as_ref()
                .zip(tokenizer.as_ref())
                .map(|(encoder, tokenizer)| Start { encoder, tokenizer }),
            train: &train,
            exam: &*exam,
            device: self.device,
            run: &run,
            resume: false,
        };
        if let Work::Train { resume } = work {
            job.resume = resume && job.run.is_resumable(architecture, recipe)?;
            if !job.resume {
                RunFolder::create(&folder, recipe)?;
            }
            let network = Network::new(architecture, recipe, Device::Cpu);
            progress::line(&format!(
                "{architecture}: {} parameters, {} training and {} validation {}, {}, {}",
                network.parameters(),
                train.len(),
                validation.len(),
                architecture.dataset.noun(),
                network.precision(),
                folder.display(),
            ));
            if fit(&job, &stop::is_requested)? == Ending::Stopped {
                progress::line(&stopped(job.run));
                return Ok(Ending::Stopped);
            }
        }
        let released = release(&Release {
            fit: &job,
            data,
            runtime: &self.runtime,
            models_dir: &self.output.models_dir,
            version: self.output.model_version,
            quantization: self.quantization,
        })?;
        let best = released.best_epoch;
        writeln!(self.out, "{architecture}: best epoch {best}\n")?;
        writeln!(self.out, "{}", released.report)?;
        writeln!(self.out, "pictures  {}", folder.display())?;
        writeln!(self.out, "bundle    {}", released.bundle.display())?;
        Ok(Ending::Finished)
    }
}
