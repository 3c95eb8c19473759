//! The GAN: its layers against their graphs, its judge, its training and its bundle.

use std::cell::Cell;
use std::path::Path;

use quintet_bundle::{Bundle, Provenance, task};
use quintet_trainer::checkpoint::Checkpoint;
use quintet_trainer::error::Error;
use quintet_trainer::export::export;
use quintet_trainer::fit::{Ending, Fit, fit};
use quintet_trainer::layers::Layer;
use quintet_trainer::models::gan::discriminator;
use quintet_trainer::models::{CNN, GAN};
use quintet_trainer::network::Network;
use quintet_trainer::recipe::{Adversarial, Recipe, Tuning};
use quintet_trainer::run_folder::RunFolder;
use quintet_trainer::task::Setting;
use quintet_trainer::task::exam::TOLERANCE;
use quintet_trainer::task::generation::quality::noise_of;
use quintet_trainer::task::generation::{Judge, parity};
use tch::{Device, Kind, Tensor, nn};

use crate::commands::{text, trainer};
use crate::support::{alone, digits, network, runtime, samples, write_idx};

const JUDGED: usize = 40;
const CNN_BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/cnn/1");

/// A generator as training leaves it: no weight, and no running mean, has the value that it starts
/// with.
fn generator() -> Network {
    tch::manual_seed(11);
    let network = network(&GAN);
    tch::no_grad(|| {
        for (name, mut weight) in network.weights() {
            let noise = Tensor::randn_like(&weight) * 0.1;
            let _ = weight.g_add_(&noise);
            if name.ends_with("running_var") {
                let _ = weight.abs_();
            }
        }
    });
    network
}

fn cnn_bundle() -> Bundle {
    Bundle::open(Path::new(CNN_BUNDLE)).unwrap()
}

fn judge() -> Judge {
    let test = samples(&CNN, 60, 2);
    Judge::new(&cnn_bundle(), &test, Device::Cpu).unwrap()
}

#[test]
fn sizes_are_those_of_the_original() {
    let _turn = alone();
    let network = generator();
    assert_eq!(network.parameters(), 2_305_472);
    let noise = noise_of(1, 0, 3);
    let images = network.forward(&[noise.shallow_clone()]);
    assert_eq!(
        (images.size(), images.kind()),
        (vec![3, 28, 28], Kind::Float)
    );
    let pixels = network.output(&[noise]);
    assert_eq!(
        (pixels.size(), pixels.kind()),
        (vec![3, 28, 28], Kind::Uint8)
    );

    let store = nn::VarStore::new(Device::Cpu);
    let discriminator = discriminator(&store.root());
    let weights = store.trainable_variables();
    assert_eq!(weights.iter().map(Tensor::numel).sum::<usize>(), 212_865);
    assert_eq!(discriminator.forward_t(&images, true).size(), [3, 1]);
}

#[test]
fn the_graph_draws_what_libtorch_draws() {
    let _turn = alone();
    let mut network = generator();
    network.round_as_stored();
    let drawn = network.output(&[noise_of(0, 0, 100)]).to_kind(Kind::Float);
    let spread = drawn.std(true).double_value(&[]);
    assert!(spread > 10.0, "too even to prove anything: {spread}");
    let model = export(&network).unwrap().to_bytes();
    parity(&network, &mut runtime().model(&model).unwrap()).unwrap();
}

// A difference of a fortieth of a grey level cannot be seen in the levels themselves, but in where
// they change.
#[test]
fn a_graph_that_draws_otherwise_is_caught() {
    let _turn = alone();
    let mut network = generator();
    network.round_as_stored();
    let model = export(&network).unwrap().to_bytes();
    let mut loaded = runtime().model(&model).unwrap();
    for (name, mut weight) in network.weights() {
        if name == "conv3.weight" {
            let _ = tch::no_grad(|| weight.g_mul_scalar_(1.001));
        }
    }
    let error = parity(&network, &mut loaded).unwrap_err();
    let Error::Parity(message) = error else {
        panic!("another error: {error}");
    };
    let expected = format!("at a pixel in -1..=1, allowed: {TOLERANCE:e}");
    assert!(message.ends_with(&expected), "{message}");
}

