//! Dense layers and Transformers in int8.
//!
//! Where the processor's sums saturate, ONNX Runtime cannot be held to what libtorch gives.

use std::path::PathBuf;

use quintet_bundle::{Bundle, Products, Quantization};
use quintet_onnx::{DataType, Dim, GraphBuilder, Storage, initializers};
use quintet_trainer::cli;
use quintet_trainer::export::export;
use quintet_trainer::layers::{Layer, Linear};
use quintet_trainer::models::{Architecture, NETWORKS, TRANSFORMER};
use quintet_trainer::network::Network;
use quintet_trainer::random::SplitMix64;
use quintet_trainer::read_back::read_back;
use quintet_trainer::recipe::Recipe;
use quintet_trainer::task::exam::INT8_TOLERANCE;
use quintet_trainer::verify::{LoadedModel, compare};
use tch::{Device, Kind, Tensor, nn};

use crate::support::{alone, network, runtime, samples};

fn is_exact() -> bool {
    Products::here() == Products::Exact
}

fn by(storage: Storage) -> Recipe {
    Recipe {
        storage,
        ..TRANSFORMER.recipe()
    }
}

/// Three axes of features, the last of `inputs`, of very different sizes, and a row of zeros.
fn features(inputs: i64) -> Tensor {
    let x = Tensor::randn([2, 5, inputs], (Kind::Float, Device::Cpu));
    let sizes = Tensor::from_slice(&[1.0_f32, 1e-6, 1e4, 0.03, 0.0]);
    x * sizes.reshape([1, 5, 1])
}

/// A layer in int8 with random weights, and its graph.
fn pair(inputs: i64, outputs: i64) -> (Linear, LoadedModel) {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&store.root(), "dense", inputs, outputs);
    tch::no_grad(|| {
        for (_, mut weight) in store.variables() {
            let _ = weight.normal_(0.0, 0.2);
        }
    });
    layer.quantize().unwrap();
    let mut graph = GraphBuilder::new("dense");
    let shape = [Dim::symbol("N"), Dim::symbol("L"), (inputs as usize).into()];
    let x = graph.input("x", DataType::Float32, shape).unwrap();
    let y = layer.export(&mut graph, &x).unwrap();
    graph.output("y", &y).unwrap();
    let model = graph.build(&[]).unwrap().to_bytes();
    (layer, runtime().model(&model).unwrap())
}

/// 1500 products have a sum that float32 cannot hold exactly.
#[test]
fn a_layer_gives_the_same_bits_in_libtorch_and_onnx_runtime() {
    let _turn = alone();
    tch::manual_seed(3);
    let mut random = SplitMix64::new(11);
    let shapes = (0..20).map(|_| [1 + random.below(90) as i64, 1 + random.below(40) as i64]);
    for [inputs, outputs] in shapes.chain([[1500, 8], [3000, 2]]) {
        let (layer, mut graph) = pair(inputs, outputs);
        let x = features(inputs);
        let expected = tch::no_grad(|| layer.forward_t(&x, false));
        assert!(expected.isfinite().all().int64_value(&[]) == 1);
        if is_exact() {
            assert_eq!(graph.output(&[x]).unwrap(), expected, "{inputs} {outputs}");
        }
    }
}

#[test]
fn a_product_is_near_that_of_float32() {
    let _turn = alone();
    tch::manual_seed(4);
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::without_bias(&store.root(), "dense", 300, 20);
    let x = features(300);
    let float32 = tch::no_grad(|| layer.forward_t(&x, false));
    layer.quantize().unwrap();
    let int8 = tch::no_grad(|| layer.forward_t(&x, false));
    // Of a row, whatever its size. Both roundings are half of a 127th of the largest at most.
    let difference = (&float32 - int8)
        .square()
        .sum_dim_intlist([2_i64].as_slice(), false, None);
    let size = float32
        .square()
        .sum_dim_intlist([2_i64].as_slice(), false, None);
    let relative = (difference / size.clamp_min(1e-30)).sqrt().max();
    assert!(relative.double_value(&[]) < 0.03, "{relative:?}");
}

