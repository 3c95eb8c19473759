//! What it saves to batch texts by length: the LSTM's graph behind the batching core, 64 callers
//! that each wait for their answer, and texts as long as IMDB's reviews and their sentences are.
//! `cargo bench -p quintet-server --bench lengths`.
//!
//! `padded` is the same with every text padded to the longest that the model reads, as a server
//! does that knows one shape only; ONNX Runtime is still told the lengths and leaves out part of
//! the work behind them. `padded_and_read` does not tell it. The weights are noise; speed does not
//! depend on them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use quintet_bundle::DataType;
use quintet_onnx::ops::{self, GemmAttributes, RecurrentInputs};
use quintet_onnx::{Dim, GraphBuilder, GraphError};
use quintet_server::batching::{
    Backend, BackendError, Backlog, BatchReport, Clock, Cost, DropReason, Engine, Observer, Parts,
    Settings,
};
use quintet_server::runtime::{
    Device, Measure, Port, Row, Runtime, Sequence, SessionBackend, Signature, Weights,
};
use smallvec::{SmallVec, smallvec};

const CALLERS: usize = 64;
const TEXTS: usize = 1024;
const LONGEST: usize = 200;
const VOCABULARY: usize = 10_000;
const FEATURES: usize = 128;
const HIDDEN: usize = 64;

/// Every twentieth part of the test reviews' lengths in tokens.
const REVIEWS: [usize; 21] = [
    8, 63, 89, 112, 123, 131, 137, 145, 154, 164, 175, 190, 200, 200, 200, 200, 200, 200, 200, 200,
    200,
];
/// The same of their sentences.
const SENTENCES: [usize; 21] = [
    2, 5, 6, 8, 9, 11, 12, 13, 14, 16, 17, 19, 20, 22, 23, 26, 28, 31, 35, 43, 200,
];

/// Where `make` puts ONNX Runtime.
const LIBRARY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../.runtime/onnxruntime/lib/libonnxruntime.so"
);

/// How many sentences there are for each whole review.
const MIXES: [u64; 3] = [0, 1, 7];

fn main() {
    divan::main();
}

/// How texts are brought to the bench's queue.
#[derive(Clone, Copy)]
enum Padding {
    None,
    Told,
    Read,
}

/// Hears everything and remembers nothing.
struct Deaf;

impl Observer for Deaf {
    fn queue_depth(&self, _: usize) {}
    fn batch(&self, _: &BatchReport) {}
    fn dropped(&self, _: DropReason, _: usize) {}
    fn instance_replaced(&self) {}
}

/// `tokens: int64 [N, L]` and `lengths: int32 [N]` to `score: float32 [N]`, as the trainer writes
/// the LSTM.
fn lstm() -> Result<Vec<u8>, GraphError> {
    let mut g = GraphBuilder::new("lstm");
    let mut random = Random(1);
    let mut noise = |len: usize| -> Vec<f32> {
        let spread = |_| random.below(2_001) as f32 / 10_000.0 - 0.1;
        (0..len).map(spread).collect()
    };
    let rows = Dim::symbol("N");
    let tokens = g.input(
        "tokens",
        quintet_onnx::DataType::Int64,
        [rows.clone(), Dim::symbol("L")],
    )?;
    let lengths = g.input("lengths", quintet_onnx::DataType::Int32, [rows])?;
    let tokens = ops::transpose(&mut g, &tokens, &[1, 0])?;
    let mut weight = |g: &mut GraphBuilder, name: &str, shape: &[usize]| {
        g.initializer_f32(name, shape, &noise(shape.iter().product()))
    };
    let table = weight(&mut g, "embedding", &[VOCABULARY, FEATURES])?;
    let inputs = RecurrentInputs {
        x: &ops::gather(&mut g, &table, &tokens, 0)?,
        w: &weight(&mut g, "w", &[1, 4 * HIDDEN, FEATURES])?,
        r: &weight(&mut g, "r", &[1, 4 * HIDDEN, HIDDEN])?,
        b: Some(&weight(&mut g, "b", &[1, 8 * HIDDEN])?),
        sequence_lens: Some(&lengths),
    };
    let fc1 = weight(&mut g, "fc1", &[HIDDEN, 32])?;
    let fc2 = weight(&mut g, "fc2", &[32, 1])?;
    let state = ops::lstm(&mut g, &inputs)?.y_h;
    let state = ops::squeeze(&mut g, &state, &[0])?;
    let dense = ops::gemm(&mut g, &state, &fc1, None, GemmAttributes::default())?;
    let dense = ops::relu(&mut g, &dense)?;
    let odds = ops::gemm(&mut g, &dense, &fc2, None, GemmAttributes::default())?;
    let odds = ops::squeeze(&mut g, &odds, &[1])?;
    let score = ops::sigmoid(&mut g, &odds)?;
    g.output("score", &score)?;
    Ok(g.build(&[])?.to_bytes())
}

