//! The order in which an epoch sees the training images.

use crate::random::SplitMix64;

/// One epoch's batches of indices: shuffled by seed and epoch, each index once, the short last
/// batch kept.
#[derive(Debug)]
pub struct Batches {
    order: Vec<i64>,
    batch_size: usize,
}

// === impl Batches ===

impl Batches {
    /// The batches of epoch `epoch` (from 1) over `samples` images.
    pub fn shuffled(samples: usize, batch_size: usize, seed: u64, epoch: u32) -> Self {
        let order = SplitMix64::for_stream(seed, u64::from(epoch)).permutation(samples);
        Self { order, batch_size }
    }

    /// How many batches the epoch has.
    pub fn count(samples: usize, batch_size: usize) -> usize {
        samples.div_ceil(batch_size)
    }

    /// The batches, in order.
    pub fn iter(&self) -> std::slice::Chunks<'_, i64> {
        self.order.chunks(self.batch_size)
    }
}

impl<'a> IntoIterator for &'a Batches {
    type Item = &'a [i64];
    type IntoIter = std::slice::Chunks<'a, i64>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_last_batch_is_kept() {
        let batches = Batches::shuffled(10, 4, 1, 1);
        let sizes: Vec<usize> = batches.iter().map(<[i64]>::len).collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(Batches::count(10, 4), 3);
    }

    #[test]
    fn order_depends_on_seed_and_epoch_only() {
        let order = |seed, epoch| Batches::shuffled(30, 8, seed, epoch).order;
        assert_eq!(order(1, 1), order(1, 1));
        assert_ne!(order(1, 1), order(1, 2));
        assert_ne!(order(1, 1), order(2, 1));
    }
}
