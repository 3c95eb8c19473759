//! Training learns, repeats itself, and goes on after a stop as if nothing had happened.

use std::path::Path;

use quintet_data::mnist::{self, Split};
use quintet_trainer::checkpoint::Checkpoint;
use quintet_trainer::data::Samples;
use quintet_trainer::evaluate::Evaluation;
use quintet_trainer::fit::{Ending, Fit, FitError, fit, read_best};
use quintet_trainer::models::Architecture;
use quintet_trainer::network::Network;
use quintet_trainer::progress::Progress;
use quintet_trainer::recipe::Recipe;
use quintet_trainer::run_folder::RunFolder;
use quintet_trainer::stop::Stop;
use tch::Device;

use crate::support::{samples, small_recipe};

fn train(recipe: &Recipe, folder: &Path, stop: &Stop, resume: bool) -> Result<Ending, FitError> {
    let (train, validation) = samples(120, 1).split(0.2, recipe.seed);
    let run = if resume {
        RunFolder::resume(folder, recipe)?
    } else {
        RunFolder::create(folder, recipe)?
    };
    fit(&Fit {
        recipe,
        train: &train,
        validation: &validation,
        device: Device::Cpu,
        run: &run,
        resume,
        stop,
        progress: Progress::Silent,
    })
}

/// The weights after the last epoch, of the network and of its average.
fn weights(recipe: &Recipe, folder: &Path) -> Vec<Vec<f32>> {
    let checkpoint = Checkpoint::read(&RunFolder::open(folder).last()).unwrap();
    let mut all = Vec::new();
    for part in ["weights", "average"] {
        let network = Network::new(recipe.architecture, Device::Cpu);
        checkpoint.restore(part, network.weights()).unwrap();
        for (_, weight) in network.weights() {
            all.push(Vec::try_from(weight.detach().flatten(0, -1)).unwrap());
        }
    }
    all
}

// libtorch's random generator belongs to the process, so tests that need its draws take turns.
// A thread that panicked has left nothing behind that another could trip over.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // Small networks on a busy machine: threads would mostly wait for each other.
    tch::set_num_threads(1);
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn thirty_two_images_are_learned_by_heart() {
    let _turn = alone();
    for architecture in Architecture::ALL {
        let mut recipe = Recipe::original(architecture);
        recipe.epochs = 60;
        recipe.batch_size = 8;
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path(), &recipe).unwrap();
        let few = samples(32, 3);
        let ending = fit(&Fit {
            recipe: &recipe,
            train: &few,
            validation: &few,
            device: Device::Cpu,
            run: &run,
            resume: false,
            stop: &Stop::default(),
            progress: Progress::Silent,
        });
        assert_eq!(ending.unwrap(), Ending::Finished);
        let (network, _) = read_best(&run, &recipe).unwrap();
        let evaluation = Evaluation::of(&network, &few);
        assert_eq!(
            evaluation.confusion.correct(),
            32,
            "{architecture}: {evaluation}"
        );
        assert!(
            evaluation.loss < 0.05,
            "{architecture}: {}",
            evaluation.loss
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_others() {
    let _turn = alone();
    for architecture in Architecture::ALL {
        let train_with = |seed| {
            let recipe = Recipe {
                seed,
                epochs: 2,
                ..small_recipe(architecture)
            };
            let folder = tempfile::tempdir().unwrap();
            train(&recipe, folder.path(), &Stop::default(), false).unwrap();
            weights(&recipe, folder.path())
        };
        assert!(
            train_with(1) == train_with(1),
            "{architecture}: one seed, two results"
        );
        assert!(
            train_with(1) != train_with(2),
            "{architecture}: two seeds, one result"
        );
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let _turn = alone();
    let recipe = small_recipe(Architecture::Mlp);
    let whole = tempfile::tempdir().unwrap();
    train(&recipe, whole.path(), &Stop::default(), false).unwrap();

    // What a kill after the second epoch leaves: the files of a run that is two epochs old, and
    // the beginnings of a third.
    let broken = tempfile::tempdir().unwrap();
    let run = RunFolder::create(broken.path(), &recipe).unwrap();
    let (training, validation) = samples(120, 1).split(0.2, recipe.seed);
    let stop = Stop::default();
    let two = StopAfter {
        run: &run,
        epochs: 2,
    };
    two.fit(&recipe, &training, &validation, &stop);
    assert_eq!(run.metrics().unwrap().len(), 2);
    std::fs::OpenOptions::new()
        .append(true)
        .open(run.file("metrics.jsonl"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"epoch\":3,"))
        .unwrap();

    let ending = train(&recipe, broken.path(), &Stop::default(), true).unwrap();
    assert_eq!(ending, Ending::Finished);
    assert!(weights(&recipe, whole.path()) == weights(&recipe, broken.path()));
    let losses = |folder: &Path| -> Vec<(u32, f64)> {
        let metrics = RunFolder::open(folder).metrics().unwrap();
        metrics
            .iter()
            .map(|it| (it.epoch, it.validation_loss))
            .collect()
    };
    assert_eq!(losses(whole.path()), losses(broken.path()));
    let best = |folder: &Path| read_best(&RunFolder::open(folder), &recipe).unwrap().1;
    assert_eq!(best(whole.path()), best(broken.path()));
}

/// Runs a fit and asks it to stop once `epochs` epochs are on disk.
struct StopAfter<'a> {
    run: &'a RunFolder,
    epochs: usize,
}

impl StopAfter<'_> {
    fn fit(&self, recipe: &Recipe, train: &Samples, validation: &Samples, stop: &Stop) {
        let path = self.run.file("metrics.jsonl");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let lines = || std::fs::read_to_string(&path).map_or(0, |it| it.lines().count());
                while lines() < self.epochs {
                    std::thread::yield_now();
                }
                stop.request();
            });
            let ending = fit(&Fit {
                recipe,
                train,
                validation,
                device: Device::Cpu,
                run: self.run,
                resume: false,
                stop,
                progress: Progress::Silent,
            });
            assert_eq!(ending.unwrap(), Ending::Stopped);
        });
    }
}

