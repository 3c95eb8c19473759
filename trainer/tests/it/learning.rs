//! Training learns, repeats itself, and goes on after a stop as if nothing had happened.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;

use quintet_data::mnist::{self, Split};
use quintet_trainer::checkpoint::Checkpoint;
use quintet_trainer::data::Samples;
use quintet_trainer::error::Error;
use quintet_trainer::evaluate::Evaluation;
use quintet_trainer::fit::{Ending, Fit, fit, read_best};
use quintet_trainer::models::{Architecture, MLP};
use quintet_trainer::network::Network;
use quintet_trainer::recipe::Recipe;
use quintet_trainer::run_folder::RunFolder;
use quintet_trainer::task::Setting;
use tch::Device;

use crate::support::{CLASSIFIERS, alone, network, outputs, samples, small_recipe};

const NEVER: &dyn Fn() -> bool = &|| false;

/// Starts a run in `folder`, or goes on with the one that is there.
#[expect(clippy::too_many_arguments, reason = "each test varies another one")]
fn train(
    architecture: &'static Architecture,
    recipe: &Recipe,
    (train, validation): &(Samples, Samples),
    folder: &Path,
    resume: bool,
    should_stop: &dyn Fn() -> bool,
) -> Result<Ending, Error> {
    let run = if resume {
        RunFolder::open(folder)
    } else {
        RunFolder::create(folder, recipe)?
    };
    let setting = Setting {
        train,
        validation,
        test: validation,
        dataset: architecture.dataset,
        device: Device::Cpu,
        judge: None,
        models_dir: folder,
        judged: 0,
    };
    let exam = architecture.task.exam(&setting).unwrap();
    let job = Fit {
        architecture,
        recipe,
        start: None,
        train,
        exam: &*exam,
        device: Device::Cpu,
        run: &run,
        resume,
    };
    fit(&job, should_stop)
}

/// 96 samples to train on, so six steps of 16, and 24 to validate.
fn split(architecture: &Architecture) -> (Samples, Samples) {
    samples(architecture, 120, 1).split(0.2, 1)
}

/// The weights after the last epoch, of the network and of its average.
fn weights(architecture: &'static Architecture, folder: &Path) -> Vec<Vec<f32>> {
    let checkpoint = Checkpoint::read(&RunFolder::open(folder).last()).unwrap();
    let mut all = Vec::new();
    for part in ["weights", "average"] {
        let network = network(architecture);
        checkpoint.restore(part, network.weights()).unwrap();
        for (_, weight) in network.weights() {
            all.push(Vec::try_from(weight.detach().flatten(0, -1)).unwrap());
        }
    }
    all
}

fn best(architecture: &'static Architecture, recipe: &Recipe, folder: &Path) -> (Network, u32) {
    read_best(&RunFolder::open(folder), architecture, recipe).unwrap()
}

fn evaluate(network: &Network, samples: &Samples) -> Evaluation {
    let output = outputs(network, samples).flatten(0, -1);
    Evaluation::new(
        &Vec::<f32>::try_from(output).unwrap(),
        &samples.label_values(),
    )
}

