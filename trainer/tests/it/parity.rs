//! Exported graphs against libtorch, with random weights.

use quintet_trainer::data::Samples;
use quintet_trainer::evaluate::probabilities;
use quintet_trainer::export::{Precision, export};
use quintet_trainer::models::Architecture;
use quintet_trainer::network::Network;
use quintet_trainer::release::TOLERANCE;
use quintet_trainer::verify::compare;
use tch::{Device, Kind, Tensor};

use crate::support::{alone, runtime, samples};

const TEXTS: [Architecture; 2] = [Architecture::SimpleRnn, Architecture::Lstm];

fn network(architecture: Architecture) -> Network {
    tch::manual_seed(11);
    let network = Network::new(architecture, Device::Cpu);
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
fn served(network: &Network, precision: Precision, samples: &Samples) -> Vec<f32> {
    let model = export(network, precision).unwrap().to_bytes();
    let mut loaded = runtime().model(&model).unwrap();
    loaded.probabilities(samples).unwrap()
}

#[test]
fn parameter_counts_and_shapes() {
    let _turn = alone();
    for architecture in Architecture::CLASSIFIERS {
        let network = network(architecture);
        assert_eq!(
            network.parameters(),
            architecture.parameters(),
            "{architecture}"
        );
        let samples = samples(architecture, 7, 1);
        let shape: &[i64] = match architecture {
            Architecture::Mlp | Architecture::Cnn => &[7, 10],
            Architecture::SimpleRnn | Architecture::Lstm => &[7],
            Architecture::Gan => unreachable!("it does not classify"),
        };
        let given = network.output(&samples.inputs);
        assert_eq!(given.size(), shape, "{architecture}");
        let logits = network.forward(&samples.inputs);
        assert_eq!(logits.size(), shape, "{architecture}");
    }
    let counts = Architecture::CLASSIFIERS.map(Architecture::parameters);
    assert_eq!(counts, [109_386, 225_034, 1_294_465, 1_331_521]);
}

#[test]
fn graphs_give_what_libtorch_gives() {
    let _turn = alone();
    for architecture in Architecture::CLASSIFIERS {
        for precision in [Precision::Float32, Precision::Float16] {
            let mut network = network(architecture);
            if precision == Precision::Float16 {
                network.round_to_half();
            }
            for count in [1, 7] {
                let samples = samples(architecture, count, 5);
                let expected = probabilities(&network, &samples);
                let actual = served(&network, precision, &samples);
                compare(&expected, &actual, TOLERANCE)
                    .unwrap_or_else(|error| panic!("{architecture} {precision:?}: {error}"));
                let range = |from: f32, it: &f32| from.max(*it);
                let highest = expected.iter().fold(0.0, range);
                let lowest = 1.0
                    - expected
                        .iter()
                        .map(|it| 1.0 - it)
                        .fold(0.0, |a, b| range(a, &b));
                assert!(
                    count == 1 || highest - lowest > 0.01,
                    "{architecture}: too even to prove anything: {expected:?}"
                );
            }
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
        let network = network(architecture);
        let model = export(&network, Precision::Float32).unwrap().to_bytes();
        let mut loaded = runtime().model(&model).unwrap();
        let texts = samples(architecture, 9, 4);
        let expected = loaded.probabilities(&texts).unwrap();
        let torch = |texts: &Samples| Vec::<f32>::try_from(network.output(&texts.inputs)).unwrap();
        for (width, filler) in [(20, 0), (20, 77), (33, 5), (200, 9_999)] {
            // Not through a slice, which would cut the padding off.
            let texts = padded(&texts, width, filler);
            let difference = compare(&expected, &torch(&texts), 1e-5);
            assert!(difference.is_ok(), "{architecture} {width}: {difference:?}");
            let difference = compare(&expected, &loaded.run(&texts.inputs).unwrap(), 1e-5);
            assert!(difference.is_ok(), "{architecture} {width}: {difference:?}");
        }
        for row in 0..9 {
            let alone = texts.select(&[row]);
            let here = &expected[row as usize..=row as usize];
            compare(here, &loaded.probabilities(&alone).unwrap(), 1e-5).unwrap();
            compare(here, &torch(&alone), 1e-5).unwrap();
        }
    }
}

#[test]
fn float16_halves_the_file_and_hardly_moves_the_answers() {
    let _turn = alone();
    for architecture in Architecture::CLASSIFIERS {
        let network = network(architecture);
        let full = export(&network, Precision::Float32).unwrap().to_bytes();
        let half = export(&network, Precision::Float16).unwrap().to_bytes();
        assert!(
            half.len() < full.len() * 51 / 100,
            "{} of {}",
            half.len(),
            full.len()
        );
        let samples = samples(architecture, 3, 6);
        let expected = probabilities(&network, &samples);
        let actual = served(&network, Precision::Float16, &samples);
        compare(&expected, &actual, 0.05).unwrap();
    }
}

#[test]
fn a_graph_that_differs_is_caught() {
    let _turn = alone();
    for architecture in Architecture::CLASSIFIERS {
        let mut network = network(architecture);
        let samples = samples(architecture, 5, 7);
        let actual = served(&network, Precision::Float32, &samples);
        network.round_to_half();
        for (_, mut weight) in network.weights() {
            let _ = tch::no_grad(|| weight.g_mul_scalar_(1.01));
        }
        let expected = probabilities(&network, &samples);
        assert!(
            compare(&expected, &actual, TOLERANCE).is_err(),
            "{architecture}"
        );
    }
}