/// Texts alone, together, and with more padding.
#[test]
fn an_answer_does_not_depend_on_the_texts_beside_it() {
    let _turn = alone();
    for storage in [Storage::Float16, Storage::Int8] {
        let mut network = Network::new(&TRANSFORMER, &by(storage), Device::Cpu);
        network.round_as_stored();
        let float32 = network.output(&samples(&TRANSFORMER, 9, 4).inputs);
        network.quantize().unwrap();
        assert_eq!(network.quantization(), Some(Quantization::Int8));
        let mut loaded = runtime()
            .model(&export(&network).unwrap().to_bytes())
            .unwrap();
        let texts = samples(&TRANSFORMER, 9, 4);
        let together = loaded.output(&texts.inputs).unwrap();
        assert_ne!(network.output(&texts.inputs), float32, "{storage:?}");
        if is_exact() {
            compare(&network.output(&texts.inputs), &together, INT8_TOLERANCE).unwrap();
        }
        let (rows, width) = texts.inputs[0].size2().unwrap();
        let behind = Tensor::full([rows, 30], 77, (Kind::Int64, Device::Cpu));
        let wide = Tensor::cat(&[&texts.inputs[0], &behind], 1);
        let wide = loaded.output(&[wide, texts.inputs[1].shallow_clone()]);
        compare(&together, &wide.unwrap(), 1e-5).unwrap();
        for row in 0..rows {
            let text = texts.select(&[row]);
            assert!(text.inputs[0].size()[1] <= width);
            let here = together.narrow(0, row, 1);
            compare(&here, &loaded.output(&text.inputs).unwrap(), 1e-5).unwrap();
        }
    }
}

#[test]
fn networks_without_such_layers_are_refused_by_name() {
    let _turn = alone();
    let others = NETWORKS.iter().filter(|it| it.name != TRANSFORMER.name);
    for architecture in others {
        let error = network(architecture).quantize().unwrap_err().to_string();
        assert!(error.contains("--quantize is int8"), "{error}");
        assert!(error.contains(architecture.name), "{error}");
    }
}

#[test]
fn weights_are_read_back_from_a_graph() {
    let _turn = alone();
    for storage in [Storage::Float32, Storage::Float16, Storage::Int8] {
        let recipe = by(storage);
        let mut written = Network::new(&TRANSFORMER, &recipe, Device::Cpu);
        written.round_as_stored();
        let model = export(&written).unwrap().to_bytes();
        let read = read_back(&TRANSFORMER, &recipe, &model).unwrap();
        for ((name, left), (_, right)) in written.weights().iter().zip(read.weights()) {
            assert_eq!(left, &right, "{name} {storage:?}");
        }
        assert_eq!(export(&read).unwrap().to_bytes(), model);
    }
}

fn committed(architecture: &Architecture) -> PathBuf {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
    PathBuf::from(models).join(architecture.name).join("1")
}

/// Writes a committed bundle in int8 to a folder.
fn export_from(architecture: &Architecture, folder: &str) -> Result<String, String> {
    let from = committed(architecture);
    let arguments = [
        "quintet-trainer",
        "export",
        architecture.name,
        "--quantize=int8",
        "--from",
        from.to_str().unwrap(),
        "--data-dir=/nowhere",
        "--models-dir",
        folder,
    ];
    let mut out = Vec::new();
    cli::run(arguments, &NETWORKS, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_committed_bundle_becomes_one_in_int8() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().to_str().unwrap();
    let exported = export_from(&TRANSFORMER, models);
    if !is_exact() {
        assert!(exported.unwrap_err().contains("avx512vnni"));
        return;
    }
    exported.unwrap();
    let before = Bundle::open(&committed(&TRANSFORMER)).unwrap();
    let after = Bundle::open(&folder.path().join("transformer/1")).unwrap();
    assert_eq!(after.manifest().quantization, Some(Quantization::Int8));
    assert_eq!(
        after.manifest().preprocessing,
        before.manifest().preprocessing
    );
    assert!(!after.manifest().metrics.contains_key("test_accuracy"));
    assert!(after.model().len() < before.model().len());
    // The head is left as it was.
    let head = |bundle: &Bundle| {
        let weights = initializers(bundle.model()).unwrap();
        weights
            .into_iter()
            .find(|it| it.name == "classifier.weight")
    };
    assert_eq!(head(&after).unwrap().data, head(&before).unwrap().data);

    let error = export_from(NETWORKS[0], models).unwrap_err();
    assert!(error.contains("float32 for mlp"), "{error}");
}
