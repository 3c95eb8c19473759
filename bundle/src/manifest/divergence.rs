//! How far probabilities are from telling nothing.

/// `D(U‖P)` of Kullback & Leibler (1951) in nats, with `P` the labels' probabilities and `U` the
/// distribution in which each label is as likely: `-ln C - mean(ln p)` of `C` labels.
///
/// It is 0 where every label is as likely, and what a classifier trained with outlier exposure
/// (Hendrycks, Mazeika & Dietterich 2019) makes small for an input of something else. A digit that
/// may be a 1 or a 7 is far from `U`, although neither label is sure.
pub fn divergence_from_uniform(probabilities: &[f32]) -> f32 {
    let labels = probabilities.len() as f64;
    // A softmax may underflow to 0.
    let logarithm = |it: &f32| f64::from(it.max(f32::MIN_POSITIVE)).ln();
    let mean = probabilities.iter().map(logarithm).sum::<f64>() / labels;
    (-labels.ln() - mean) as f32
}

/// Whether a model knows something in an input with these probabilities of its labels: they have at
/// least this [`divergence_from_uniform`], where one is given ([`Manifest::least_divergence`]).
///
/// [`Manifest::least_divergence`]: crate::Manifest::least_divergence
pub fn is_known(probabilities: &[f32], least_divergence: Option<f32>) -> bool {
    least_divergence.is_none_or(|least| divergence_from_uniform(probabilities) >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_likely_labels_are_far_from_uniform_and_ten_are_not() {
        let uniform = divergence_from_uniform(&[0.1; 10]);
        assert!(uniform.abs() < 1e-6, "{uniform}");
        let mut doubtful = [1e-6; 10];
        (doubtful[1], doubtful[7]) = (0.5, 0.5);
        let one_or_seven = divergence_from_uniform(&doubtful);
        // -ln 10 - (8 ln 1e-6 + 2 ln 0.5) / 10
        assert!((one_or_seven - 8.888).abs() < 1e-3, "{one_or_seven}");
        let mut spread = [0.3 / 9.0; 10];
        spread[3] = 0.7;
        assert!(divergence_from_uniform(&spread) < 1.0);
        assert!(is_known(&doubtful, Some(1.0)));
        assert!(!is_known(&spread, Some(1.0)));
        assert!(is_known(&spread, None));
    }

    #[test]
    fn a_probability_of_0_is_a_number() {
        let certain = divergence_from_uniform(&[0.0, 1.0]);
        assert!(certain > 40.0 && certain.is_finite(), "{certain}");
    }
}
