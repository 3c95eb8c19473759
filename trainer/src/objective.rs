//! The loss of a classifier, and its number of correct answers.

use tch::{Kind, Reduction, Tensor};

/// Whether `logits` are `[N]`, one log odds for two classes, rather than `[N, C]`.
pub fn is_binary(logits: &Tensor) -> bool {
    logits.dim() == 1
}

/// Mean cross entropy of `logits` (`[N, C]` or `[N]`) with `labels` int64 `[N]`, or probabilities
/// float32 `[N, C]`; `smoothing` is the part of the target spread evenly over all classes.
pub fn loss(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Tensor {
    if is_binary(logits) {
        return soft_loss(logits, &targets(labels, smoothing));
    }
    logits.cross_entropy_loss(
        labels,
        None::<Tensor>,
        Reduction::Mean,
        -100, // libtorch's label for "ignore"; no sample has it
        smoothing,
    )
}

/// As [`loss`] of logits `[N, C]`, of which only the first rows have labels: of the others every
/// class is to be as likely (Hendrycks et al. 2019, see [`crate::data::outliers`]).
pub fn loss_with_outliers(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Tensor {
    let (rows, labelled, classes) = (logits.size()[0], labels.numel() as i64, logits.size()[1]);
    let known = labels.one_hot(classes).to_kind(Kind::Float);
    let even = Tensor::ones([rows - labelled, classes], (Kind::Float, labels.device()));
    loss(
        logits,
        &Tensor::cat(&[known, even / classes as f64], 0),
        smoothing,
    )
}

/// As [`loss`] of logits `[N]`, with the probabilities `target` float32 `[N]` in the labels' place.
pub fn soft_loss(logits: &Tensor, target: &Tensor) -> Tensor {
    let weight = None::<Tensor>;
    logits.binary_cross_entropy_with_logits(target, weight, None, Reduction::Mean)
}

/// The targets of [`soft_loss`] for `labels` int64 `[N]`, with `smoothing` as in [`loss`].
pub fn targets(labels: &Tensor, smoothing: f64) -> Tensor {
    labels.to_kind(Kind::Float) * (1.0 - smoothing) + smoothing / 2.0
}

/// How many rows of `logits` are highest at their label, as a tensor of one number.
pub fn correct(logits: &Tensor, labels: &Tensor) -> Tensor {
    let given = if is_binary(logits) {
        logits.gt(0.0).to_kind(Kind::Int64)
    } else {
        logits.argmax(-1, false)
    };
    given.eq_tensor(labels).sum(Kind::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_is_best_where_every_class_is_as_likely() {
        let loss = |outlier: [f32; 3]| {
            let logits = Tensor::from_slice2(&[[2.0, 0.0, 0.0], outlier]);
            loss_with_outliers(&logits, &Tensor::from_slice(&[0_i64]), 0.0).double_value(&[])
        };
        let known = -(2.0_f64.exp() / (2.0_f64.exp() + 2.0)).ln();
        let even = loss([1.0, 1.0, 1.0]);
        assert!(
            (even - f64::midpoint(known, 3.0_f64.ln())).abs() < 1e-6,
            "{even}"
        );
        assert!(loss([1.0, 1.0, 1.2]) > even && loss([5.0, 1.0, 1.0]) > loss([2.0, 1.0, 1.0]));
    }

    /// Log odds as two logits must give the same loss and the same count.
    #[test]
    fn one_log_odds_is_two_classes() {
        let odds = Tensor::from_slice(&[2.0_f32, -0.5, 0.25, -3.0]);
        let two = Tensor::stack(&[odds.zeros_like(), odds.shallow_clone()], 1);
        let labels = Tensor::from_slice(&[1_i64, 1, 0, 0]);
        for smoothing in [0.0, 0.1] {
            let binary = loss(&odds, &labels, smoothing).double_value(&[]);
            let classes = loss(&two, &labels, smoothing).double_value(&[]);
            assert!((binary - classes).abs() < 1e-6, "{binary} {classes}");
        }
        assert_eq!(correct(&odds, &labels).int64_value(&[]), 2);
        assert_eq!(correct(&two, &labels).int64_value(&[]), 2);
    }
}
