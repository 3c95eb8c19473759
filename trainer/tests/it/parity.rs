//! Exported graphs against libtorch, with random weights.

use quintet_onnx::Storage;
use quintet_trainer::data::Samples;
use quintet_trainer::export::export;
use quintet_trainer::models::{Architecture, LSTM, SIMPLE_RNN, TRANSFORMER};
use quintet_trainer::network::Network;
use quintet_trainer::recipe::Recipe;
use quintet_trainer::task::exam::TOLERANCE;
use quintet_trainer::verify::compare;
use tch::{Device, Kind, Tensor};

use crate::support::{CLASSIFIERS, alone, outputs, runtime, samples};

static TEXTS: [&Architecture; 3] = [&SIMPLE_RNN, &LSTM, &TRANSFORMER];

fn network(architecture: &'static Architecture) -> Network {
    stored_as(architecture.recipe().storage, architecture)
}

fn stored_as(storage: Storage, architecture: &'static Architecture) -> Network {
    tch::manual_seed(11);
    let recipe = Recipe {
        storage,
        ..architecture.recipe()
    };
    let network = Network::new(architecture, &recipe, Device::Cpu);
    // Biases start at zero; random ones show whether they are exported at all. Larger weights keep
    // the probabilities from all being about the same.
    tch::no_grad(|| {
        for (_, mut weight) in network.weights() {
            let noise = Tensor::randn_like(&weight) * 0.1;
            let _ = weight.g_add_(&noise);
        }
    });
    network
}

/// What ONNX Runtime gives for `samples`.
fn served(network: &Network, samples: &Samples) -> Tensor {
    let model = export(network).unwrap().to_bytes();
    let mut loaded = runtime().model(&model).unwrap();
    loaded
        .output(&samples.slice(0, samples.len()).inputs)
        .unwrap()
}

#[test]
fn parameter_counts_and_shapes() {
    let _turn = alone();
    let expected: [(u64, &[i64]); 6] = [
        (109_386, &[7, 10]),
        (225_034, &[7, 10]),
        (269_434, &[7, 10]),
        (1_294_465, &[7]),
        (1_331_521, &[7]),
        (1_355_777, &[7]),
    ];
    for (architecture, (parameters, shape)) in CLASSIFIERS.into_iter().zip(expected) {
        let network = network(architecture);
        assert_eq!(network.parameters(), parameters, "{architecture}");
        let samples = samples(architecture, 7, 1);
        let given = network.output(&samples.inputs);
        assert_eq!(given.size(), shape, "{architecture}");
        let logits = network.forward(&samples.inputs);
        assert_eq!(logits.size(), shape, "{architecture}");
    }
}

#[test]
fn graphs_give_what_libtorch_gives() {
    let _turn = alone();
    let half = CLASSIFIERS.map(|it| (it, Storage::Float16));
    let int8 = CLASSIFIERS.map(|it| (it, Storage::Int8));
    for (architecture, storage) in half.into_iter().chain(int8) {
        let mut network = stored_as(storage, architecture);
        network.round_as_stored();
        for count in [1, 7] {
            let samples = samples(architecture, count, 5);
            let expected = outputs(&network, &samples);
            let actual = served(&network, &samples);
            compare(&expected, &actual, TOLERANCE)
                .unwrap_or_else(|error| panic!("{architecture} {storage:?}: {error}"));
            let spread = (expected.max() - expected.min()).double_value(&[]);
            assert!(
                count == 1 || spread > 0.01,
                "{architecture}: too even to prove anything: {expected:?}"
            );
        }
    }
}

