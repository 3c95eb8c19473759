//! Fairness among the callers of one queue: start-time fair queueing (Goyal, Vin and Cheng, 1996).
//!
//! Each caller has a virtual clock that its rows move on, and rows run in the order of the virtual
//! times at which they start. So each caller whose rows wait gets the same share of every batch,
//! whatever the others queue. Rows of unknown callers are one flow, which is first in, first out.

use std::collections::HashMap;

/// Whose rows they are; the default: a caller that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flow(pub u64);

/// The virtual clocks, in rows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// When the row that was run last has started.
    now: u64,
    /// When the next row of unknown callers starts.
    unknown: u64,
    /// Known callers with rows in the queue, or that are ahead of `now`.
    known: HashMap<Flow, State>,
}

#[derive(Debug, Default)]
struct State {
    /// When its next row starts.
    next: u64,
    /// Rows in the queue.
    waiting: usize,
}

impl Flow {
    fn is_known(self) -> bool {
        self != Self::default()
    }
}

impl Flows {
    /// When these rows start. They move on the clock of their caller.
    pub(super) fn start(&mut self, flow: Flow, rows: usize) -> u64 {
        let next = if flow.is_known() {
            &mut self.known.entry(flow).or_default().next
        } else {
            &mut self.unknown
        };
        let start = self.now.max(*next);
        *next = start + rows as u64;
        start
    }

    /// Rows that start at `start` are run.
    pub(super) fn run(&mut self, start: u64) {
        self.now = self.now.max(start);
    }

    /// Counts rows that wait.
    pub(super) fn enter(&mut self, flow: Flow, rows: usize) {
        if flow.is_known() {
            self.known.entry(flow).or_default().waiting += rows;
        }
    }

    /// Counts rows that no longer wait.
    pub(super) fn leave(&mut self, flow: Flow, rows: usize) {
        if !flow.is_known() {
            return;
        }
        if let Some(state) = self.known.get_mut(&flow) {
            state.waiting = state.waiting.saturating_sub(rows);
            if state.waiting == 0 && state.next <= self.now {
                self.known.remove(&flow);
            }
        }
    }

    /// Rows of this caller that wait, and how many may, of `limit` in all: an equal share among the
    /// callers whose rows wait. A caller that is alone leaves an eighth to those that may come.
    /// `None`: the caller has no bound of its own.
    pub(super) fn share(&self, flow: Flow, limit: usize) -> Option<(usize, usize)> {
        if !flow.is_known() {
            return None;
        }
        let waiting = self.known.get(&flow).map_or(0, |state| state.waiting);
        if waiting == 0 {
            return None;
        }
        let active = self.known.values().filter(|state| state.waiting > 0);
        let most = match active.count() {
            1 => limit - limit / 8,
            callers => limit / callers,
        };
        Some((waiting, most))
    }
}
