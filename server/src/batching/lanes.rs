//! Where rows wait, apart by width: a run is as wide as its widest row, so rows of similar width
//! should run together.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::BatchRow;
use super::clock::Instant;
use super::flows::Flows;
use super::request::Gather;

/// Waiting rows by width, each lane in the order of their [`Flows`]. Rows of width 1 have the first lane for
/// themselves.
pub(super) struct Lanes<R, O> {
    /// As many as rows have needed so far.
    pub(super) lanes: Vec<VecDeque<Entry<R, O>>>,
    /// Orders the entries.
    pub(super) flows: Flows,
}

/// What is left in one lane of neighbouring rows of one request.
pub(super) struct Entry<R, O> {
    pub(super) gather: Arc<Gather<O>>,
    pub(super) rows: smallvec::IntoIter<[R; 1]>,
    /// The request's own index of the next row.
    pub(super) next: usize,
    pub(super) submitted: Instant,
    /// Its place in the order of all entries.
    pub(super) start: u64,
}

/// How many rows, and the width of the widest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Extent {
    /// These rows and those.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            width: self.width.max(other.width),
        }
    }

    /// These and one more row.
    pub(super) fn with(self, row: &impl BatchRow) -> Self {
        Self {
            rows: self.rows + 1,
            width: self.width.max(row.width()),
        }
    }
}

impl<R: BatchRow, O> Lanes<R, O> {
    /// Puts the rows of a request where rows of their width wait.
    pub(super) fn push(
        &mut self,
        gather: &Arc<Gather<O>>,
        rows: SmallVec<[R; 1]>,
        submitted: Instant,
    ) {
        let mut add = |lane: usize, rows: SmallVec<[R; 1]>, next| {
            if self.lanes.len() <= lane {
                self.lanes.resize_with(lane + 1, VecDeque::new);
            }
            let start = self.flows.start(gather.flow, rows.len());
            let entry = Entry {
                gather: Arc::clone(gather),
                rows: rows.into_iter(),
                next,
                submitted,
                start,
            };
            let lane = &mut self.lanes[lane];
            match lane.back() {
                Some(last) if last.start > start => {
                    let place = lane.partition_point(|other| other.start <= start);
                    lane.insert(place, entry);
                }
                _ => lane.push_back(entry),
            }
        };
        let Some(lane) = rows.first().map(lane_of) else {
            return;
        };
        if rows[1..].iter().all(|row| lane_of(row) == lane) {
            return add(lane, rows, 0);
        }
        let (mut rows, mut next) = (rows.into_iter().peekable(), 0);
        while let Some(lane) = rows.peek().map(lane_of) {
            let of_lane = std::iter::from_fn(|| rows.next_if(|row| lane_of(row) == lane));
            let of_lane: SmallVec<[R; 1]> = of_lane.collect();
            let len = of_lane.len();
            add(lane, of_lane, next);
            next += len;
        }
    }

    /// The first rows of a lane whose callers still wait, as long as `admit` takes one more.
    pub(super) fn extent(&self, lane: usize, admit: impl Fn(Extent, &R) -> bool) -> Extent {
        let entries = self.lanes.get(lane).into_iter().flatten();
        let live = entries
            .filter(|entry| entry.is_live())
            .flat_map(|entry| entry.rows.as_slice());
        let mut extent = Extent::default();
        for row in live {
            if !admit(extent, row) {
                break;
            }
            extent = extent.with(row);
        }
        extent
    }

    /// The lane with the first rows whose caller still waits.
    pub(super) fn oldest(&self) -> Option<usize> {
        if let [only] = &self.lanes[..] {
            return only.iter().any(Entry::is_live).then_some(0);
        }
        let lanes = self.lanes.iter().enumerate();
        let oldest = lanes.filter_map(|(lane, entries)| {
            Some((entries.iter().find(|entry| entry.is_live())?.start, lane))
        });
        oldest.min().map(|(_, lane)| lane)
    }

    /// The next narrower lane in which rows wait.
    pub(super) fn below(&self, lane: usize) -> Option<usize> {
        self.lanes[..lane].iter().rposition(has_live)
    }

    /// The next wider lane in which rows wait.
    pub(super) fn above(&self, lane: usize) -> Option<usize> {
        let wider = self.lanes.get(lane + 1..)?;
        Some(lane + 1 + wider.iter().position(has_live)?)
    }

    /// Removes the entries of requests that are over.
    pub(super) fn sweep(&mut self) {
        for lane in &mut self.lanes {
            lane.retain(Entry::is_live);
        }
    }
}

impl<R, O> Entry<R, O> {
    /// Whether its caller still waits.
    fn is_live(&self) -> bool {
        self.gather.waiting.rows() > 0
    }
}

fn has_live<R, O>(lane: &VecDeque<Entry<R, O>>) -> bool {
    lane.iter().any(Entry::is_live)
}

/// Lanes between a width and its double.
const LANES: u32 = 8;

/// The lane of a row. The widest rows of a lane are at most an eighth wider than its narrowest.
fn lane_of(row: &impl BatchRow) -> usize {
    let Some(above) = row.width().checked_sub(1).filter(|above| *above > 0) else {
        return 0;
    };
    let doublings = above.ilog2();
    // The bits below the first say how far it is to the next doubling.
    let part = ((above - (1 << doublings)) as u128 * u128::from(LANES)) >> doublings;
    1 + (doublings * LANES) as usize + part as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wide(usize);

    impl BatchRow for Wide {
        fn width(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn rows_of_a_lane_differ_by_an_eighth_at_most() {
        assert_eq!([0, 1, 2].map(|width| lane_of(&Wide(width))), [0, 0, 1]);
        for width in 2..3000 {
            let (lane, next) = (lane_of(&Wide(width)), lane_of(&Wide(width + 1)));
            assert!(lane <= next);
            // A width that ends a lane, and the first one of that lane.
            if lane < next {
                let first = (1..=width).find(|it| lane_of(&Wide(*it)) == lane).unwrap();
                assert!(width <= first + (first - 1) / 8, "{first} to {width}");
            }
        }
        assert_eq!(lane_of(&Wide(usize::MAX)), 512);
    }
}
