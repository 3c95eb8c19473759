//! A classifier of two classes that knows which words and pairs of words a text has.
//!
//! Wang & Manning 2012 ("Baselines and bigrams") scale each word and pair by its log-count ratio
//! and train a linear classifier on top. It says more of IMDB's reviews right than a small network
//! that learns from their labels alone, so a network can learn from what it says (Hinton et al.
//! 2015, "Distilling the knowledge in a neural network").

use crate::random::SplitMix64;

/// Pairs share this many weights by their hash; 2²¹ keeps most of IMDB's apart.
const BUCKETS: usize = 1 << 21;
/// Parts that the texts are cut into: each is judged by what learned from the others.
const FOLDS: usize = 5;
const EPOCHS: usize = 3;
const LEARNING_RATE: f32 = 2.0;

/// A linear classifier.
#[derive(Debug)]
struct Classifier {
    /// The log-count ratio of each feature.
    ratios: Vec<f32>,
    weights: Vec<f32>,
    bias: f32,
}

/// The probability of class 1 for each text, by a classifier that has not seen it. `labels` are 0
/// or 1, and the texts are in random order.
pub fn out_of_fold(texts: &[Vec<i64>], labels: &[i64], seed: u64) -> Vec<f32> {
    let features: Vec<Vec<u32>> = texts.iter().map(|text| features(text)).collect();
    let mut scores = vec![0.0; texts.len()];
    for fold in 0..FOLDS {
        let (unseen, seen): (Vec<_>, Vec<_>) =
            (0..texts.len()).partition(|index| index % FOLDS == fold);
        let samples: Vec<_> = seen
            .iter()
            .map(|&index| (&features[index][..], labels[index]))
            .collect();
        let classifier = Classifier::train(&samples, seed);
        for index in unseen {
            scores[index] = classifier.score(&features[index]);
        }
    }
    scores
}

/// The distinct words and pairs of words of a text.
fn features(text: &[i64]) -> Vec<u32> {
    let bucket = |number: u64| {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (hash as usize % BUCKETS) as u32
    };
    let words = text.iter().map(|&word| bucket(word as u64));
    let pairs = text
        .windows(2)
        .map(|pair| bucket((pair[0] as u64 + 1) << 32 | pair[1] as u64));
    let mut features: Vec<u32> = words.chain(pairs).collect();
    features.sort_unstable();
    features.dedup();
    features
}

impl Classifier {
    fn train(samples: &[(&[u32], i64)], seed: u64) -> Self {
        let mut classifier = Self {
            ratios: log_count_ratios(samples),
            weights: vec![0.0; BUCKETS],
            bias: 0.0,
        };
        for epoch in 0..EPOCHS {
            let rate = LEARNING_RATE * (1.0 - epoch as f32 / EPOCHS as f32);
            let mut random = SplitMix64::for_stream(seed, epoch as u64);
            for index in random.permutation(samples.len()) {
                let (features, label) = samples[index as usize];
                classifier.step(features, label as f32, rate);
            }
        }
        classifier
    }

    /// One step of stochastic gradient descent on the cross entropy.
    fn step(&mut self, features: &[u32], label: f32, rate: f32) {
        let change = rate * (label - self.score(features));
        self.bias += 0.01 * change;
        let scale = change * self.scale(features);
        for &feature in features {
            self.weights[feature as usize] += scale * self.ratios[feature as usize];
        }
    }

    fn score(&self, features: &[u32]) -> f32 {
        let part = |&feature: &u32| self.weights[feature as usize] * self.ratios[feature as usize];
        let sum: f32 = features.iter().map(part).sum();
        let logit = self.bias + self.scale(features) * sum;
        1.0 / (1.0 + (-logit).exp())
    }

    /// What gives the features of a text the length 1.
    fn scale(&self, features: &[u32]) -> f32 {
        let square = |&feature: &u32| self.ratios[feature as usize].powi(2);
        let square: f32 = features.iter().map(square).sum();
        1.0 / (square.sqrt() + 1e-6)
    }
}

/// As [`crate::naive_bayes`] has them for words.
fn log_count_ratios(samples: &[(&[u32], i64)]) -> Vec<f32> {
    let mut counts = vec![[0.0_f32; 2]; BUCKETS];
    for (features, label) in samples {
        for &feature in *features {
            counts[feature as usize][*label as usize] += 1.0;
        }
    }
    counts.into_iter().map(crate::naive_bayes::ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_tell_what_words_do_not() {
        // Each word is in as many good texts as in bad ones.
        let (not, very, good, bad) = (3, 4, 5, 6);
        let kinds = [
            ([not, bad], 1),
            ([not, good], 0),
            ([very, bad], 0),
            ([very, good], 1),
        ];
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for index in 0..400 {
            let (text, label) = &kinds[index * 7 % 4];
            texts.push([&[10 + index as i64], &text[..]].concat());
            labels.push(*label);
        }
        let scores = out_of_fold(&texts, &labels, 1);
        for (score, label) in scores.iter().zip(labels) {
            assert_eq!(*score > 0.5, label == 1, "{score}");
        }
    }
}
