//! Rows of different widths: who rides with whom, and that nobody is forgotten.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::*;
use crate::batching::amount::Amount;
use crate::batching::cost::CostAt;
use crate::batching::queue::{Next, Queue};
use crate::batching::request::Gather;

/// A row of this width; `id` tells it from others.
fn row(width: u32, id: u32) -> u32 {
    width * 1_000 + id
}

/// Submits rows while an instance is busy, then lets everything run: the batches, in order.
fn batches_of(settings: Settings, cost: Cost, requests: &[&[u32]]) -> Vec<Vec<u32>> {
    let bench = bench_with(settings, cost);
    let busy = bench.submit(&[0]);
    bench.batch();
    let tickets: Vec<_> = requests.iter().map(|rows| bench.submit(rows)).collect();
    for _ in 0..100 {
        bench.say(Word::Answer);
    }
    wait(busy).unwrap();
    for (ticket, rows) in tickets.into_iter().zip(requests) {
        let expected: Vec<u32> = rows.iter().map(|row| row * 2).collect();
        assert_eq!(wait(ticket).unwrap().outputs.to_vec(), expected);
    }
    bench.started.try_iter().collect()
}

/// The cost of a run that costs as much beside its rows as so many rows; a row's is its width.
fn linear(overhead_rows: usize) -> Cost {
    cost_of(overhead_rows, |width| width)
}

/// The same where a row's cost is its width's square.
fn quadratic(overhead_rows: usize) -> Cost {
    cost_of(overhead_rows, |width| width * width)
}

fn cost_of(overhead_rows: usize, row: impl Fn(usize) -> usize) -> Cost {
    let points = (0..=200).map(|width| CostAt {
        width,
        row: row(width) as f64,
        run: (overhead_rows * row(width)) as f64,
    });
    Cost::of(points.collect::<Vec<_>>())
}

#[test]
fn rows_of_a_lane_run_apart_where_padding_costs_more_than_a_run() {
    let requests: [&[u32]; 4] = [
        &[row(160, 1)],
        &[row(160, 2)],
        &[row(200, 3)],
        &[row(190, 4)],
    ];
    for (overhead_rows, expected) in [(0, vec![2, 1, 1]), (1, vec![4])] {
        let batches = batches_of(settings(), linear(overhead_rows), &requests);
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, expected, "{batches:?}");
    }
}

#[test]
fn rows_of_like_width_ride_together_the_oldest_first() {
    let (long, short) = (|id| row(200, id), |id| row(12, id));
    let requests: [&[u32]; 6] = [
        &[short(1)],
        &[long(2)],
        &[short(3)],
        &[short(4)],
        &[long(5)],
        &[row(190, 6)],
    ];
    assert_eq!(
        batches_of(settings(), linear(1), &requests),
        [
            vec![short(1), short(3), short(4)],
            vec![long(2), long(5), row(190, 6)]
        ]
    );
}

#[test]
fn a_run_takes_no_more_tokens_than_it_may_and_a_longer_text_runs_alone() {
    let settings = Settings {
        max_batch_size: 8,
        max_batch_tokens: Some(450),
        ..settings()
    };
    let requests: [&[u32]; 3] = [
        &[row(200, 1), row(150, 2), row(140, 3)],
        &[row(500, 4)],
        &[row(100, 5), row(100, 6)],
    ];
    // A third text of 200 tokens, or two of 100 padded to them, would be more than 450.
    assert_eq!(
        batches_of(settings, linear(10), &requests),
        [
            vec![row(200, 1), row(150, 2)],
            vec![row(140, 3), row(100, 5), row(100, 6)],
            vec![row(500, 4)],
        ]
    );
}

#[test]
fn a_request_of_many_widths_is_answered_once_in_its_own_order() {
    let request = [row(200, 1), row(12, 2), row(12, 3), row(200, 4), row(90, 5)];
    assert_eq!(
        batches_of(settings(), Cost::default(), &[&request]),
        [
            vec![row(200, 1), row(200, 4)],
            vec![row(12, 2), row(12, 3)],
            vec![row(90, 5)]
        ]
    );
}

