//! Fairness among known callers, counted in rows: who waits, who is run, who is refused.

use std::collections::VecDeque;

use super::*;
use crate::batching::amount::Amount;
use crate::batching::flows::Flow;
use crate::batching::queue::{Next, Queue};
use crate::batching::request::Gather;

/// Rows of a batch, and of the queue.
const BATCH: usize = 32;
const QUEUE: usize = 512;

struct Mark(Flow);

impl BatchRow for Mark {}

/// A queue, and a caller that keeps `demand` rows of single-row requests in it.
struct Simulation {
    queue: Queue<Mark, ()>,
    now: Instant,
    callers: Vec<Caller>,
}

struct Caller {
    flow: Flow,
    demand: usize,
    waiting: VecDeque<Arc<Gather<()>>>,
    served: usize,
    refused: usize,
}

impl Simulation {
    fn new(demands: &[usize]) -> Self {
        let settings = Settings {
            max_batch_size: BATCH,
            max_queue_size: QUEUE,
            ..settings()
        };
        let caller = |(index, demand): (usize, &usize)| Caller {
            flow: Flow(index as u64 + 1),
            demand: *demand,
            waiting: VecDeque::new(),
            served: 0,
            refused: 0,
        };
        Self {
            queue: Queue::new(settings, Cost::default()),
            now: Clock::manual().now(),
            callers: demands.iter().enumerate().map(caller).collect(),
        }
    }

    /// Every caller asks for what it misses; then a batch is run.
    fn step(&mut self) {
        for caller in &mut self.callers {
            while caller.waiting.len() < caller.demand {
                let row = smallvec![Mark(caller.flow)];
                let one = Amount::of(&row);
                let share = self.queue.check_share(caller.flow, 1);
                if share.and_then(|()| self.queue.check_room(one)).is_err() {
                    caller.refused += 1;
                    break;
                }
                let gather = Arc::new(Gather::new(one, None).of(caller.flow));
                self.queue.push(&gather, row, self.now);
                caller.waiting.push_back(gather);
            }
        }
        let Next::Run(batch) = self.queue.next(self.now, true, BATCH) else {
            return;
        };
        for row in &batch.rows {
            let caller = self.callers.iter_mut().find(|it| it.flow == row.0);
            let caller = caller.expect("the rows are theirs");
            caller.waiting.pop_front();
            caller.served += 1;
        }
    }

    /// What each caller is served in this many batches.
    fn run(demands: &[usize], batches: usize) -> Self {
        let mut simulation = Self::new(demands);
        for _ in 0..batches {
            simulation.step();
        }
        simulation
    }
}

/// The goodput of a modest caller beside one that floods is what it gets alone.
#[test]
fn a_flood_costs_a_modest_caller_nothing() {
    for modest in [1, 8, 16] {
        let alone = Simulation::run(&[modest], 1000);
        let beside = Simulation::run(&[10_000, modest], 1000);
        let [flood, modest] = &beside.callers[..] else {
            panic!("two callers");
        };
        assert_eq!(modest.refused, 0);
        assert!(modest.served * 10 >= alone.callers[0].served * 9);
        assert!(flood.refused > 0);
        // Nothing is left idle.
        assert_eq!(flood.served + modest.served, 1000 * BATCH);
    }
}

#[test]
fn a_caller_that_comes_to_a_full_queue_has_room() {
    let mut simulation = Simulation::run(&[10_000, 0], 100);
    simulation.callers[1].demand = 8;
    simulation.step();
    assert_eq!(simulation.callers[1].refused, 0);
    assert_eq!(simulation.callers[1].served, 8);
}

#[test]
fn two_floods_share_the_batches() {
    let both = Simulation::run(&[10_000, 10_000], 1000);
    for caller in &both.callers {
        let share = caller.served as f64 / (1000 * BATCH) as f64;
        assert!((0.45..0.55).contains(&share), "{share}");
    }
}

#[test]
fn a_caller_that_was_away_does_not_catch_up() {
    let mut simulation = Simulation::run(&[100, 0], 1000);
    simulation.callers[1].demand = 100;
    let before = simulation.callers[0].served;
    for _ in 0..100 {
        simulation.step();
    }
    let served = simulation.callers[0].served - before;
    assert!(served * 10 >= 100 * BATCH * 4, "{served}");
}
