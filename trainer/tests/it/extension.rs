//! A network, a data set and a task of another crate, trained through the library.

use std::collections::BTreeMap;

use quintet_bundle::{Bundle, DataType, Dim, TensorSpec};
use quintet_trainer::cli;
use quintet_trainer::data::{Dataset, Loaded, Samples, Source};
use quintet_trainer::error::Error;
use quintet_trainer::fit::Ending;
use quintet_trainer::layers::{Linear, RELU, Sequential};
use quintet_trainer::models::{Architecture, NETWORKS};
use quintet_trainer::random::SplitMix64;
use quintet_trainer::task::classification::Classification;
use tch::Tensor;

use crate::commands::text;
use crate::support::alone;

/// Points of the plane; the class is the quadrant.
#[derive(Debug)]
struct Quadrants;

static POINTS: Classification = Classification {
    name: "image_classification",
    pictures: &[],
};

static TOY: Architecture = Architecture {
    name: "toy",
    summary: "Toy network",
    recipe: "architecture = \"toy\"\nepochs = 30\nbatch_size = 16\nseed = 1\n\
             validation_fraction = 0.2\n[optimizer]\nlearning_rate = 1e-2\nweight_decay = 0.0\n",
    original_recipe: None,
    tables: &[],
    dataset: &Quadrants,
    task: &POINTS,
    build: |vs, _| {
        let hidden = Linear::new(vs, "fc1", 2, 16);
        let layers = Sequential::default().then(hidden).then(RELU);
        Box::new(layers.then(Linear::new(vs, "fc2", 16, 4)))
    },
};

fn points(count: usize, seed: u64) -> Samples {
    let mut random = SplitMix64::new(seed);
    let values: Vec<f32> = (0..2 * count).map(|_| random.unit() as f32 - 0.5).collect();
    let quadrant = |point: &[f32]| i64::from(point[0] > 0.0) + 2 * i64::from(point[1] > 0.0);
    let labels: Vec<i64> = values.chunks(2).map(quadrant).collect();
    Samples {
        inputs: vec![Tensor::from_slice(&values).reshape([-1, 2])],
        labels: Tensor::from_slice(&labels),
        texts: None,
    }
}

impl Dataset for Quadrants {
    fn name(&self) -> &'static str {
        "quadrants"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["south west", "south east", "north west", "north east"]
    }

    fn inputs(&self) -> Vec<TensorSpec> {
        let shape = [Dim::from("N"), Dim::Fixed(2)];
        vec![TensorSpec::new("point", DataType::Float32, shape)]
    }

    fn load(&self, _: &Source<'_>) -> Result<Loaded, Error> {
        Ok(Loaded {
            further: None,
            taught: None,
            train: points(400, 1),
            test: points(100, 2),
            preprocessing: None,
            golden: points(5, 3).inputs,
            files: BTreeMap::new(),
        })
    }

    fn load_test(&self, _: &Source<'_>, _: &Bundle) -> Result<Samples, Error> {
        Ok(points(100, 2))
    }
}

#[test]
fn another_crates_network_is_trained_released_and_evaluated() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (models, runs) = (path("models"), path("runs"));
    let places = [
        "--data-dir",
        text(folder.path()),
        "--models-dir",
        text(&models),
    ];
    let places = [&places[..], &["--runs-dir", text(&runs)]].concat();
    let networks = [&NETWORKS[..], &[&TOY]].concat();
    let run = |arguments: &[&str]| {
        let mut out = Vec::new();
        let arguments = [&["trainer"], arguments].concat();
        let ending = cli::run(arguments, &networks, &mut out);
        ending.map(|ending| (ending, String::from_utf8(out).unwrap()))
    };
    let train = [&["train", "toy", "--device", "cpu"], &places[..]].concat();
    let (ending, report) = run(&train).unwrap();
    assert_eq!(ending, Ending::Finished);
    assert!(report.contains("toy: best epoch"), "{report}");
    let bundle = Bundle::open(&models.join("toy/1")).unwrap();
    assert_eq!(bundle.manifest().labels.len(), 4);
    let outputs = &bundle.golden().outputs["probabilities"];
    assert_eq!(outputs.shape(), [5, 4]);

    // Each command may run again in the same process.
    let bundle_dir = models.join("toy/1");
    let data = ["--data-dir", text(folder.path())];
    let (_, report) = run(&[&["evaluate", text(&bundle_dir)], &data[..]].concat()).unwrap();
    assert!(
        report.starts_with("toy version 1, 100 test samples"),
        "{report}"
    );
    run(&[&train[..], &["--resume"]].concat()).unwrap();

    let refused = run(&[&train[..], &["--recipe", "original"]].concat()).unwrap_err();
    assert_eq!(refused.to_string(), "recipe is original, but toy has none");
    let unknown = run(&["train", "vgg"]).unwrap_err().to_string();
    assert!(unknown.contains("gan, toy, all"), "{unknown}");
}
