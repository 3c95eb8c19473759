//! Encoders of every kind: libtorch against ONNX Runtime on random configurations.

use quintet_onnx::{DataType, Dim, GraphBuilder, Storage};
use quintet_trainer::layers::Activation;
use quintet_trainer::models::Model;
use quintet_trainer::models::encoder::{EncoderConfig, EncoderDropout};
use quintet_trainer::models::encoder::{HeadConfig, Pooling, TextClassifier};
use quintet_trainer::random::SplitMix64;
use quintet_trainer::verify::LoadedModel;
use tch::{Device, Kind, Tensor, nn};

use crate::support::{alone, runtime};

const VOCABULARY: i64 = 50;
const LONGEST: i64 = 40;

/// Random numbers of a test.
struct Random(SplitMix64);

impl Random {
    fn below(&mut self, bound: usize) -> i64 {
        self.0.below(bound) as i64
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.below(choices.len())]
    }
}

fn configuration(random: &mut Random) -> (EncoderConfig, HeadConfig) {
    let (heads, first_position) = (1 + random.below(4), random.of(&[0, 2]));
    let encoder = EncoderConfig {
        vocabulary: VOCABULARY,
        hidden: heads * (1 + random.below(8)),
        layers: 1 + random.below(3),
        heads,
        intermediate: 1 + random.below(40),
        activation: random.of(&[
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::Silu,
        ]),
        positions: LONGEST + first_position,
        first_position,
        token_types: random.of(&[0, 2]),
        layer_norm_epsilon: random.of(&[1e-12, 1e-5]),
        dropout: EncoderDropout {
            words: 0.5,
            hidden: 0.5,
            head: 0.5,
        },
    };
    let head = HeadConfig {
        pooling: random.of(&[Pooling::First, Pooling::Mean]),
        dense: random.of(&[None, Some(Activation::Tanh), Some(Activation::Relu)]),
        labels: random.of(&[1, 2, 5]),
    };
    (encoder, head)
}

/// A classifier whose weights are all random, and its graph in ONNX Runtime.
struct Pair {
    torch: TextClassifier,
    graph: LoadedModel,
    /// Tokens, lengths, and token types where texts come in pairs.
    inputs: usize,
}

impl Pair {
    fn new((encoder, head): (&EncoderConfig, HeadConfig), inputs: usize) -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let torch = TextClassifier::new(&store.root(), encoder, head);
        tch::no_grad(|| {
            for (_, mut weight) in store.variables() {
                let noise = Tensor::randn_like(&weight) * 0.3;
                let _ = weight.g_add_(&noise);
            }
        });
        let mut graph = GraphBuilder::new("encoder");
        graph.set_storage(Storage::Float32);
        let texts = [Dim::symbol("N"), Dim::symbol("L")];
        let declared = [
            ("tokens", DataType::Int64, &texts[..]),
            ("lengths", DataType::Int32, &texts[..1]),
            ("token_types", DataType::Int64, &texts[..]),
        ];
        let values: Vec<_> = declared[..inputs]
            .iter()
            .map(|(name, kind, dims)| graph.input(name, *kind, dims.to_vec()).unwrap())
            .collect();
        let logits = torch.export(&mut graph, &values).unwrap();
        graph.output("logits", &logits).unwrap();
        let model = graph.build(&[]).unwrap().to_bytes();
        Self {
            torch,
            graph: runtime().model(&model).unwrap(),
            inputs,
        }
    }

    /// The logits by libtorch, if ONNX Runtime gives the same ones.
    #[track_caller]
    fn logits(&mut self, inputs: &[Tensor]) -> Tensor {
        let inputs = &inputs[..self.inputs];
        let logits = tch::no_grad(|| self.torch.forward_t(inputs, false));
        assert_near(&self.graph.output(inputs).unwrap(), &logits);
        logits
    }
}

#[track_caller]
fn assert_near(actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.size(), expected.size());
    let largest = expected.abs().max().double_value(&[]).max(1.0);
    let difference = (actual - expected).abs().max().double_value(&[]);
    assert!(difference <= 1e-5 * largest, "{difference} of {largest}");
}

/// Tokens, lengths and token types of `lengths` in rows of `width`; what is behind them is random.
fn texts(random: &mut Random, lengths: &[i64], width: i64) -> Vec<Tensor> {
    let rows = lengths.len() as i64;
    let mut ids = |bound| {
        let ids: Vec<_> = (0..rows * width).map(|_| random.below(bound)).collect();
        Tensor::from_slice(&ids).reshape([rows, width])
    };
    let (tokens, types) = (ids(VOCABULARY as usize), ids(2));
    vec![
        tokens,
        Tensor::from_slice(lengths).to_kind(Kind::Int),
        types,
    ]
}

#[test]
fn graphs_give_what_libtorch_gives_alone_and_padded() {
    let _turn = alone();
    tch::manual_seed(5);
    let mut random = Random(SplitMix64::new(7));
    for _ in 0..40 {
        let (encoder, head) = configuration(&mut random);
        let inputs = if encoder.token_types > 0 {
            random.of(&[2, 3])
        } else {
            2
        };
        let context = format!("{encoder:?} {head:?} {inputs} inputs");
        let mut pair = Pair::new((&encoder, head), inputs);
        let rows = 1 + random.below(5);
        let lengths: Vec<_> = (0..rows).map(|_| 1 + random.below(30)).collect();
        let longest = lengths.iter().copied().max().unwrap_or(1);
        let width = longest + random.below(10);
        let batch = texts(&mut random, &lengths, width);
        let together = pair.logits(&batch);
        assert!(together.isfinite().all().int64_value(&[]) == 1, "{context}");
        for (row, &length) in (0_i64..).zip(&lengths) {
            let alone = |it: &Tensor| match it.dim() {
                1 => it.narrow(0, row, 1),
                _ => it.narrow(0, row, 1).narrow(1, 0, length),
            };
            let alone: Vec<_> = batch.iter().map(alone).collect();
            assert_near(&pair.logits(&alone), &together.narrow(0, row, 1));
        }
    }
}

#[test]
fn training_drops_something_and_every_weight_learns() {
    let _turn = alone();
    let mut random = Random(SplitMix64::new(9));
    let (mut encoder, mut head) = configuration(&mut random);
    (encoder.token_types, head.dense) = (2, Some(Activation::Tanh));
    let store = nn::VarStore::new(Device::Cpu);
    let network = TextClassifier::new(&store.root(), &encoder, head);
    let batch = texts(&mut random, &[12, 7], 12);
    let first = network.forward_t(&batch, true);
    assert_ne!(first, network.forward_t(&batch, true));
    first.square().sum(Kind::Float).backward();
    for (name, weight) in store.variables() {
        // The softmax cancels what is added to all scores of a token.
        let is_cancelled = name.ends_with("key.bias");
        let gradient = weight.grad();
        assert!(gradient.defined(), "{name}");
        let moves = gradient.abs().max().double_value(&[]) > 0.0;
        assert!(moves || is_cancelled, "{name}");
    }
}