#[test]
fn a_stopped_run_keeps_its_best_epoch() {
    let _turn = alone();
    let recipe = small_recipe(Architecture::Mlp);
    let folder = tempfile::tempdir().unwrap();
    train(&recipe, folder.path(), &Stop::default(), false).unwrap();
    let run = RunFolder::open(folder.path());
    let best = std::fs::read(run.best()).unwrap();

    let stop = Stop::default();
    stop.request();
    // All epochs are done, so there is nothing left to stop.
    assert_eq!(
        train(&recipe, folder.path(), &stop, true).unwrap(),
        Ending::Finished
    );
    assert_eq!(std::fs::read(run.best()).unwrap(), best);
}

#[test]
fn a_split_without_training_images_is_refused() {
    let recipe = small_recipe(Architecture::Mlp);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &recipe).unwrap();
    let (train, validation) = samples(2, 1).split(0.9, 1);
    let error = fit(&Fit {
        recipe: &recipe,
        train: &train,
        validation: &validation,
        device: Device::Cpu,
        run: &run,
        resume: false,
        stop: &Stop::default(),
        progress: Progress::Silent,
    });
    let message = error.unwrap_err().to_string();
    assert!(
        message.starts_with("0 training and 2 validation images"),
        "{message}"
    );
}

#[test]
fn one_epoch_on_real_digits() {
    let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
        return;
    };
    let _turn = alone();
    let load = |split| {
        let digits = mnist::load(Path::new(&data_dir), split).unwrap();
        Samples::from_digits(&digits, Device::Cpu)
    };
    let recipe = Recipe {
        epochs: 1,
        ..Recipe::original(Architecture::Mlp)
    };
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &recipe).unwrap();
    let (train, validation) = load(Split::Train).split(0.2, 1);
    fit(&Fit {
        recipe: &recipe,
        train: &train,
        validation: &validation,
        device: Device::Cpu,
        run: &run,
        resume: false,
        stop: &Stop::default(),
        progress: Progress::Silent,
    })
    .unwrap();
    let (network, _) = read_best(&run, &recipe).unwrap();
    let accuracy = Evaluation::of(&network, &load(Split::Test)).accuracy();
    assert!(accuracy > 0.9, "{accuracy}");
}
