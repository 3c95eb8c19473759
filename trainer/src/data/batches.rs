//! The order in which an epoch sees the training samples.

use crate::random::SplitMix64;

// Batches that are sorted by length together: enough for little padding, few enough that chance
// decides which samples share a batch.
const POOL: usize = 50;

/// The batches of epoch `epoch` (from 1) over `samples` samples: each index once, the short last
/// batch kept.
pub fn shuffled(samples: usize, batch_size: usize, seed: u64, epoch: u32) -> Vec<Vec<i64>> {
    let order = SplitMix64::for_stream(seed, u64::from(epoch)).permutation(samples);
    order.chunks(batch_size).map(<[i64]>::to_vec).collect()
}

/// As [`shuffled`], over samples of `lengths`: each batch is of samples of similar length.
pub fn of_similar_length(
    lengths: &[i32],
    batch_size: usize,
    seed: u64,
    epoch: u32,
) -> Vec<Vec<i64>> {
    let mut random = SplitMix64::for_stream(seed, u64::from(epoch));
    let mut order = random.permutation(lengths.len());
    for pool in order.chunks_mut(batch_size.saturating_mul(POOL)) {
        pool.sort_by_key(|&index| lengths[index as usize]);
    }
    let batches: Vec<&[i64]> = order.chunks(batch_size).collect();
    let order = random.permutation(batches.len());
    order
        .iter()
        .map(|&it| batches[it as usize].to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_last_batch_is_kept() {
        let batches = shuffled(10, 4, 1, 1);
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 4, 2]);
    }

    #[test]
    fn order_depends_on_seed_and_epoch_only() {
        let lengths: Vec<i32> = (0..30).map(|it| it % 7).collect();
        let by_chance = |seed, epoch| shuffled(30, 8, seed, epoch);
        let by_length = |seed, epoch| of_similar_length(&lengths, 2, seed, epoch);
        for order in [&by_chance as &dyn Fn(u64, u32) -> Vec<Vec<i64>>, &by_length] {
            assert_eq!(order(1, 1), order(1, 1));
            assert_ne!(order(1, 1), order(1, 2));
            assert_ne!(order(1, 1), order(2, 1));
        }
    }

    #[test]
    fn batches_of_similar_length_lose_nothing_and_pad_little() {
        let lengths: Vec<i32> = (0..997).map(|it| 1 + it * 37 % 200).collect();
        let batches = of_similar_length(&lengths, 16, 3, 1);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..997).collect::<Vec<i64>>());
        assert_eq!(batches.len(), 997_usize.div_ceil(16));
        let padded: i32 = batches
            .iter()
            .map(|batch| {
                let length = |&index: &i64| lengths[index as usize];
                batch.iter().map(length).max().unwrap() * batch.len() as i32
            })
            .sum();
        let needed: i32 = lengths.iter().sum();
        assert!(padded < needed * 11 / 10, "{padded} for {needed}");
    }
}
