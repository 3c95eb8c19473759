//! Gaussians of a classifier's features: how far they are from each other, and how one becomes the
//! other.

use tch::{Device, Kind, Tensor};

/// Mean `[d]` and covariance `[d, d]` of feature vectors, float64.
#[derive(Debug)]
pub(super) struct Gaussian {
    mean: Tensor,
    covariance: Tensor,
}

/// The linear map that makes one Gaussian of another and moves its points the least.
#[derive(Debug)]
pub(super) struct Transport {
    from: Tensor,
    to: Tensor,
    map: Tensor,
}

// Eigenvalues below this part of the largest one, or below its square where all are smaller, count
// as that: too few points have no spread along some axes.
const LEAST_EIGENVALUE: f64 = 1e-6;

// A symmetric matrix to the power of `exponent`.
fn power(matrix: &Tensor, exponent: f64, least: f64) -> Tensor {
    let (values, vectors) = matrix.linalg_eigh("L");
    let values = values.clamp_min(least).pow_tensor_scalar(exponent);
    (&vectors * values).matmul(&vectors.transpose(0, 1))
}

impl Transport {
    /// Points float32 `[n, d]` → where they belong in the other Gaussian, `[n, d]`.
    pub(super) fn apply(&self, points: &Tensor) -> Tensor {
        (points - &self.from).matmul(&self.map) + &self.to
    }
}

impl Gaussian {
    /// Of the rows of `features`, at least two.
    pub(super) fn of(features: &Tensor) -> Self {
        let features = features.to_device(Device::Cpu).to_kind(Kind::Double);
        let mean = features.mean_dim(0, false, Kind::Double);
        let centred = &features - &mean;
        let covariance = centred.transpose(0, 1).matmul(&centred) / (features.size()[0] - 1) as f64;
        Self { mean, covariance }
    }

    /// |m − n|² + tr(A + B − 2 (A B)^½) (Heusel et al. 2017, "GANs trained by a two time-scale
    /// update rule converge to a local Nash equilibrium", section 4).
    pub(super) fn frechet_distance(&self, other: &Self) -> f64 {
        // The last trace is that of (A^½ B A^½)^½, which is symmetric.
        let root = power(&self.covariance, 0.5, 0.0);
        let product = root.matmul(&other.covariance).matmul(&root);
        let cross = product
            .linalg_eigvalsh("L")
            .clamp_min(0.0)
            .sqrt()
            .sum(Kind::Double);
        let means = (&self.mean - &other.mean).square().sum(Kind::Double);
        let traces = self.covariance.trace() + other.covariance.trace();
        (means + traces - cross * 2.0).double_value(&[])
    }

    /// The map from this Gaussian to `other`: A^-½ (A^½ B A^½)^½ A^-½ (Dowson and Landau 1982, "The
    /// Fréchet distance between multivariate normal distributions"), written with the roots of B,
    /// whose covariance is the one of many images. The mean squared length of its moves is the
    /// Fréchet distance.
    pub(super) fn transport(&self, other: &Self, device: Device) -> Transport {
        let root = power(&other.covariance, 0.5, 0.0);
        let product = root.matmul(&self.covariance).matmul(&root);
        let largest = product.linalg_eigvalsh("L").max().double_value(&[]);
        let least = (largest * LEAST_EIGENVALUE).max(LEAST_EIGENVALUE.powi(2));
        let map = root.matmul(&power(&product, -0.5, least)).matmul(&root);
        let float32 = |it: &Tensor| it.to_kind(Kind::Float).to_device(device);
        Transport {
            from: float32(&self.mean),
            to: float32(&other.mean),
            map: float32(&map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagonal(mean: &[f64], variance: &[f64]) -> Gaussian {
        Gaussian {
            mean: Tensor::from_slice(mean),
            covariance: Tensor::from_slice(variance).diag(0),
        }
    }

    // For diagonal covariances the distance is |m − n|² + Σ (σ − τ)².
    #[test]
    fn the_distance_of_known_gaussians() {
        let left = diagonal(&[1.0, 2.0], &[4.0, 9.0]);
        let right = diagonal(&[1.0, 5.0], &[1.0, 16.0]);
        assert!((left.frechet_distance(&right) - (9.0 + 1.0 + 1.0)).abs() < 1e-9);
        assert!((right.frechet_distance(&left) - 11.0).abs() < 1e-9);
        assert!(left.frechet_distance(&left).abs() < 1e-9);
    }

    // A rotation of both changes nothing, so it tries covariances that are not diagonal.
    #[test]
    fn the_distance_does_not_depend_on_the_axes() {
        let turn = Tensor::from_slice(&[0.6, -0.8, 0.8, 0.6]).reshape([2, 2]);
        let turned = |it: &Gaussian| Gaussian {
            mean: turn.matmul(&it.mean),
            covariance: turn.matmul(&it.covariance).matmul(&turn.transpose(0, 1)),
        };
        let left = diagonal(&[1.0, 2.0], &[4.0, 9.0]);
        let right = diagonal(&[1.0, 5.0], &[1.0, 16.0]);
        let mixed = turned(&left).frechet_distance(&right);
        let swapped = right.frechet_distance(&turned(&left));
        assert!((mixed - swapped).abs() < 1e-9, "{mixed} {swapped}");
        let both = turned(&left).frechet_distance(&turned(&right));
        assert!((both - 11.0).abs() < 1e-9, "{both}");
    }

    #[test]
    fn mean_and_covariance_of_few_rows() {
        let rows = Tensor::from_slice(&[1.0_f32, 0.0, 3.0, 2.0, 5.0, 1.0]).reshape([3, 2]);
        let Gaussian { mean, covariance } = Gaussian::of(&rows);
        assert_eq!(Vec::<f64>::try_from(mean).unwrap(), [3.0, 1.0]);
        let covariance = Vec::<f64>::try_from(covariance.flatten(0, -1)).unwrap();
        assert_eq!(covariance, [4.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn transported_points_have_the_other_gaussian_and_move_by_the_distance() {
        tch::manual_seed(4);
        let options = (Kind::Float, Device::Cpu);
        let points = || Tensor::randn([500, 3], options).matmul(&Tensor::randn([3, 3], options));
        let (left, right) = (points(), points() + 2.0);
        let (from, to) = (Gaussian::of(&left), Gaussian::of(&right));
        let moved = from.transport(&to, Device::Cpu).apply(&left);
        assert!(Gaussian::of(&moved).frechet_distance(&to) < 1e-4);
        let moves = (moved - left).square().sum(Kind::Double).double_value(&[]) / 500.0;
        let distance = from.frechet_distance(&to);
        assert!(
            (moves - distance).abs() < 0.01 * distance,
            "{moves} {distance}"
        );
    }

    #[test]
    fn points_without_any_spread_are_moved_to_the_others_mean() {
        let options = (Kind::Float, Device::Cpu);
        let (same, others) = (
            Tensor::ones([4, 2], options),
            Tensor::randn([9, 2], options),
        );
        let (from, to) = (Gaussian::of(&same), Gaussian::of(&others));
        let moved = from.transport(&to, Device::Cpu).apply(&same);
        let mean = others.mean_dim(0, true, Kind::Float);
        assert!((moved - mean).abs().max().double_value(&[]) < 1e-5);
    }
}
