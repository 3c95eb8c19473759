//! The core's behaviour, on a clock that stands still and a backend that waits for the test's word.
//! The assertions are on the batches that ran, never on how long something took.

mod backlog;
mod cost;
mod flows;
mod inline;
mod parallel;
mod retire;
mod trouble;
mod widths;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::lock::lock;

const DAY: Duration = Duration::from_hours(24);

/// Answers each row with its double. Every batch is announced, then waits for the test's word.
struct Gated {
    started: Sender<Vec<u32>>,
    word: Arc<Mutex<Receiver<Word>>>,
}

#[derive(Clone, Copy)]
enum Word {
    Answer,
    Fail,
    Panic,
    OneShort,
}

impl Backend for Gated {
    type Row = u32;
    type Output = u32;

    fn run(&mut self, rows: &[u32], outputs: &mut Vec<u32>) -> Result<(), BackendError> {
        let _ = self.started.send(rows.to_vec());
        // A test that has ended lets everything go.
        let word = self.word.lock().unwrap().recv().unwrap_or(Word::Answer);
        match word {
            Word::Answer => outputs.extend(rows.iter().map(|row| row * 2)),
            Word::Fail => return Err(BackendError("told to fail".into())),
            Word::Panic => panic!("told to panic"),
            Word::OneShort => outputs.extend(rows.iter().skip(1)),
        }
        Ok(())
    }
}

impl BatchRow for u32 {
    /// The thousands; small numbers are rows of a fixed size.
    fn width(&self) -> usize {
        (self / 1_000).max(1) as usize
    }
}

#[derive(Default)]
struct Seen {
    dropped: Mutex<Vec<(DropReason, usize)>>,
    replaced: Mutex<usize>,
}

impl Observer for Seen {
    fn queue_depth(&self, _rows: usize) {}
    fn batch(&self, _report: &BatchReport) {}
    fn dropped(&self, reason: DropReason, rows: usize) {
        self.dropped.lock().unwrap().push((reason, rows));
    }
    fn instance_replaced(&self) {
        *self.replaced.lock().unwrap() += 1;
    }
}

impl<B: Backend> Engine<B> {
    /// Makes every sleeping thread look at the queue and the clock again.
    pub(super) fn nudge(&self) {
        drop(lock(&self.pool.state));
        self.pool.wake.notify_all();
    }

    /// Rows waiting now.
    pub(super) fn queue_depth(&self) -> usize {
        lock(&self.pool.state).queue.depth()
    }

    /// Threads that sleep now.
    pub(super) fn sleepers(&self) -> usize {
        lock(&self.pool.state).sleepers
    }

    /// Requests that the queue holds, those of callers that have gone included.
    pub(super) fn entries(&self) -> usize {
        lock(&self.pool.state).queue.entries()
    }
}

impl<R, O> queue::Queue<R, O> {
    /// Runs of rows in the lanes, those that are over included.
    fn entries(&self) -> usize {
        self.lanes.lanes.iter().map(VecDeque::len).sum()
    }
}

/// An engine under test, and what a test does with it.
struct Bench {
    word: Sender<Word>,
    started: Receiver<Vec<u32>>,
    seen: Arc<Seen>,
    backlog: Arc<Backlog>,
    clock: Clock,
    engine: Engine<Gated>,
}

fn settings() -> Settings {
    Settings {
        max_batch_size: 4,
        max_batch_tokens: None,
        max_queue_delay: Duration::ZERO,
        max_queue_size: 8,
        max_queue_bytes: usize::MAX,
        instances: Some(1),
        max_inline_compute: Duration::ZERO,
    }
}

fn parts<B: Backend>(settings: Settings, factory: BackendFactory<B>) -> Parts<B> {
    let backends = (0..settings.instances.unwrap()).map(|_| factory().unwrap());
    Parts {
        settings,
        cost: Cost::default(),
        backends: backends.collect(),
        parallel: None,
        factory,
        clock: Clock::manual(),
        observer: Arc::new(Seen::default()),
        backlog: Arc::new(Backlog::of(1)),
    }
}

fn bench(settings: Settings) -> Bench {
    bench_with(settings, Cost::default())
}

