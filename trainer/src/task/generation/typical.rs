//! The typical handwritten digits of each class, to learn from.
//!
//! A small generator spends much of its capacity on the few digits that are like no others, and
//! draws the rest worse. Learning from the dense parts of the data trades variety for quality
//! (DeVries et al. 2020, "Instance selection for GANs"). There, the density is that of a Gaussian
//! in the features of another network. Here it is one Gaussian a digit in the principal components
//! of the pixels, so that no judging network has an influence.

use quintet_data::mnist::CLASSES;
use tch::{Kind, Tensor};

use crate::data::Samples;

// Most of the variance of MNIST's pixels; the components after them are mostly noise.
const COMPONENTS: i64 = 64;

/// The `part` (0 to 1) of each digit's samples that lies nearest to the digit's mean, by
/// Mahalanobis distance.
///
/// Digits with too few samples for a covariance are kept whole.
pub fn typical(samples: &Samples, part: f64) -> Samples {
    if part >= 1.0 {
        return samples.slice(0, samples.len());
    }
    let components = principal_components(&samples.inputs[0]);
    let mut kept: Vec<i64> = Vec::new();
    for digit in 0..CLASSES as i64 {
        let members = samples.labels.eq(digit).nonzero().squeeze_dim(1);
        let count = members.size()[0];
        let wanted = (count as f64 * part).round() as i64;
        let near = if count > COMPONENTS {
            let distances = squared_distances(&components.index_select(0, &members));
            let order = distances.argsort_stable(true, 0, false);
            members.index_select(0, &order.narrow(0, 0, wanted))
        } else {
            members
        };
        kept.extend(Vec::<i64>::try_from(near).expect("indices are int64 [n]"));
    }
    // In the order of the data set, so that a larger part keeps the order of a smaller one.
    kept.sort_unstable();
    samples.select(&kept)
}

// Images uint8 `[n, 28, 28]` → float64 `[n, 64]`.
fn principal_components(pixels: &Tensor) -> Tensor {
    let pixels = pixels.flatten(1, -1).to_kind(Kind::Double) / 255.0;
    let centred = centred(&pixels);
    // Eigenvalues come in ascending order.
    let (_, vectors) = covariance(&centred).linalg_eigh("L");
    let all = vectors.size()[1];
    centred.matmul(&vectors.narrow(1, all - COMPONENTS, COMPONENTS))
}

// The squared Mahalanobis distance of each row of `[n, d]` from the mean of all.
fn squared_distances(rows: &Tensor) -> Tensor {
    let centred = centred(rows);
    let (values, vectors) = covariance(&centred).linalg_eigh("L");
    let whitened = centred.matmul(&vectors) / values.clamp_min(1e-12).sqrt();
    whitened
        .square()
        .sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)
}

fn centred(rows: &Tensor) -> Tensor {
    rows - rows.mean_dim(0, false, Kind::Double)
}

fn covariance(centred: &Tensor) -> Tensor {
    centred.transpose(0, 1).matmul(centred) / centred.size()[0] as f64
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    // A hundred threes that differ only by noise, ten that are inverted, and two sevens.
    fn odd_ones_last() -> Samples {
        tch::manual_seed(3);
        let noise = Tensor::randint(40, [100, 28, 28], (Kind::Int64, Device::Cpu));
        let odd: Tensor = Tensor::randint(2, [10, 28, 28], (Kind::Int64, Device::Cpu)) * 255;
        let sevens = Tensor::full([2, 28, 28], 9, (Kind::Int64, Device::Cpu));
        let labels = [vec![3_i64; 110], vec![7; 2]].concat();
        Samples {
            inputs: vec![Tensor::cat(&[noise, odd, sevens], 0).to_kind(Kind::Uint8)],
            labels: Tensor::from_slice(&labels),
            texts: None,
        }
    }

    #[test]
    fn what_is_like_nothing_else_goes_first_and_small_classes_stay() {
        let samples = odd_ones_last();
        let kept = typical(&samples, 100.0 / 110.0);
        assert_eq!(kept.len(), 102);
        let threes = samples.inputs[0].narrow(0, 0, 100);
        assert!(
            kept.inputs[0].narrow(0, 0, 100).equal(&threes),
            "an odd one was kept"
        );
        assert_eq!(kept.label_values()[100..], [7, 7]);
    }

    #[test]
    fn a_part_of_one_is_all() {
        let samples = odd_ones_last();
        let kept = typical(&samples, 1.0);
        assert!(kept.inputs[0].equal(&samples.inputs[0]));
    }
}
