//! Optimizers with a state that can be saved, so that a run can be resumed exactly.

use tch::{Kind, Tensor};

use crate::recipe::{self, Algorithm};

const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Changes weights by their gradients.
#[derive(Debug)]
pub struct Optimizer {
    settings: recipe::Optimizer,
    steps: i64,
    slots: Vec<Slot>,
}

/// One weight and the averages of its gradient.
#[derive(Debug)]
struct Slot {
    name: String,
    weight: Tensor,
    /// Adam's moving average of the gradient; SGD's velocity.
    first: Tensor,
    /// Adam's moving average of the squared gradient.
    second: Option<Tensor>,
}

// Scales all gradients together to a norm of at most `largest`, so that one batch with exploding
// gradients does not move the weights far (Pascanu et al. 2013).
fn clip(gradients: &[Tensor], largest: f64) {
    let square = |gradient: &Tensor| gradient.square().sum(Kind::Float);
    let squares: Vec<Tensor> = gradients.iter().map(square).collect();
    let norm = Tensor::stack(&squares, 0).sum(Kind::Float).sqrt();
    let factor = (largest / norm.double_value(&[])).min(1.0);
    for gradient in gradients {
        let _ = gradient.shallow_clone().g_mul_scalar_(factor);
    }
}

impl Slot {
    /// Adam's change of the weight in step `step` (from 1).
    fn adam(&mut self, gradient: &Tensor, beta1: f64, step: i64, learning_rate: f64) -> Tensor {
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let second = self.second.get_or_insert_with(|| gradient.zeros_like());
        let _ = self.first.lerp_(gradient, 1.0 - beta1);
        let _ = second.lerp_(&gradient.square(), 1.0 - BETA2);
        let mut spread = second.sqrt();
        let _ = spread.g_div_scalar_(correction(BETA2).sqrt());
        let _ = spread.g_add_scalar_(EPSILON);
        let mut change = self.first.true_divide(&spread);
        let _ = change.g_mul_scalar_(learning_rate / correction(beta1));
        change
    }

    /// The change of the weight by Nesterov's momentum.
    fn sgd(&mut self, gradient: &Tensor, momentum: f64, learning_rate: f64) -> Tensor {
        let _ = self.first.g_mul_scalar_(momentum);
        let _ = self.first.g_add_(gradient);
        (gradient + &self.first * momentum) * learning_rate
    }
}

impl Optimizer {
    /// An optimizer of `weights`, which must be leaves that require gradients.
    pub fn new(weights: Vec<(String, Tensor)>, settings: &recipe::Optimizer) -> Self {
        let zeros = |weight: &Tensor| weight.zeros_like().detach();
        let is_adam = settings.algorithm == Algorithm::Adam;
        let slots = weights.into_iter().map(|(name, weight)| Slot {
            first: zeros(&weight),
            second: is_adam.then(|| zeros(&weight)),
            name,
            weight,
        });
        Self {
            settings: settings.clone(),
            steps: 0,
            slots: slots.collect(),
        }
    }

    /// Computes the gradients of `loss` with respect to these weights alone, and makes a step.
    pub fn backward_step(&mut self, loss: &Tensor, learning_rate: f64) {
        let weights: Vec<&Tensor> = self.slots.iter().map(|slot| &slot.weight).collect();
        let gradients = Tensor::run_backward(&[loss], &weights, false, false);
        tch::no_grad(|| self.step(&gradients, learning_rate));
    }