#[test]
fn the_judge_is_the_cnn_of_the_bundle() {
    let judge = judge();
    // Its own reference: no distance, whatever it thinks of the images.
    let test = samples(&CNN, 60, 2);
    let quality = judge.judge(&test.inputs[0]);
    assert!(quality.frechet_distance.abs() < 1e-3, "{quality:?}");
    assert_eq!(quality.digits.iter().sum::<u64>(), 60);

    // The golden samples of the bundle are the ten digits in type, which the CNN reads.
    let cnn = cnn_bundle();
    let typed = cnn.golden().inputs["pixels"].to_vec::<u8>().unwrap();
    let quality = judge.judge(&Tensor::from_slice(&typed).reshape([10, 28, 28]));
    let given = Tensor::from_slice(
        &cnn.golden().outputs["probabilities"]
            .to_vec::<f32>()
            .unwrap(),
    );
    let given = given.reshape([10, 10]).argmax(1, false);
    for digit in 0..10 {
        let count = given.eq(digit).sum(Kind::Int64).int64_value(&[]);
        assert_eq!(quality.digits[digit as usize], count as u64, "{digit}");
    }

    let mlp = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mlp/1");
    let refused = Judge::new(&Bundle::open(&mlp).unwrap(), &test, Device::Cpu).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("architecture mlp, allowed: cnn"),
        "{refused}"
    );
}

fn recipe(seed: u64) -> Recipe {
    Recipe {
        seed,
        epochs: 3,
        batch_size: 8,
        // Slow on processors without bfloat16.
        precision: None,
        ..GAN.recipe()
    }
}

fn train(
    recipe: &Recipe,
    folder: &Path,
    resume: bool,
    should_stop: &dyn Fn() -> bool,
) -> Result<Ending, Error> {
    let run = if resume {
        RunFolder::open(folder)
    } else {
        RunFolder::create(folder, recipe)?
    };
    let train = samples(&CNN, 24, 1);
    let setting = Setting {
        train: &train,
        validation: &train,
        test: &samples(&CNN, 60, 2),
        dataset: GAN.dataset,
        device: Device::Cpu,
        judge: Some(Path::new(CNN_BUNDLE)),
        models_dir: folder,
        judged: JUDGED,
    };
    let exam = GAN.task.exam(&setting).unwrap();
    let job = Fit {
        architecture: &GAN,
        recipe,
        start: None,
        train: &train,
        exam: &*exam,
        device: Device::Cpu,
        run: &run,
        resume,
    };
    fit(&job, should_stop)
}

fn weights(folder: &Path) -> Vec<Vec<f32>> {
    let checkpoint = Checkpoint::read(&RunFolder::open(folder).last()).unwrap();
    let mut all = Vec::new();
    for part in ["weights", "average"] {
        let network = network(&GAN);
        checkpoint.restore(part, network.weights()).unwrap();
        for (_, weight) in network.weights() {
            all.push(Vec::try_from(weight.detach().flatten(0, -1)).unwrap());
        }
    }
    all
}

#[test]
fn a_stopped_run_goes_on_as_if_nothing_had_happened_and_seeds_differ() {
    let _turn = alone();
    let [whole, broken, other] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let never = || false;
    assert_eq!(
        train(&recipe(1), whole.path(), false, &never).unwrap(),
        Ending::Finished
    );

    // Three steps an epoch: stopped in the middle of the third epoch.
    let steps = Cell::new(0);
    let third_epoch = || steps.replace(steps.get() + 1) == 7;
    let ending = train(&recipe(1), broken.path(), false, &third_epoch);
    assert_eq!(ending.unwrap(), Ending::Stopped);
    assert_eq!(
        train(&recipe(1), broken.path(), true, &never).unwrap(),
        Ending::Finished
    );
    // A finished run has nothing to go on with.
    let asked = || panic!("no step is left");
    assert_eq!(
        train(&recipe(1), broken.path(), true, &asked).unwrap(),
        Ending::Finished
    );
    assert!(
        weights(whole.path()) == weights(broken.path()),
        "the stop left its mark"
    );

    train(&recipe(2), other.path(), false, &never).unwrap();
    assert!(
        weights(whole.path()) != weights(other.path()),
        "two seeds, one result"
    );

    let run = RunFolder::open(broken.path());
    let epochs = run.metrics().unwrap();
    assert_eq!(
        epochs.iter().map(|it| it.epoch).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    for it in &epochs {
        let digits = it.figures["quality"]["digits"].as_array().unwrap();
        let digits = digits.iter().map(|it| it.as_u64().unwrap());
        assert_eq!(digits.sum::<u64>(), JUDGED as u64);
        let sample = image::open(run.sample(it.epoch)).unwrap();
        assert!(sample.width() > 0);
    }
    // An epoch a row, of twenty images of 28 pixels, twice as large.
    let sheet = image::open(run.file("samples.png")).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (20 * 56, 3 * 56));
}

