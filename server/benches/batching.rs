//! What the batching core costs by itself: a backend that does nothing. `cargo bench -p
//! quintet-server --bench batching`.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use quintet_server::batching::{
    Backend, BackendError, Backlog, BatchReport, BatchRow, Clock, Cost, DropReason, Engine,
    Observer, Parts, Settings,
};
use smallvec::smallvec;

fn main() {
    divan::main();
}

/// Answers every row with its number.
struct Nothing;

/// Hears everything and remembers nothing.
struct Deaf;

struct Number(u64);

impl BatchRow for Number {}

impl Backend for Nothing {
    type Row = Number;
    type Output = u64;

    fn run(&mut self, rows: &[Number], outputs: &mut Vec<u64>) -> Result<(), BackendError> {
        outputs.extend(rows.iter().map(|row| row.0));
        Ok(())
    }
}

impl Observer for Deaf {
    fn queue_depth(&self, _: usize) {}
    fn batch(&self, _: &BatchReport) {}
    fn dropped(&self, _: DropReason, _: usize) {}
    fn instance_replaced(&self) {}
}

fn engine(max_inline_compute: Duration) -> Engine<Nothing> {
    let settings = Settings {
        max_batch_size: 32,
        max_queue_delay: Duration::ZERO,
        max_queue_size: 1024,
        max_batch_tokens: None,
        max_queue_bytes: usize::MAX,
        instances: Some(1),
        max_inline_compute,
    };
    let parts = Parts {
        settings,
        cost: Cost::default(),
        backends: vec![Nothing],
        parallel: None,
        factory: Arc::new(|| Ok(Nothing)),
        clock: Clock::system(),
        observer: Arc::new(Deaf),
        backlog: Arc::new(Backlog::of(1)),
    };
    Engine::start("nothing", parts).expect("a thread can be had")
}

/// So many requests of one row at once, all answered.
fn requests(bencher: Bencher<'_, '_>, count: usize, engine: &Engine<Nothing>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime can be had");
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let tickets: Vec<_> = (0..count as u64)
            .map(|row| engine.submit(smallvec![Number(black_box(row))], None))
            .collect();
        engine.dispatch();
        runtime.block_on(async {
            for ticket in tickets {
                black_box(ticket.expect("there is room").await).expect("nothing fails");
            }
        });
    });
    engine.stop();
    engine.join();
}

/// Run by the caller: no thread is woken.
#[divan::bench(args = [1, 64])]
fn inline(bencher: Bencher<'_, '_>, count: usize) {
    requests(bencher, count, &engine(Duration::from_secs(1)));
}

/// Run by the engine's thread, which has to be woken.
#[divan::bench(args = [1, 64])]
fn on_its_thread(bencher: Bencher<'_, '_>, count: usize) {
    requests(bencher, count, &engine(Duration::ZERO));
}
