//! Residual networks: their weights by name and number, and their graphs against libtorch.

use quintet_onnx::{DataType, Dim, GraphBuilder, Value};
use quintet_trainer::export::export;
use quintet_trainer::layers::{Layer, Sequential};
use quintet_trainer::models::RESNET;
use quintet_trainer::models::resnet::{Depth, imagenet};
use tch::{Device, Kind, Tensor, nn};

use crate::support::{alone, network, outputs, runtime, samples};

/// Gives batch normalisations scales, shifts and statistics as training leaves them.
fn as_trained(variables: impl IntoIterator<Item = (String, Tensor)>) {
    tch::no_grad(|| {
        for (name, mut weight) in variables {
            let random = Tensor::rand_like(&weight);
            let values = match name.rsplit('.').next() {
                Some("running_var") => random * 1.5 + 0.5,
                Some("running_mean") => random - 0.5,
                _ if name.contains("bn") || name.contains("downsample.1") => random * 0.8 + 0.2,
                _ => continue,
            };
            weight.copy_(&values);
        }
    });
}

fn photographs(depth: Depth) -> (nn::VarStore, Sequential) {
    let store = nn::VarStore::new(Device::Cpu);
    let network = imagenet(&store.root(), depth, 1000);
    (store, network)
}

/// The input of a graph: as many normalised photographs of 64×64 pixels as there are.
fn photograph(graph: &mut GraphBuilder) -> Value {
    let shape = [Dim::symbol("N"), 3.into(), 64.into(), 64.into()];
    graph.input("images", DataType::Float32, shape).unwrap()
}

/// What the network's graph gives in ONNX Runtime for `images`.
fn served(network: &Sequential, images: &Tensor) -> Tensor {
    let mut graph = GraphBuilder::new("resnet");
    let x = photograph(&mut graph);
    let logits = network.export(&mut graph, &x).unwrap();
    graph.output("logits", &logits).unwrap();
    let model = graph.build(&[]).unwrap().to_bytes();
    let mut loaded = runtime().model(&model).unwrap();
    loaded.output(&[images.shallow_clone()]).unwrap()
}

#[track_caller]
fn agree(expected: &Tensor, actual: &Tensor) {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    let (scale, difference) = (largest(expected), largest(&(expected - actual)));
    let allowed = 1e-4 * scale.max(1.0);
    assert!(
        difference <= allowed,
        "{difference} beside logits of {scale}"
    );
    let spread = expected.std(true).double_value(&[]);
    assert!(spread > 0.01, "too even to prove anything: {spread}");
}

#[test]
fn weights_have_the_names_and_numbers_of_torchvision() {
    let _turn = alone();
    for (depth, parameters, tensors) in [
        (Depth::ResNet18, 11_689_512, 102),
        (Depth::ResNet34, 21_797_672, 182),
        (Depth::ResNet50, 25_557_032, 267),
        (Depth::ResNet101, 44_549_160, 522),
        (Depth::ResNet152, 60_192_808, 777),
    ] {
        let (store, _) = photographs(depth);
        let learnt = store.trainable_variables();
        let count: usize = learnt.iter().map(Tensor::numel).sum();
        assert_eq!(count, parameters, "{depth:?}");
        // torchvision also counts the batches of each normalisation.
        let variables = store.variables();
        assert_eq!(variables.len(), tensors, "{depth:?}");
        for name in [
            "conv1.weight",
            "bn1.running_mean",
            "layer1.0.bn1.running_var",
            "layer2.0.downsample.0.weight",
            "layer2.0.downsample.1.bias",
            "layer4.1.conv2.weight",
            "fc.weight",
            "fc.bias",
        ] {
            assert!(variables.contains_key(name), "{depth:?} lacks {name}");
        }
    }
}

#[test]
fn the_stride_of_a_bottleneck_is_in_its_second_convolution() {
    let _turn = alone();
    let (store, network) = photographs(Depth::ResNet50);
    let shape = |name: &str| store.variables()[name].size();
    assert_eq!(shape("layer2.0.conv1.weight"), [128, 256, 1, 1]);
    assert_eq!(shape("layer2.0.conv2.weight"), [128, 128, 3, 3]);
    assert_eq!(shape("layer2.0.downsample.0.weight"), [512, 256, 1, 1]);
    let mut graph = GraphBuilder::new("resnet");
    let x = photograph(&mut graph);
    let logits = network.export(&mut graph, &x).unwrap();
    graph.output("logits", &logits).unwrap();
    let text = graph.build(&[]).unwrap().to_text();
    let strided = text
        .lines()
        .filter(|line| line.contains("Conv(") && line.contains("strides=[2, 2]"));
    let kernel = |line: &str| line.split("kernel_shape=[").nth(1).unwrap()[..1].to_owned();
    let kernels: Vec<String> = strided.map(kernel).collect();
    // The first layer, then each later stage's 3×3 and its shortcut.
    assert_eq!(kernels, ["7", "3", "1", "3", "1", "3", "1"]);
}

#[test]
fn every_normalisation_is_folded() {
    let _turn = alone();
    let text = export(&network(&RESNET)).unwrap().to_text();
    assert_eq!(text.matches("= Conv(").count(), 21, "{text}");
    assert!(!text.contains("BatchNormalization"), "{text}");
}

#[test]
fn graphs_for_photographs_give_what_libtorch_gives() {
    let _turn = alone();
    for depth in [Depth::ResNet18, Depth::ResNet50] {
        tch::manual_seed(3);
        let (store, network) = photographs(depth);
        as_trained(store.variables());
        // What the file stores.
        network.fold();
        tch::no_grad(|| {
            for mut weight in store.variables().into_values() {
                let half = weight.to_kind(Kind::Half).to_kind(Kind::Float);
                weight.copy_(&half);
            }
        });
        let images = Tensor::randn([2, 3, 64, 64], (Kind::Float, Device::Cpu));
        let expected = tch::no_grad(|| network.forward_t(&images, false));
        agree(&expected, &served(&network, &images));
    }
}

#[test]
fn folding_changes_the_weights_and_not_the_answers() {
    let _turn = alone();
    tch::manual_seed(4);
    let mut network = network(&RESNET);
    as_trained(network.weights());
    let samples = samples(&RESNET, 7, 2);
    let before = outputs(&network, &samples);
    network.model().fold();
    agree(&before, &outputs(&network, &samples));
    for (name, value) in network.weights() {
        let is_mean = name.ends_with("running_mean");
        assert!(
            !is_mean || value.abs().max().double_value(&[]) <= 0.0,
            "{name}: {value}"
        );
    }
    // Folding what is folded, also when it was rounded, changes nothing at all.
    network.round_as_stored();
    let rounded = outputs(&network, &samples);
    network.round_as_stored();
    assert_eq!(rounded, outputs(&network, &samples));
}

#[test]
fn training_normalises_by_the_batch_and_serving_does_not() {
    let _turn = alone();
    tch::manual_seed(5);
    let network = network(&RESNET);
    as_trained(network.weights());
    let samples = samples(&RESNET, 9, 3);
    let alone = outputs(&network, &samples.select(&[4]));
    let together = outputs(&network, &samples).narrow(0, 4, 1);
    assert!((&alone - together).abs().max().double_value(&[]) < 1e-5);
    // A batch moves the running statistics.
    let before = outputs(&network, &samples);
    let _ = network.forward(&samples.inputs);
    assert_ne!(before, outputs(&network, &samples));
}