#[test]
fn tuning_leaves_the_norms_statistics_and_learning_moves_them() {
    let _turn = alone();
    let tuning = Tuning {
        part: 1.0,
        learning_rate: 1e-3,
        typical_part: 1.0,
        feature_matching: None,
    };
    for tuning in [None, Some(tuning)] {
        let folder = tempfile::tempdir().unwrap();
        let is_tuned = tuning.is_some();
        let recipe = Recipe {
            epochs: 1,
            adversarial: Some(Adversarial {
                tuning,
                ..Adversarial::default()
            }),
            ..recipe(1)
        };
        train(&recipe, folder.path(), false, &|| false).unwrap();
        let checkpoint = Checkpoint::read(&RunFolder::open(folder.path()).last()).unwrap();
        let network = network(&GAN);
        checkpoint.restore("weights", network.weights()).unwrap();
        let weights = network.weights().into_iter();
        let means: Vec<_> = weights
            .filter(|(name, _)| name.ends_with("running_mean"))
            .collect();
        assert_eq!(means.len(), 3);
        for (name, mean) in means {
            // They start at 0.
            let moved = mean.abs().max().double_value(&[]) > 0.0;
            assert_eq!(moved, !is_tuned, "{name}");
        }
    }
}

#[test]
fn training_writes_a_bundle_that_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_idx(folder.path(), "train", &digits(48, 1));
    write_idx(folder.path(), "t10k", &digits(60, 2));
    let (models, runs) = (path("models"), path("runs"));
    let common = [
        "--data-dir",
        text(folder.path()),
        "--models-dir",
        text(&models),
        "--runs-dir",
        text(&runs),
    ];

    let alone = trainer(&[&["train", "gan"], &common[..]].concat());
    let message = String::from_utf8_lossy(&alone.stderr);
    assert!(
        !alone.status.success() && message.contains("--judge"),
        "{message}"
    );

    let small = [
        "--judge",
        CNN_BUNDLE,
        "--judged",
        "50",
        "--epochs",
        "1",
        "--batch-size",
        "16",
    ];
    let trained = trainer(&[&["train", "gan"], &common[..], &small[..]].concat());
    let message = String::from_utf8_lossy(&trained.stderr);
    assert!(trained.status.success(), "{message}");
    assert!(
        message.contains("epoch 1/1  loss of the generator"),
        "{message}"
    );
    let bundle = Bundle::open(&models.join("gan/1")).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.task, task::IMAGE_GENERATION);
    assert_eq!(manifest.parameters, 2_305_472);
    assert!(manifest.metrics["frechet_distance"] > 0.0);
    for file in [
        "curves.png",
        "samples.png",
        "samples/epoch-001.png",
        "metrics.jsonl",
    ] {
        assert!(runs.join("gan").join(file).exists(), "{file}");
    }

    // The recipe has no precision. A run chooses one, and keeps it when it is resumed, though the
    // other may be faster there.
    let recipe = |bundle: &Bundle| {
        let Provenance::Trained(training) = &bundle.manifest().provenance else {
            panic!("{:?}", bundle.manifest().provenance);
        };
        training.recipe.clone()
    };
    let [float32, bfloat16] = ["float32", "bfloat16"].map(|it| format!("precision = \"{it}\""));
    let chosen = recipe(&bundle);
    let (mine, other) = if chosen.contains(&float32) {
        (&float32, &bfloat16)
    } else {
        (&bfloat16, &float32)
    };
    assert!(chosen.contains(mine), "{chosen}");
    let file = runs.join("gan/recipe.toml");
    let of_run = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, of_run.replace(mine, other)).unwrap();
    let again = ["--resume", "--model-version", "2"];
    let resumed = trainer(&[&["train", "gan"], &common[..], &small[..], &again].concat());
    let message = String::from_utf8_lossy(&resumed.stderr);
    assert!(resumed.status.success(), "{message}");
    let bundle = Bundle::open(&models.join("gan/2")).unwrap();
    assert!(recipe(&bundle).contains(other), "{}", recipe(&bundle));
}
