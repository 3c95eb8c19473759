//! A first embedding that knows which words are positive and which are negative.
//!
//! The log-count ratio of a word, ln of how much commoner it is in good texts than in bad ones,
//! makes a strong classifier by itself (Wang & Manning 2012, "Baselines and bigrams"). In one
//! feature of the embedding, it gives the recurrent layer a useful signal from the first step on.
//! Training then changes all features.

use tch::{Device, Kind, Tensor};

use crate::data::Samples;
use crate::layers::EMBEDDING;
use crate::models::encoder::WORD_EMBEDDINGS;
use crate::network::Network;

/// Writes `scale` times each word's log-count ratio in `texts` into the first feature of the
/// embedding. A network without one is left as it is.
pub fn initialise(network: &Network, texts: &Samples, scale: f64) {
    let weights = network.weights();
    let names = [EMBEDDING, WORD_EMBEDDINGS].map(|layer| format!("{layer}.weight"));
    let embedding = weights.iter().find(|(name, _)| names.contains(name));
    if let (Some((_, table)), [tokens, lengths]) = (embedding, &texts.inputs[..]) {
        let words = table.size()[0] as usize;
        let ratios = log_count_ratios(&rows(tokens, lengths), &texts.label_values(), words);
        tch::no_grad(|| {
            let mut feature = table.select(1, 0);
            feature.copy_(&(Tensor::from_slice(&ratios) * scale));
        });
    }
}

fn rows(tokens: &Tensor, lengths: &Tensor) -> Vec<Vec<i64>> {
    let width = tokens.size()[1] as usize;
    let flat = tokens.to_device(Device::Cpu).flatten(0, -1);
    let flat = Vec::<i64>::try_from(flat).expect("tokens are int64");
    let lengths = lengths.to_device(Device::Cpu).to_kind(Kind::Int64);
    let lengths = Vec::<i64>::try_from(lengths).expect("there is one length a row");
    let row = |(row, length): (&[i64], i64)| row[..length as usize].to_vec();
    flat.chunks(width.max(1)).zip(lengths).map(row).collect()
}

/// The [`ratio`] of each word.
fn log_count_ratios(texts: &[Vec<i64>], labels: &[i64], words: usize) -> Vec<f32> {
    let mut counts = vec![[0.0_f32; 2]; words];
    for (text, &label) in texts.iter().zip(labels) {
        let mut distinct = text.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for word in distinct {
            counts[word as usize][label as usize] += 1.0;
        }
    }
    counts.into_iter().map(ratio).collect()
}

/// ln((1 + good texts with a word) / (1 + bad texts with it)), drawn towards zero where few texts
/// have it.
pub(crate) fn ratio([bad, good]: [f32; 2]) -> f32 {
    let sureness = 1.0 - 1.0 / (bad + good + 1.0).sqrt();
    ((1.0 + good) / (1.0 + bad)).ln() * sureness
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_ratios() {
        let texts = [vec![3, 4, 4], vec![3, 5], vec![3, 4], vec![5]];
        let ratios = log_count_ratios(&texts, &[1, 0, 1, 0], 7);
        // Word 3 is in two good texts and a bad one; 4 in two good, 5 in two bad, 6 in none.
        let expected = [
            1.5_f64.ln() * 0.5,
            3.0_f64.ln() * (1.0 - 1.0 / 3.0_f64.sqrt()),
            -(3.0_f64.ln()) * (1.0 - 1.0 / 3.0_f64.sqrt()),
            0.0,
        ];
        for (ratio, expected) in ratios[3..].iter().zip(expected) {
            assert!((f64::from(*ratio) - expected).abs() < 1e-6, "{ratios:?}");
        }
    }
}
