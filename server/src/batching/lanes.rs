//! Where rows wait, apart by width: a run is as wide as its widest row, so rows of like width should ride together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::clock::Instant;
use super::request::Gather;

/// Waiting rows by width, each lane oldest first. Rows of width 1 have the first lane for themselves.
pub(super) struct Lanes<R, O> {
    width: fn(&R) -> usize,
    /// As many as have been needed.
    bands: Vec<VecDeque<Entry<R, O>>>,
    turns: u64,
}

/// What is left in one lane of neighbouring rows of one request.
pub(super) struct Entry<R, O> {
    pub(super) gather: Arc<Gather<O>>,
    pub(super) rows: smallvec::IntoIter<[R; 1]>,
    /// The request's own index of the next row.
    pub(super) next: usize,
    pub(super) submitted: Instant,
    /// When it came, among all that came.
    turn: u64,
}

/// How many rows, and the width of the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) width: usize,
}

// === impl Lanes ===

impl<R, O> Lanes<R, O> {
    pub(super) fn new(width: fn(&R) -> usize) -> Self {
        Self {
            width,
            bands: Vec::new(),
            turns: 0,
        }
    }

    /// How wide a row is.
    pub(super) fn width(&self) -> fn(&R) -> usize {
        self.width
    }

    /// How many there are now.
    pub(super) fn count(&self) -> usize {
        self.bands.len()
    }

    /// Entries in all lanes.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.bands.iter().map(VecDeque::len).sum()
    }

    /// Puts the rows of a request where rows of their width wait.
    pub(super) fn push(
        &mut self,
        gather: &Arc<Gather<O>>,
        rows: SmallVec<[R; 1]>,
        submitted: Instant,
    ) {
        let lane_of_row = |row: &R| lane_of((self.width)(row));
        let Some(mut lane) = rows.first().map(lane_of_row) else {
            return;
        };
        if rows[1..].iter().all(|row| lane_of_row(row) == lane) {
            self.add(lane, gather, rows, 0, submitted);
            return;
        }
        let (mut first, mut run) = (0, SmallVec::new());
        for row in rows {
            let its = lane_of((self.width)(&row));
            if its != lane {
                let before = std::mem::take(&mut run);
                let len = before.len();
                self.add(lane, gather, before, first, submitted);
                first += len;
                lane = its;
            }
            run.push(row);
        }
        self.add(lane, gather, run, first, submitted);
    }

    /// The lane with the oldest rows that somebody waits for.
    pub(super) fn oldest(&self) -> Option<usize> {
        if let [only] = &self.bands[..] {
            return only.iter().any(Entry::is_live).then_some(0);
        }
        let lanes = self.bands.iter().enumerate();
        let oldest = lanes.filter_map(|(lane, entries)| {
            Some((entries.iter().find(|entry| entry.is_live())?.turn, lane))
        });
        oldest.min().map(|(_, lane)| lane)
    }

    pub(super) fn front(&self, lane: usize) -> Option<&Entry<R, O>> {
        self.bands[lane].front()
    }

    pub(super) fn front_mut(&mut self, lane: usize) -> Option<&mut Entry<R, O>> {
        self.bands[lane].front_mut()
    }

    pub(super) fn pop(&mut self, lane: usize) {
        self.bands[lane].pop_front();
    }

    /// The first rows of a lane that somebody waits for, `most` at most.
    pub(super) fn extent(&self, lane: usize, most: usize) -> Extent {
        let live = self.bands[lane]
            .iter()
            .filter(|entry| entry.is_live())
            .flat_map(|entry| entry.rows.as_slice());
        live.take(most)
            .fold(Extent { rows: 0, width: 0 }, |extent, row| Extent {
                rows: extent.rows + 1,
                width: extent.width.max((self.width)(row)),
            })
    }

    /// Forgets the entries of requests that are over.
    pub(super) fn sweep(&mut self) {
        for lane in &mut self.bands {
            lane.retain(Entry::is_live);
        }
    }

    /// Empties every lane.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Entry<R, O>> {
        self.bands.iter_mut().flat_map(|lane| lane.drain(..))
    }

    fn add(
        &mut self,
        lane: usize,
        gather: &Arc<Gather<O>>,
        rows: SmallVec<[R; 1]>,
        next: usize,
        submitted: Instant,
    ) {
        if self.bands.len() <= lane {
            self.bands.resize_with(lane + 1, VecDeque::new);
        }
        let turn = self.turns;
        self.turns += 1;
        self.bands[lane].push_back(Entry {
            gather: Arc::clone(gather),
            rows: rows.into_iter(),
            next,
            submitted,
            turn,
        });
    }
}

impl<R, O> Entry<R, O> {
    /// Whether somebody waits for it.
    fn is_live(&self) -> bool {
        self.gather.waiting.load(Ordering::Relaxed) > 0
    }
}

/// The lane of rows of this width: each takes widths up to twice those of the one before. Measured with the LSTM and 64
/// callers: finer lanes are too thin to fill batches, coarser ones pad too much.
fn lane_of(width: usize) -> usize {
    (usize::BITS - width.saturating_sub(1).leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_bands_of_widths() {
        for (widths, lane) in [
            (0..=1, 0),
            (2..=2, 1),
            (3..=4, 2),
            (5..=8, 3),
            (129..=256, 8),
            (257..=512, 9),
        ] {
            for width in widths {
                assert_eq!(lane_of(width), lane, "{width}");
            }
        }
        assert_eq!(lane_of(usize::MAX), 64);
    }
}