fn bench_with(settings: Settings, cost: Cost) -> Bench {
    let (started_sender, started) = channel();
    let (word, word_receiver) = channel();
    let word_receiver = Arc::new(Mutex::new(word_receiver));
    let factory: BackendFactory<Gated> = Arc::new(move || {
        Ok(Gated {
            started: started_sender.clone(),
            word: Arc::clone(&word_receiver),
        })
    });
    let seen = Arc::new(Seen::default());
    let parts = Parts {
        cost,
        observer: Arc::clone(&seen) as Arc<dyn Observer>,
        ..parts(settings, factory)
    };
    let (backlog, clock) = (Arc::clone(&parts.backlog), parts.clock.clone());
    Bench {
        word,
        started,
        seen,
        backlog,
        clock,
        engine: Engine::start("test", parts).unwrap(),
    }
}

impl Bench {
    fn submit(&self, rows: &[u32]) -> Ticket<Gated> {
        let ticket = self
            .engine
            .submit(rows.into(), None)
            .expect("there is room");
        self.engine.dispatch();
        ticket
    }

    /// The rows of the next batch that an instance has begun.
    fn batch(&self) -> Vec<u32> {
        self.started.recv().expect("a batch begins")
    }

    fn say(&self, word: Word) {
        self.word.send(word).unwrap();
    }

    /// Waits until an instance sleeps, so that what follows does not race with its start.
    fn until_asleep(&self, instances: usize) {
        while self.engine.sleepers() < instances {
            std::thread::yield_now();
        }
    }

    fn dropped(&self) -> Vec<(DropReason, usize)> {
        self.seen.dropped.lock().unwrap().clone()
    }
}

fn wait<B: Backend>(ticket: Ticket<B>) -> Result<Answer<B::Output>, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(ticket)
}

#[test]
fn an_idle_instance_takes_what_waits_and_the_queue_grows_the_next_batch() {
    let bench = bench(settings());
    let first = bench.submit(&[1]);
    assert_eq!(bench.batch(), [1]);
    let rest: Vec<_> = (2..8).map(|row| bench.submit(&[row])).collect();
    bench.say(Word::Answer);
    assert_eq!(wait(first).unwrap().outputs[..], [2]);
    assert_eq!(bench.batch(), [2, 3, 4, 5]);
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [6, 7]);
    bench.say(Word::Answer);
    for (row, ticket) in (2..8).zip(rest) {
        let answer = wait(ticket).unwrap();
        assert_eq!(answer.outputs[..], [row * 2]);
        assert_eq!(answer.timing.batch_size, if row < 6 { 4 } else { 2 });
    }
}

#[test]
fn a_request_of_many_rows_is_split_and_answered_once_in_order() {
    let bench = bench(settings());
    let ticket = bench.submit(&[1, 2, 3, 4, 5, 6]);
    assert_eq!(bench.batch(), [1, 2, 3, 4]);
    let neighbour = bench.submit(&[7]);
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [5, 6, 7]);
    bench.say(Word::Answer);
    assert_eq!(wait(ticket).unwrap().outputs[..], [2, 4, 6, 8, 10, 12]);
    assert_eq!(wait(neighbour).unwrap().outputs[..], [14]);
}

#[test]
fn a_delay_is_waited_from_the_first_row_on() {
    let delay = Duration::from_millis(5);
    let bench = bench(Settings {
        max_queue_delay: delay,
        ..settings()
    });
    bench.until_asleep(1);
    let first = bench.submit(&[1]);
    bench.clock.advance(Duration::from_millis(4));
    let second = bench.submit(&[2]);
    bench.engine.nudge();
    bench.until_asleep(1);
    assert!(
        bench.started.try_recv().is_err(),
        "nothing runs before the delay is over"
    );
    bench.clock.advance(Duration::from_millis(1));
    bench.engine.nudge();
    assert_eq!(bench.batch(), [1, 2]);
    bench.say(Word::Answer);
    assert_eq!(wait(first).unwrap().timing.queue, delay);
    assert_eq!(wait(second).unwrap().timing.queue, Duration::from_millis(1));
}