#[test]
fn thirty_two_samples_are_learned_by_heart() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        // Nothing that keeps a network from learning by heart.
        let mut recipe = architecture.original().unwrap_or_else(|| Recipe {
            augmentation: None,
            averaging: None,
            loss: None,
            sequence_dropout: None,
            ..architecture.recipe()
        });
        recipe.epochs = 60;
        recipe.batch_size = 8;
        let folder = tempfile::tempdir().unwrap();
        let same = (samples(architecture, 32, 3), samples(architecture, 32, 3));
        let ending = train(architecture, &recipe, &same, folder.path(), false, NEVER);
        assert_eq!(ending.unwrap(), Ending::Finished);
        let evaluation = evaluate(&best(architecture, &recipe, folder.path()).0, &same.0);
        let right = evaluation.confusion.correct();
        assert_eq!(right, 32, "{architecture}: {evaluation:?}");
        let loss = evaluation.loss;
        assert!(loss < 0.05, "{architecture}: {loss}");
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_others() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        let train_with = |seed| {
            let recipe = small_recipe(architecture);
            let recipe = Recipe {
                seed,
                epochs: 2,
                ..recipe
            };
            let folder = tempfile::tempdir().unwrap();
            train(
                architecture,
                &recipe,
                &split(architecture),
                folder.path(),
                false,
                NEVER,
            )
            .unwrap();
            weights(architecture, folder.path())
        };
        let first = train_with(1);
        assert!(
            first == train_with(1),
            "{architecture}: one seed, two results"
        );
        assert!(
            first != train_with(2),
            "{architecture}: two seeds, one result"
        );
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        let recipe = small_recipe(architecture);
        let whole = tempfile::tempdir().unwrap();
        train(
            architecture,
            &recipe,
            &split(architecture),
            whole.path(),
            false,
            NEVER,
        )
        .unwrap();

        // Stopped in the middle of the third epoch, as it writes its metrics.
        let broken = tempfile::tempdir().unwrap();
        let steps = Cell::new(0);
        let third_epoch = || steps.replace(steps.get() + 1) == 15;
        let ending = train(
            architecture,
            &recipe,
            &split(architecture),
            broken.path(),
            false,
            &third_epoch,
        );
        assert_eq!(ending.unwrap(), Ending::Stopped);
        let run = RunFolder::open(broken.path());
        assert_eq!(run.metrics().unwrap().len(), 2);
        let metrics = run.file("metrics.jsonl");
        let mut metrics = std::fs::OpenOptions::new()
            .append(true)
            .open(metrics)
            .unwrap();
        metrics.write_all(b"{\"epoch\":3,").unwrap();
        // It can be used as it is.
        assert!(best(architecture, &recipe, broken.path()).1 <= 2);

        let ending = train(
            architecture,
            &recipe,
            &split(architecture),
            broken.path(),
            true,
            NEVER,
        );
        assert_eq!(ending.unwrap(), Ending::Finished);
        let (whole, broken) = (whole.path(), broken.path());
        assert!(
            weights(architecture, whole) == weights(architecture, broken),
            "{architecture}"
        );
        let losses = |folder: &Path| -> Vec<(u32, f64)> {
            let metrics = RunFolder::open(folder).metrics().unwrap();
            metrics
                .iter()
                .map(|it| (it.epoch, it.number("validation_loss")))
                .collect()
        };
        assert_eq!(losses(whole), losses(broken), "{architecture}");
        assert_eq!(
            best(architecture, &recipe, whole).1,
            best(architecture, &recipe, broken).1,
            "{architecture}"
        );
    }
}

#[test]
fn a_finished_run_has_nothing_left_to_stop() {
    let _turn = alone();
    let recipe = small_recipe(&MLP);
    let folder = tempfile::tempdir().unwrap();
    train(&MLP, &recipe, &split(&MLP), folder.path(), false, NEVER).unwrap();
    let before = weights(&MLP, folder.path());
    let ending = train(&MLP, &recipe, &split(&MLP), folder.path(), true, &|| true);
    assert_eq!(ending.unwrap(), Ending::Finished);
    assert!(before == weights(&MLP, folder.path()));
}

#[test]
fn a_split_without_training_samples_is_refused() {
    let recipe = small_recipe(&MLP);
    let folder = tempfile::tempdir().unwrap();
    let none_left = samples(&MLP, 2, 1).split(0.9, 1);
    let error = train(&MLP, &recipe, &none_left, folder.path(), false, NEVER);
    let message = error.unwrap_err().to_string();
    assert!(
        message.starts_with("0 training and 2 validation samples"),
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
    let mut recipe = MLP.original().unwrap();
    recipe.epochs = 1;
    let folder = tempfile::tempdir().unwrap();
    let data = load(Split::Train).split(0.2, 1);
    train(&MLP, &recipe, &data, folder.path(), false, NEVER).unwrap();
    let (network, _) = best(&MLP, &recipe, folder.path());
    let accuracy = evaluate(&network, &load(Split::Test)).accuracy();
    assert!(accuracy > 0.9, "{accuracy}");
}
