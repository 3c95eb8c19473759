//! Exported graphs against libtorch, with random weights.

use quintet_trainer::evaluate::CLASSES;
use quintet_trainer::export::{Precision, export};
use quintet_trainer::models::Architecture;
use quintet_trainer::network::Network;
use quintet_trainer::release::TOLERANCE;
use quintet_trainer::verify::compare;
use tch::{Device, Kind, Tensor};

use crate::support::{SIDE, alone, runtime};

fn network(architecture: Architecture) -> Network {
    tch::manual_seed(11);
    let network = Network::new(architecture, Device::Cpu);
    // Biases start at zero; random ones show whether they are exported at all. Larger weights keep
    // the probabilities from all being about 0.1.
    tch::no_grad(|| {
        for (_, mut weight) in network.weights() {
            let noise = Tensor::randn_like(&weight) * 0.1;
            let _ = weight.g_add_(&noise);
        }
    });
    network
}

fn probabilities(network: &Network, pixels: &[u8]) -> Vec<f32> {
    let count = (pixels.len() / (SIDE * SIDE)) as i64;
    let pixels = Tensor::from_slice(pixels).reshape([count, SIDE as i64, SIDE as i64]);
    Vec::try_from(network.probabilities(&pixels).flatten(0, -1)).unwrap()
}

#[test]
fn parameter_counts_and_shapes() {
    let _turn = alone();
    for architecture in Architecture::ALL {
        let network = network(architecture);
        assert_eq!(
            network.parameters(),
            architecture.parameters(),
            "{architecture}"
        );
        let pixels = Tensor::zeros([7, 28, 28], (Kind::Uint8, Device::Cpu));
        let probabilities = network.probabilities(&pixels);
        assert_eq!(probabilities.size(), [7, CLASSES as i64], "{architecture}");
        assert_eq!(
            network.logits(&pixels).size(),
            [7, CLASSES as i64],
            "{architecture}"
        );
    }
    assert_eq!(Architecture::Mlp.parameters(), 109_386);
    assert_eq!(Architecture::Cnn.parameters(), 225_034);
}

#[test]
fn graphs_give_what_libtorch_gives() {
    let _turn = alone();
    for architecture in Architecture::ALL {
        for precision in [Precision::Float32, Precision::Float16] {
            let mut network = network(architecture);
            if precision == Precision::Float16 {
                network.round_to_half();
            }
            let model = export(&network, precision).unwrap().to_bytes();
            let mut loaded = runtime().model(&model).unwrap();
            for count in [1, 7] {
                let noise = Tensor::randint(
                    256,
                    [(count * SIDE * SIDE) as i64],
                    (Kind::Uint8, Device::Cpu),
                );
                let pixels = Vec::<u8>::try_from(noise).unwrap();
                let expected = probabilities(&network, &pixels);
                let actual = loaded.probabilities(&pixels).unwrap();
                assert_eq!(actual.len(), count * CLASSES);
                let spread = expected.iter().fold(0.0_f32, |most, &it| most.max(it));
                assert!(
                    spread > 0.2,
                    "{architecture}: too even to prove anything: {expected:?}"
                );
                compare(&expected, &actual, TOLERANCE)
                    .unwrap_or_else(|error| panic!("{architecture} {precision:?}: {error}"));
            }
        }
    }
}

#[test]
fn float16_halves_the_file_and_hardly_moves_the_answers() {
    let _turn = alone();
    for architecture in Architecture::ALL {
        let network = network(architecture);
        let full = export(&network, Precision::Float32).unwrap().to_bytes();
        let half = export(&network, Precision::Float16).unwrap().to_bytes();
        assert!(
            half.len() < full.len() * 51 / 100,
            "{} of {}",
            half.len(),
            full.len()
        );
        let pixels: Vec<u8> = (0..SIDE * SIDE).map(|place| (place % 251) as u8).collect();
        let expected = probabilities(&network, &pixels);
        let mut loaded = runtime().model(&half).unwrap();
        compare(&expected, &loaded.probabilities(&pixels).unwrap(), 0.05).unwrap();
    }
}

#[test]
fn a_graph_that_differs_is_caught() {
    let _turn = alone();
    let mut network = network(Architecture::Mlp);
    let model = export(&network, Precision::Float32).unwrap().to_bytes();
    network.round_to_half();
    for (_, mut weight) in network.weights() {
        let _ = tch::no_grad(|| weight.g_mul_scalar_(1.01));
    }
    let pixels = vec![200; SIDE * SIDE];
    let actual = runtime()
        .model(&model)
        .unwrap()
        .probabilities(&pixels)
        .unwrap();
    assert!(compare(&probabilities(&network, &pixels), &actual, TOLERANCE).is_err());
}