fn engine() -> Engine<SessionBackend> {
    let runtime = Runtime::load(Path::new(LIBRARY), Some(Device::Cpu), 1)
        .expect("`deploy/fetch.py onnxruntime` fetches the library");
    let port = |name: &str, datatype, is_sequence| Port {
        role: None,
        padding: 0,
        name: name.to_owned(),
        datatype,
        is_sequence,
        row_shape: vec![],
        values: None,
    };
    let signature = Signature {
        inputs: vec![
            port("tokens", DataType::Int64, true),
            port("lengths", DataType::Int32, false),
        ],
        outputs: vec![port("score", DataType::Float32, false)],
        sequence: Some(Sequence {
            measure: Measure::Lengths(1),
            longest: LONGEST,
        }),
        is_single: false,
    };
    let model = lstm().expect("the graph is sound");
    let instances = std::thread::available_parallelism().map_or(1, usize::from);
    let session = || {
        let session = runtime.session(&model, &signature, &Weights::default());
        session.expect("it is sound")
    };
    let settings = Settings {
        max_batch_size: 32,
        max_queue_delay: Duration::ZERO,
        max_queue_size: 1024,
        max_batch_tokens: None,
        max_queue_bytes: usize::MAX,
        instances: Some(instances),
        max_inline_compute: Duration::from_micros(250),
    };
    let cost = cost(&mut session());
    let parts = Parts {
        settings: settings.with_cost(&cost),
        cost,
        backends: (0..instances).map(|_| session()).collect(),
        parallel: None,
        factory: Arc::new(|| panic!("no instance fails")),
        clock: Clock::system(),
        observer: Arc::new(Deaf),
        backlog: Arc::new(Backlog::of(instances)),
    };
    Engine::start("lstm", parts).expect("threads can be had")
}

/// What runs cost, as a server measures it at start.
fn cost(session: &mut SessionBackend) -> Cost {
    let (clock, mut outputs) = (Clock::system(), Vec::new());
    let cost = Cost::measure(32, LONGEST, |rows, width| {
        let cells: SmallVec<[Bytes; 2]> = smallvec![
            Bytes::from(vec![0; width * 8]),
            Bytes::copy_from_slice(&(width as i32).to_le_bytes())
        ];
        let batch = vec![Row::sequence(cells, width); rows];
        let started = clock.now();
        session.run(&batch, &mut outputs)?;
        Ok::<_, BackendError>(clock.now() - started)
    });
    cost.expect("it runs")
}

/// So many texts, one whole review to every `sentences` sentences.
fn texts(sentences: u64, padding: Padding) -> Vec<Row> {
    let mut random = Random(7);
    let mut text = |_| {
        let lengths = if random.below(sentences + 1) == 0 {
            REVIEWS
        } else {
            SENTENCES
        };
        // Between two neighbours of the table all lengths are as likely.
        let part = random.below(20) as usize;
        let length = random.between(lengths[part], lengths[part + 1]);
        let (steps, told) = match padding {
            Padding::None => (length, length),
            Padding::Told => (LONGEST, length),
            Padding::Read => (LONGEST, LONGEST),
        };
        let tokens = (0..steps).flat_map(|step| {
            let token = if step < length {
                3 + random.below(9_000) as i64
            } else {
                0
            };
            token.to_le_bytes()
        });
        let cells: SmallVec<[Bytes; 2]> = smallvec![
            tokens.collect(),
            Bytes::copy_from_slice(&(told as i32).to_le_bytes())
        ];
        Row::sequence(cells, steps)
    };
    (0..TEXTS).map(&mut text).collect()
}

fn run(bencher: Bencher<'_, '_>, texts: &[Row]) {
    let engine = Arc::new(engine());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime can be had");
    bencher
        .counter(ItemsCount::new(texts.len()))
        .bench_local(|| {
            let callers = tokio::task::LocalSet::new();
            for first in 0..CALLERS {
                let engine = Arc::clone(&engine);
                let texts: Vec<Row> = texts.iter().skip(first).step_by(CALLERS).cloned().collect();
                callers.spawn_local(async move {
                    for text in texts {
                        let ticket = engine.submit(smallvec![text], None).expect("there is room");
                        tokio::task::yield_now().await;
                        engine.dispatch();
                        black_box(ticket.await).expect("nothing fails");
                    }
                });
            }
            runtime.block_on(callers);
        });
    engine.stop();
    engine.join();
}

/// Batched by length.
#[divan::bench(args = MIXES, sample_count = 5, sample_size = 1)]
fn by_length(bencher: Bencher<'_, '_>, sentences: u64) {
    run(bencher, &texts(sentences, Padding::None));
}

/// Each text padded to 200 tokens.
#[divan::bench(args = MIXES, sample_count = 5, sample_size = 1)]
fn padded(bencher: Bencher<'_, '_>, sentences: u64) {
    run(bencher, &texts(sentences, Padding::Told));
}

/// Each text padded to 200 tokens and read to its end.
#[divan::bench(args = MIXES, sample_count = 5, sample_size = 1)]
fn padded_and_read(bencher: Bencher<'_, '_>, sentences: u64) {
    run(bencher, &texts(sentences, Padding::Read));
}

/// Numbers that look random (xorshift64*, Vigna 2016), always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below((most - least + 1) as u64) as usize
    }
}
