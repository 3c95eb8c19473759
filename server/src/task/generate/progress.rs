//! How far a drawing has come, and how many candidates to draw next: a plain value.

/// The weight of the usual share: it counts as this many candidates that were seen earlier.
const SEEN_BEFORE: f64 = 10.0;

/// Images found and candidates drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Progress {
    /// Images asked for.
    pub(super) wanted: u64,
    /// Images kept.
    pub(super) found: u64,
    /// Candidates drawn; the next one's index.
    pub(super) drawn: u64,
    /// The most candidates to draw.
    limit: u64,
    /// The most candidates to draw at once.
    largest: u64,
    /// The share of candidates that the filter is expected to keep; 1: all, there is none.
    usual_share: f64,
}

impl Progress {
    /// Nothing drawn yet.
    pub(super) fn new(wanted: u64, limit: u64, largest: u64, usual_share: f64) -> Self {
        Self {
            wanted,
            found: 0,
            drawn: 0,
            limit,
            largest: largest.max(1),
            usual_share,
        }
    }

    /// Images still to be found.
    pub(super) fn missing(&self) -> u64 {
        self.wanted - self.found
    }

    /// Whether all images are found.
    pub(super) fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// How many candidates to draw next: as many as are likely to hold what is missing, by the
    /// share that was kept so far, within the bounds. `None`: no more may be drawn.
    pub(super) fn next(&self) -> Option<u64> {
        let missing = self.missing();
        let needed = if self.usual_share < 1.0 {
            let kept = self.found as f64 + SEEN_BEFORE * self.usual_share;
            let share = kept / (self.drawn as f64 + SEEN_BEFORE);
            let missing = missing as f64;
            // A root more, about the deviation of such a count, so that the last few seldom take a
            // chunk of their own.
            ((missing + missing.sqrt()) / share).ceil() as u64
        } else {
            missing
        };
        let next = needed.min(self.largest).min(self.limit - self.drawn);
        (next > 0).then_some(next)
    }

    /// `candidates` more were drawn, and `kept` of them kept.
    pub(super) fn record(&mut self, candidates: u64, kept: u64) {
        self.drawn += candidates;
        self.found += kept;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Draws to the end, every `nth` candidate being kept: the chunks' sizes.
    fn draw(progress: &mut Progress, nth: u64) -> Vec<u64> {
        let mut chunks = Vec::new();
        while !progress.is_complete()
            && let Some(next) = progress.next()
        {
            let kept = (progress.drawn..progress.drawn + next)
                .filter(|index| index % nth == nth - 1)
                .count() as u64;
            progress.record(next, kept.min(progress.missing()));
            chunks.push(next);
        }
        chunks
    }

    #[test]
    fn without_a_filter_nothing_is_drawn_in_vain() {
        let mut progress = Progress::new(70, 70, 32, 1.0);
        assert_eq!(draw(&mut progress, 1), [32, 32, 6]);
        assert!(progress.is_complete());
    }

    #[test]
    fn with_a_filter_the_chunks_fit_what_is_kept() {
        // Ten of a digit: full chunks, then about what is missing.
        let mut progress = Progress::new(10, 2560, 32, 0.1);
        let chunks = draw(&mut progress, 10);
        assert!(progress.is_complete());
        assert!(progress.drawn < 140, "{chunks:?}");
        assert!(chunks.iter().all(|size| *size > 4), "{chunks:?}");
        // A digit that hardly ever comes: the chunks stay full.
        let mut progress = Progress::new(1, 256, 32, 0.1);
        assert_eq!(
            draw(&mut progress, 1000),
            [20, 32, 32, 32, 32, 32, 32, 32, 12]
        );
        assert!(!progress.is_complete());
        // A filter that keeps everything is soon known for it.
        let mut progress = Progress::new(100, 25_600, 32, 0.1);
        draw(&mut progress, 1);
        assert!(progress.drawn < 120, "{}", progress.drawn);
    }

    proptest! {
        #[test]
        fn the_bounds_hold(
            wanted in 1_u64..200, most in 1_u64..50, largest in 1_u64..100, nth in 1_u64..40,
        ) {
            let limit = wanted * most;
            let mut progress = Progress::new(wanted, limit, largest, 0.1);
            let chunks = draw(&mut progress, nth);
            prop_assert!(chunks.iter().all(|size| (1..=largest).contains(size)));
            prop_assert_eq!(chunks.iter().sum::<u64>(), progress.drawn);
            prop_assert!(progress.drawn <= limit);
            // It gives up only when nothing is left.
            prop_assert_eq!(progress.is_complete(), limit / nth >= wanted);
            prop_assert!(progress.is_complete() || progress.drawn == limit);
        }
    }
}