#[test]
fn a_narrower_lane_joins_whole_where_that_costs_less_than_a_run_of_its_own() {
    let settings = |max_batch_size| Settings {
        max_batch_size,
        max_queue_size: 100,
        ..settings()
    };
    for (cost, max_batch_size, narrow, width, joins) in [
        // A run of its own: 5 x 12. Here: 1 x 20, or 1 x 100.
        (linear(4), 4, 1, 20, true),
        (linear(4), 4, 1, 100, false),
        // 3 of them alone: 7 x 12. Here: 3 x 20, or 3 x 30.
        (linear(4), 4, 3, 20, true),
        (linear(4), 4, 3, 30, false),
        // There is no room for all.
        (linear(4), 3, 3, 20, false),
        // Where a row costs its width's square, 3 of them alone: 7 x 144. Here: 3 x 256, or 3 x
        // 400.
        (quadratic(4), 4, 3, 16, true),
        (quadratic(4), 4, 3, 20, false),
    ] {
        let wide = row(width, 0);
        let narrow: Vec<u32> = (1..=narrow).map(|id| row(12, id)).collect();
        let batches = batches_of(settings(max_batch_size), cost, &[&[wide], &narrow]);
        let together: Vec<u32> = [&[wide], &narrow[..]].concat();
        let expected = if joins {
            vec![together]
        } else {
            vec![vec![wide], narrow]
        };
        assert_eq!(batches, expected, "{width} wide");
    }
}

#[test]
fn the_lane_that_saves_more_joins_first_be_it_wider_or_narrower() {
    let settings = Settings {
        max_batch_size: 3,
        ..settings()
    };
    let oldest = row(100, 0);
    // Together with the wider row 330 instead of 200 + 220; with the narrower one 300, which saves
    // nothing.
    let (wider, narrower) = ([row(110, 1)], [row(50, 2)]);
    let batches = batches_of(settings, linear(1), &[&[oldest], &narrower, &wider]);
    assert_eq!(batches, [vec![oldest, wider[0]], vec![narrower[0]]]);
    // With the narrower row 300 instead of 200 + 180; with the wider one 450 instead of 200 + 300.
    let (wider, narrower) = ([row(150, 1)], [row(90, 2)]);
    let batches = batches_of(settings, linear(1), &[&[oldest], &wider, &narrower]);
    assert_eq!(batches, [vec![oldest, narrower[0]], vec![wider[0]]]);
}

#[test]
fn what_a_run_costs_the_server_makes_rows_share_it() {
    let cost = |hand_over| Cost {
        hand_over,
        ..linear(0)
    };
    let rows: [&[u32]; 2] = [&[row(100, 1)], &[row(110, 2)]];
    // Together 220 instead of 100 + 110 and what a run costs the server; 2 % is not enough.
    for (hand_over, runs) in [(0.0, 2), (14.0, 2), (15.0, 1)] {
        assert_eq!(batches_of(settings(), cost(hand_over), &rows).len(), runs);
    }
}

#[test]
fn a_request_of_many_widths_that_leaves_or_is_late_is_counted_once() {
    let bench = bench(settings());
    let busy = bench.submit(&[0]);
    bench.batch();
    let rows = [row(200, 1), row(12, 2), row(90, 3)];
    drop(bench.submit(&rows));
    let deadline = bench.clock.now() + Duration::from_millis(1);
    let late = bench
        .engine
        .submit(rows[..].into(), Some(deadline))
        .unwrap();
    assert_eq!(bench.engine.queue_depth(), 3);
    bench.clock.advance(Duration::from_millis(1));
    let after = bench.submit(&[row(90, 9)]);
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [row(90, 9)]);
    bench.say(Word::Answer);
    wait(busy).unwrap();
    wait(after).unwrap();
    assert_eq!(wait(late).unwrap_err(), Failure::Deadline);
    assert_eq!(
        bench.dropped(),
        [(DropReason::Cancelled, 3), (DropReason::Deadline, 3)]
    );
    assert_eq!((bench.engine.queue_depth(), bench.engine.entries()), (0, 0));
}

/// Takes 5 us a step, by a clock that it moves itself.
struct Striding(Clock, Arc<Mutex<Vec<(std::thread::ThreadId, usize)>>>);

impl Backend for Striding {
    type Row = u32;
    type Output = u32;

    fn run(&mut self, rows: &[u32], outputs: &mut Vec<u32>) -> Result<(), BackendError> {
        let width = rows[0].width();
        self.0.advance(Duration::from_micros(5) * width as u32);
        let here = std::thread::current().id();
        self.1.lock().unwrap().push((here, width));
        outputs.extend(rows);
        Ok(())
    }
}

