//! The committed classifiers' accuracy on the 10,000 test images of their data, over the wire.

use std::path::Path;

use quintet_bundle::{Bundle, task};
use quintet_client::{ClassifyRequest, Client, Framing, Image};
use quintet_data::fashion_mnist;
use quintet_data::mnist::{self, Digits, Split};
use quintet_e2e::server;

use crate::support::{committed_models, data_dir};

/// The labels of MNIST.
pub(crate) const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The model's accuracy on the first `count` images, whose classes are called `names`.
pub(crate) async fn accuracy(
    client: &Client,
    model: &str,
    (set, names): (&Digits, [&str; 10]),
    count: usize,
) -> f64 {
    let mut right = 0;
    for start in (0..count).step_by(200) {
        let rows = start..(start + 200).min(count);
        let pictures = rows
            .clone()
            .map(|index| Image::raw(28, 28, 1, set.image(index).to_vec()));
        let asked = ClassifyRequest::new(pictures)
            .model(model)
            .framing(Framing::None)
            .label_unreadable();
        let answer = client
            .classify(asked)
            .await
            .expect("a good request is answered");
        right += rows
            .zip(&answer.predictions)
            .filter(|(index, prediction)| {
                let top = prediction.top().expect("one label was asked for");
                top.name == names[usize::from(set.labels[*index])]
            })
            .count();
    }
    right as f64 / count as f64
}

/// The least accuracy of each committed classifier of images.
const LEAST: [(&str, f64); 4] = [
    ("mlp", 0.9890),
    ("cnn", 0.9945),
    ("resnet", 0.9965),
    ("fashion", 0.9450),
];

#[tokio::test]
async fn the_classifiers_keep_their_word() {
    let Some(data) = data_dir() else { return };
    let digits = mnist::load(&data, Split::Test).expect("QUINTET_DATA_DIR holds MNIST");
    for bundle in committed() {
        let manifest = bundle.manifest();
        if manifest.task != task::IMAGE_CLASSIFICATION {
            continue;
        }
        let model = &*manifest.name;
        let least = LEAST.iter().find(|(name, _)| *name == model);
        let (_, least) = least.unwrap_or_else(|| panic!("{model} has no least accuracy here"));
        let garments = (model == "fashion").then(|| {
            let set = fashion_mnist::load(&data, Split::Test);
            set.expect("QUINTET_DATA_DIR holds Fashion-MNIST")
        });
        let set = match &garments {
            Some(garments) => (garments, fashion_mnist::LABELS),
            None => (&digits, DIGITS),
        };
        assert_eq!(set.0.len(), 10_000);
        let models = committed_models(&[model]).expect("models/ has it");
        let server = server().models_dir(models.as_ref()).start().await;
        let accuracy = accuracy(&server.client().await, model, set, 10_000).await;
        assert!(accuracy >= *least, "{model}: {accuracy}, promised {least}");
        let recorded = manifest.metrics["test_accuracy"];
        assert!(
            (accuracy - recorded).abs() < 3e-4,
            "{model}: {accuracy}, not {recorded}"
        );
    }
}

/// The committed bundles.
fn committed() -> Vec<Bundle> {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
    let found = quintet_bundle::discover(Path::new(models)).expect("models/ can be read");
    let bundles = found.iter().map(|it| Bundle::open(&it.path));
    bundles
        .map(|it| it.expect("a committed bundle is whole"))
        .collect()
}

/// Most bytes that the committed models may take together.
const REPOSITORY: u64 = 32_000_000;
/// The most accuracy that storing the weights in 16 bits may cost.
const HALF_PRECISION_COSTS: f64 = 0.0005;

#[test]
fn the_committed_models_are_small_and_lose_nothing_by_it() {
    let all = committed();
    assert!(!all.is_empty());
    let mut bytes = 0;
    for bundle in all {
        let manifest = bundle.manifest();
        bytes += manifest.files.values().map(|file| file.bytes).sum::<u64>();
        let metrics = &manifest.metrics;
        let pair = (
            metrics.get("test_accuracy"),
            metrics.get("test_accuracy_float32"),
        );
        if let (Some(stored), Some(trained)) = pair {
            let loss = trained - stored;
            assert!(loss <= HALF_PRECISION_COSTS, "{}: {loss}", manifest.name);
        }
    }
    assert!(bytes <= REPOSITORY, "{bytes} bytes, allowed: {REPOSITORY}");
}