    fn step(&mut self, gradients: &[Tensor], learning_rate: f64) {
        let recipe::Optimizer {
            algorithm,
            beta1,
            weight_decay,
            clip_norm,
            ..
        } = self.settings;
        self.steps += 1;
        if let Some(largest) = clip_norm {
            clip(gradients, largest);
        }
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let change = match algorithm {
                Algorithm::Adam => slot.adam(gradient, beta1, self.steps, learning_rate),
                Algorithm::Sgd => slot.sgd(gradient, beta1, learning_rate),
            };
            if weight_decay > 0.0 {
                let kept = 1.0 - learning_rate * weight_decay;
                let _ = slot.weight.g_mul_scalar_(kept);
            }
            let _ = slot.weight.g_sub_(&change);
        }
    }

    /// The averages, by name; the tensors share memory with the optimizer.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        for slot in &self.slots {
            state.push((format!("first.{}", slot.name), slot.first.shallow_clone()));
            let second = slot.second.as_ref().map(Tensor::shallow_clone);
            state.extend(second.map(|it| (format!("second.{}", slot.name), it)));
        }
        state
    }

    /// How many steps have been made.
    pub fn steps(&self) -> i64 {
        self.steps
    }

    /// Goes on from `steps` steps; the averages are restored through [`Optimizer::state`].
    pub fn set_steps(&mut self, steps: i64) {
        self.steps = steps;
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::{self, OptimizerConfig};

    use super::*;

    fn weight() -> (nn::VarStore, Tensor) {
        let store = nn::VarStore::new(Device::Cpu);
        let start = Tensor::from_slice(&[1.0_f32, -2.0, 0.5]);
        let weight = store.root().var_copy("w", &start);
        (store, weight)
    }

    fn loss(weight: &Tensor) -> Tensor {
        let target = Tensor::from_slice(&[0.3_f32, 0.1, -0.7]);
        (weight - target).pow_tensor_scalar(4).sum(Kind::Float)
    }

    fn settings(algorithm: Algorithm) -> recipe::Optimizer {
        recipe::Optimizer {
            algorithm,
            learning_rate: 0.05,
            weight_decay: 0.0,
            clip_norm: None,
            beta1: 0.9,
        }
    }

    fn optimizer(weight: &Tensor, settings: &recipe::Optimizer) -> Optimizer {
        Optimizer::new(vec![("w".to_owned(), weight.shallow_clone())], settings)
    }

    #[test]
    fn moves_as_libtorchs_own() {
        let nesterov = nn::Sgd {
            momentum: 0.9,
            nesterov: true,
            ..nn::Sgd::default()
        };
        for algorithm in [Algorithm::Adam, Algorithm::Sgd] {
            let (_store, ours) = weight();
            let mut optimizer = optimizer(&ours, &settings(algorithm));
            let (store, theirs) = weight();
            let rate = 0.005;
            let mut reference = match algorithm {
                Algorithm::Adam => nn::Adam::default().build(&store, rate).unwrap(),
                Algorithm::Sgd => nesterov.build(&store, rate).unwrap(),
            };
            for step in 0..50 {
                optimizer.backward_step(&loss(&ours), rate);
                reference.backward_step(&loss(&theirs));
                let difference = (&ours - &theirs).abs().max().double_value(&[]);
                assert!(difference < 1e-5, "{algorithm:?} step {step}: {difference}");
            }
        }
    }

    #[test]
    fn weight_decay_shrinks_without_a_gradient() {
        for algorithm in [Algorithm::Adam, Algorithm::Sgd] {
            let (_store, weight) = weight();
            let settings = recipe::Optimizer {
                weight_decay: 0.5,
                ..settings(algorithm)
            };
            let mut optimizer = optimizer(&weight, &settings);
            optimizer.backward_step(&(&weight * 0.0).sum(Kind::Float), 0.1);
            let values = Vec::<f32>::try_from(weight.detach()).unwrap();
            for (value, expected) in values.iter().zip([0.95, -1.9, 0.475]) {
                assert!((value - expected).abs() < 1e-6, "{values:?}");
            }
        }
    }

    #[test]
    fn long_gradients_are_shortened_and_short_ones_left() {
        for (largest, expected) in [(1.0, [0.6, -0.8]), (10.0, [3.0, -4.0])] {
            let gradients = [
                Tensor::from_slice(&[3.0_f32]),
                Tensor::from_slice(&[-4.0_f32]),
            ];
            clip(&gradients, largest);
            for (gradient, expected) in gradients.iter().zip(expected) {
                let value = gradient.double_value(&[0]);
                assert!((value - expected).abs() < 1e-6, "{value} for {expected}");
            }
        }
    }
}