#[test]
fn a_wide_row_does_not_hold_up_its_callers_thread() {
    let (clock, ran) = (Clock::manual(), Arc::default());
    let settings = Settings {
        max_inline_compute: Duration::from_micros(250),
        ..settings()
    };
    let backend = (clock.clone(), Arc::clone(&ran));
    let factory: BackendFactory<Striding> =
        Arc::new(move || Ok(Striding(backend.0.clone(), Arc::clone(&backend.1))));
    let parts = Parts {
        clock,
        ..parts(settings, factory)
    };
    let engine = Engine::start("test", parts).unwrap();
    // The first run tells how long a step takes.
    for width in [100, 20, 200, 20] {
        while engine.sleepers() < 1 {
            std::thread::yield_now();
        }
        let ticket = engine.submit(smallvec![row(width, 0)], None).unwrap();
        engine.dispatch();
        wait(ticket).unwrap();
    }
    let here = std::thread::current().id();
    let ran = ran.lock().unwrap();
    let inline: Vec<(bool, usize)> = ran.iter().map(|(id, row)| (*id == here, *row)).collect();
    assert_eq!(inline, [(false, 100), (true, 20), (false, 200), (true, 20)]);
}

/// A row of a request: the request's number, its place there and its width.
#[derive(Debug, Clone)]
struct Numbered(usize, usize, usize);

impl BatchRow for Numbered {
    fn width(&self) -> usize {
        self.2
    }
}

/// What a test does to a queue.
#[derive(Debug, Clone)]
enum Step {
    /// A request of rows of these widths comes.
    Push(Vec<usize>),
    /// The caller of one that waits goes.
    Leave(prop::sample::Index),
    /// An instance asks for a batch.
    Next,
}

/// Mostly short rows, so that a long one has every chance to starve.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let width = prop_oneof![8 => 1..15_usize, 1 => 15..201_usize];
    prop::collection::vec(
        prop_oneof![
            4 => prop::collection::vec(width, 1..6).prop_map(Step::Push),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
            3 => Just(Step::Next),
        ],
        1..120,
    )
}

proptest! {
    /// The oldest row is in every next batch, no batch is too large, a batch holds no more padding
    /// than the rule allows, and every row runs once unless its caller has gone.
    #[test]
    fn nobody_starves_and_nobody_is_forgotten(
        steps in steps(),
        max_batch_size in 1_usize..20,
        overhead_rows in 0_usize..6,
        is_linear in any::<bool>(),
    ) {
        let settings = Settings { max_batch_size, max_queue_size: 10_000, ..settings() };
        let cost = if is_linear { linear(overhead_rows) } else { quadratic(overhead_rows) };
        let mut queue: Queue<Numbered, ()> = Queue::new(settings, cost.clone());
        let now = Clock::manual().now();
        let mut waiting: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut gathers: Vec<Arc<Gather<()>>> = Vec::new();
        let end = (0..1_000).map(|_| Step::Next);
        for step in steps.into_iter().chain(end) {
            match step {
                Step::Push(widths) => {
                    let request = gathers.len();
                    let rows = widths.iter().enumerate();
                    let rows: SmallVec<[Numbered; 1]> =
                        rows.map(|(place, width)| Numbered(request, place, *width)).collect();
                    let gather = Arc::new(Gather::new(Amount::of(&rows), None));
                    waiting.extend(rows.iter().map(|row| ((row.0, row.1), row.2)));
                    queue.push(&gather, rows, now);
                    gathers.push(gather);
                }
                Step::Leave(request) if !gathers.is_empty() => {
                    let request = request.index(gathers.len());
                    gathers[request].end();
                    queue.leave(&gathers[request], now);
                    waiting.retain(|row, _| row.0 != request);
                }
                Step::Leave(_) => {}
                Step::Next => {
                    prop_assert_eq!(queue.depth(), waiting.len());
                    let expected_cost = queue.next_cost(max_batch_size);
                    let Next::Run(batch) = queue.next(now, false, max_batch_size) else {
                        prop_assert!(waiting.is_empty());
                        continue;
                    };
                    let (oldest, _) = waiting.first_key_value().unwrap();
                    let rows = batch.rows.clone();
                    prop_assert!(rows.len() <= max_batch_size);
                    prop_assert!(rows.iter().any(|row| (row.0, row.1) == *oldest), "{:?} starves", oldest);
                    let widest = rows.iter().map(|row| row.2).max().unwrap();
                    let elements: usize = rows.iter().map(|row| row.2).sum();
                    prop_assert_eq!((batch.extent().width, batch.elements), (widest, elements));
                    prop_assert_eq!(expected_cost.to_bits(), cost.of_run(batch.extent()).to_bits());
                    if overhead_rows == 0 {
                        prop_assert!(rows.iter().all(|row| row.2 == widest), "{:?}", rows);
                    }
                    batch.scatter(&mut vec![(); rows.len()], Duration::ZERO);
                    for row in rows {
                        prop_assert_eq!(waiting.remove(&(row.0, row.1)), Some(row.2));
                    }
                }
            }
        }
        prop_assert!(waiting.is_empty() && queue.entries() == 0);
    }
}