/// `texts` in rows of `width` tokens; behind each text stands `filler`.
fn padded(texts: &Samples, width: i64, filler: i64) -> Samples {
    let [tokens, lengths] = &texts.inputs[..] else {
        panic!("{texts:?} are not texts");
    };
    let (rows, old) = tokens.size2().unwrap();
    let wide = Tensor::zeros([rows, width], (Kind::Int64, Device::Cpu));
    let kept = old.min(width);
    wide.narrow(1, 0, kept).copy_(&tokens.narrow(1, 0, kept));
    let places = Tensor::arange(width, (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let behind = places.ge_tensor(&lengths.unsqueeze(1));
    Samples {
        inputs: vec![wide.masked_fill(&behind, filler), lengths.shallow_clone()],
        labels: texts.labels.shallow_clone(),
        texts: None,
    }
}

#[test]
fn a_text_is_judged_alike_alone_in_a_batch_and_at_every_padding() {
    let _turn = alone();
    for architecture in TEXTS {
        let mut network = network(architecture);
        network.round_as_stored();
        let model = export(&network).unwrap().to_bytes();
        let mut loaded = runtime().model(&model).unwrap();
        let texts = samples(architecture, 9, 4);
        let expected = loaded.output(&texts.inputs).unwrap();
        for (width, filler) in [(20, 0), (20, 77), (33, 5), (200, 9_999)] {
            // Not through a slice, which would cut the padding off.
            let texts = padded(&texts, width, filler);
            let difference = compare(&expected, &network.output(&texts.inputs), 1e-5);
            assert!(difference.is_ok(), "{architecture} {width}: {difference:?}");
            let difference = compare(&expected, &loaded.output(&texts.inputs).unwrap(), 1e-5);
            assert!(difference.is_ok(), "{architecture} {width}: {difference:?}");
        }
        for row in 0..9 {
            let alone = texts.select(&[row]);
            let here = expected.narrow(0, row, 1);
            compare(&here, &loaded.output(&alone.inputs).unwrap(), 1e-5).unwrap();
            compare(&here, &network.output(&alone.inputs), 1e-5).unwrap();
        }
    }
}

#[test]
fn rounding_gives_the_weights_that_the_file_holds() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        for storage in [Storage::Float16, Storage::Int8] {
            let mut network = stored_as(storage, architecture);
            let written = export(&network).unwrap();
            network.round_as_stored();
            let same = export(&network).unwrap() == written;
            assert!(same, "{architecture} {storage:?}");
        }
    }
}

#[test]
fn small_weights_make_a_small_file_and_hardly_move_the_answers() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        for (storage, size) in [(Storage::Float16, 2), (Storage::Int8, 1)] {
            let network = stored_as(storage, architecture);
            let bytes = export(&network).unwrap().to_bytes().len() as u64;
            let weights = size * network.parameters();
            // Nodes and names take most beside a small network of many layers, and scales beside
            // small kernels.
            let allowed = weights + (3 - size) * weights / 25 + 12_000 / size;
            assert!(bytes < allowed, "{architecture}: {bytes} for {weights}");
            let samples = samples(architecture, 3, 6);
            let expected = outputs(&network, &samples);
            let actual = served(&network, &samples);
            compare(&expected, &actual, 0.05).unwrap();
        }
    }
}

#[test]
fn a_graph_that_differs_is_caught() {
    let _turn = alone();
    for architecture in CLASSIFIERS {
        let mut network = network(architecture);
        let samples = samples(architecture, 5, 7);
        network.round_as_stored();
        let actual = served(&network, &samples);
        for (_, mut weight) in network.weights() {
            let _ = tch::no_grad(|| weight.g_mul_scalar_(1.01));
        }
        let expected = outputs(&network, &samples);
        assert!(
            compare(&expected, &actual, TOLERANCE).is_err(),
            "{architecture}"
        );
    }
}

#[test]
fn a_temperature_divides_the_logits_and_is_exported() {
    let _turn = alone();
    for architecture in &CLASSIFIERS[..3] {
        let network = stored_as(Storage::Float32, architecture);
        let samples = samples(architecture, 7, 3);
        let before = outputs(&network, &samples);
        network.divide_logits(0.5).unwrap();
        let expected = (before.log() / 0.5).softmax(-1, Kind::Float);
        for after in [outputs(&network, &samples), served(&network, &samples)] {
            let difference = (after - &expected).abs().max().double_value(&[]);
            assert!(difference < 1e-5, "{architecture}: {difference}");
        }
    }
}