#[test]
fn a_full_batch_waits_for_no_delay() {
    let bench = bench(Settings {
        max_queue_delay: DAY,
        ..settings()
    });
    let tickets: Vec<_> = (1..5).map(|row| bench.submit(&[row])).collect();
    assert_eq!(bench.batch(), [1, 2, 3, 4]);
    bench.say(Word::Answer);
    for ticket in tickets {
        assert_eq!(wait(ticket).unwrap().timing.queue, Duration::ZERO);
    }
}

#[test]
fn rows_that_take_long_are_shared_out_evenly() {
    let bench = bench(Settings {
        instances: Some(2),
        max_batch_size: 8,
        ..settings()
    });
    for (row_cost, expected) in [
        // Not known yet.
        (Duration::from_micros(60), vec![8]),
        // Known, from the batch before.
        (Duration::ZERO, vec![4, 4]),
    ] {
        bench.until_asleep(2);
        let ticket = bench.submit(&[1, 2, 3, 4, 5, 6, 7, 8]);
        for rows in &expected {
            assert_eq!(bench.batch().len(), *rows);
        }
        bench.clock.advance(row_cost * 8);
        for _ in expected {
            bench.say(Word::Answer);
        }
        let doubled = [2, 4, 6, 8, 10, 12, 14, 16];
        assert_eq!(wait(ticket).unwrap().outputs[..], doubled);
    }
}

#[test]
fn of_rows_that_take_very_long_a_part_is_left_to_instances_that_run() {
    let bench = bench(Settings {
        instances: Some(2),
        max_batch_size: 8,
        max_queue_size: 16,
        ..settings()
    });
    bench.until_asleep(2);
    let ticket = bench.submit(&[1]);
    bench.batch();
    bench.clock.advance(Duration::from_millis(1));
    bench.say(Word::Answer);
    wait(ticket).unwrap();

    bench.until_asleep(2);
    let one = bench.submit(&[1]);
    bench.batch();
    // The other instance leaves half to the one that runs.
    let eight = bench.submit(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bench.batch(), [1, 2, 3, 4]);
    for _ in 0..5 {
        bench.say(Word::Answer);
    }
    assert_eq!(wait(one).unwrap().outputs[..], [2]);
    let doubled = [2, 4, 6, 8, 10, 12, 14, 16];
    assert_eq!(wait(eight).unwrap().outputs[..], doubled);
}

#[test]
fn several_instances_share_what_waits() {
    let bench = bench(Settings {
        instances: Some(2),
        ..settings()
    });
    bench.until_asleep(2);
    let ticket = bench.submit(&[1, 2, 3, 4, 5, 6]);
    let mut batches = [bench.batch(), bench.batch()];
    batches.sort();
    assert_eq!(batches, [vec![1, 2, 3, 4], vec![5, 6]]);
    bench.say(Word::Answer);
    bench.say(Word::Answer);
    assert_eq!(wait(ticket).unwrap().outputs[..], [2, 4, 6, 8, 10, 12]);
}

proptest! {
    /// Whatever the sizes, whoever leaves: every caller that stays gets exactly its own rows'
    /// outputs, in order.
    #[test]
    fn every_caller_gets_its_own_answer(
        sizes in prop::collection::vec((1_usize..12, prop::bool::weighted(0.2)), 1..40),
        max_batch_size in 1_usize..9,
        instances in 1_usize..4,
    ) {
        let bench = bench(Settings {
            max_batch_size,
            instances: Some(instances),
            max_queue_size: 1_000,
            ..settings()
        });
        for _ in 0..1_000 {
            bench.say(Word::Answer);
        }
        let mut next_row = 0;
        let mut stayed = Vec::new();
        for (size, leaves) in sizes {
            let rows: Vec<u32> = (next_row..next_row + size as u32).collect();
            next_row += size as u32;
            let ticket = bench.submit(&rows);
            if !leaves {
                stayed.push((rows, ticket));
            }
        }
        for (rows, ticket) in stayed {
            let expected: Vec<u32> = rows.iter().map(|row| row * 2).collect();
            prop_assert_eq!(wait(ticket).unwrap().outputs.to_vec(), expected);
        }
        bench.engine.retire();
        bench.engine.join();
        for batch in bench.started.try_iter() {
            prop_assert!((1..=max_batch_size).contains(&batch.len()));
        }
    }
}
