//! Digits and texts that are easy to learn and quick to make, and one ONNX Runtime for all tests.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use quintet_data::mnist::Digits;
use quintet_trainer::data::Samples;
use quintet_trainer::models::{Architecture, CNN, LSTM, MLP, RESNET, SIMPLE_RNN, TRANSFORMER};
use quintet_trainer::network::Network;
use quintet_trainer::random::SplitMix64;
use quintet_trainer::recipe::Recipe;
use quintet_trainer::verify::Runtime;
use tch::{Device, Tensor};

pub(crate) const SIDE: usize = 28;

/// The networks that learn from labelled samples.
pub(crate) static CLASSIFIERS: [&Architecture; 6] =
    [&MLP, &CNN, &RESNET, &SIMPLE_RNN, &LSTM, &TRANSFORMER];

/// `count` noisy images; the digit decides where a bright square stands.
pub(crate) fn digits(count: usize, seed: u64) -> Digits {
    let mut random = SplitMix64::new(seed);
    let mut images = Vec::with_capacity(count * SIDE * SIDE);
    let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
    for &label in &labels {
        let (top, left) = (
            usize::from(label) / 4 * 8 + 2,
            usize::from(label) % 4 * 6 + 2,
        );
        for place in 0..SIDE * SIDE {
            let inside = (top..top + 6).contains(&(place / SIDE))
                && (left..left + 5).contains(&(place % SIDE));
            let noise = (random.next_u64() % 60) as u8;
            images.push(if inside { 255 - noise } else { noise });
        }
    }
    Digits { images, labels }
}

/// `count` samples of what `architecture` reads.
pub(crate) fn samples(architecture: &Architecture, count: usize, seed: u64) -> Samples {
    match architecture.dataset.name() {
        "MNIST" => Samples::from_digits(&digits(count, seed), Device::Cpu),
        _ => texts(count, seed),
    }
}

/// A network with fresh weights.
pub(crate) fn network(architecture: &'static Architecture) -> Network {
    Network::new(architecture, &architecture.recipe(), Device::Cpu)
}

/// What `network` gives for `samples`.
pub(crate) fn outputs(network: &Network, samples: &Samples) -> Tensor {
    let all = samples.slice(0, samples.len());
    network.output(&all.inputs)
}

/// `count` texts of 3 to 20 tokens; one word among neutral ones, a small or a large number,
/// decides.
fn texts(count: usize, seed: u64) -> Samples {
    let mut random = SplitMix64::new(seed);
    let mut below = |bound: u64| (random.next_u64() % bound) as usize;
    let width = 20;
    let mut tokens = vec![0_i64; count * width];
    let (mut lengths, mut labels) = (Vec::new(), Vec::new());
    for row in tokens.chunks_mut(width) {
        let (length, label) = (3 + below(18), below(2));
        for token in &mut row[..length] {
            *token = 1_000 + below(8_000) as i64;
        }
        row[below(length as u64)] = [3, 9_990][label] + below(5) as i64;
        lengths.push(length as i32);
        labels.push(label as i64);
    }
    let shape = [count as i64, width as i64];
    Samples {
        inputs: vec![
            Tensor::from_slice(&tokens).reshape(shape),
            Tensor::from_slice(&lengths),
        ],
        labels: Tensor::from_slice(&labels),
        texts: None,
    }
}

/// The built-in recipe, small enough for a test.
pub(crate) fn small_recipe(architecture: &Architecture) -> Recipe {
    let mut recipe = architecture.recipe();
    recipe.epochs = 4;
    recipe.batch_size = 16;
    recipe
}

/// Waits until no other test draws from libtorch's random generator, which belongs to the process.
///
/// Every test that trains or draws weights holds this from its start.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // Small networks on a busy machine: threads would mostly wait for each other.
    tch::set_num_threads(1);
    // A test that panicked has left nothing behind that another could trip over.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// ONNX Runtime allows one environment a process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let path = std::env::var("ORT_DYLIB_PATH").expect("set in .cargo/config.toml");
        Runtime::load(Path::new(&path), 1).unwrap()
    })
}

/// Writes `digits` as the two unpacked IDX files of a split ("train" or "t10k").
pub(crate) fn write_idx(folder: &Path, split: &str, digits: &Digits) {
    let count = digits.labels.len() as u32;
    let side = SIDE as u32;
    let header = |numbers: &[u32]| numbers.iter().flat_map(|it| it.to_be_bytes()).collect();
    let mut images: Vec<u8> = header(&[0x0803, count, side, side]);
    images.extend(&digits.images);
    let mut labels: Vec<u8> = header(&[0x0801, count]);
    labels.extend(&digits.labels);
    std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
    std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
}
