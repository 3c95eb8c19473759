//! Adam with a state that can be saved, so that a run can be resumed exactly.

use tch::{Kind, Tensor};

use crate::recipe;

const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019).
#[derive(Debug)]
pub struct Adam {
    weight_decay: f64,
    clip_norm: Option<f64>,
    beta1: f64,
    steps: i64,
    slots: Vec<Slot>,
}

/// One weight and Adam's averages of its gradient.
#[derive(Debug)]
struct Slot {
    name: String,
    weight: Tensor,
    /// Moving average of the gradient.
    first: Tensor,
    /// Moving average of the squared gradient.
    second: Tensor,
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

impl Adam {
    /// An optimizer of `weights`, which must be leaves that require gradients.
    pub fn new(weights: Vec<(String, Tensor)>, settings: &recipe::Optimizer) -> Self {
        let slots = weights.into_iter().map(|(name, weight)| Slot {
            first: weight.zeros_like().detach(),
            second: weight.zeros_like().detach(),
            name,
            weight,
        });
        Self {
            weight_decay: settings.weight_decay,
            clip_norm: settings.clip_norm,
            beta1: settings.beta1,
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
        self.steps += 1;
        if let Some(largest) = self.clip_norm {
            clip(gradients, largest);
        }
        let correction1 = 1.0 - self.beta1.powf(self.steps as f64);
        let correction2 = 1.0 - BETA2.powf(self.steps as f64);
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let Slot {
                weight,
                first,
                second,
                ..
            } = slot;
            let _ = first.lerp_(gradient, 1.0 - self.beta1);
            let _ = second.lerp_(&gradient.square(), 1.0 - BETA2);
            let mut spread = second.sqrt();
            let _ = spread.g_div_scalar_(correction2.sqrt());
            let _ = spread.g_add_scalar_(EPSILON);
            let mut change = first.true_divide(&spread);
            let _ = change.g_mul_scalar_(learning_rate / correction1);
            if self.weight_decay > 0.0 {
                let _ = weight.g_mul_scalar_(1.0 - learning_rate * self.weight_decay);
            }
            let _ = weight.g_sub_(&change);
        }
    }

    /// The averages, by name; the tensors share memory with the optimizer.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        for slot in &self.slots {
            state.push((format!("first.{}", slot.name), slot.first.shallow_clone()));
            state.push((format!("second.{}", slot.name), slot.second.shallow_clone()));
        }
        state
    }

    /// How many steps have been made.
    pub fn steps(&self) -> i64 {
        self.steps
    }

    /// Goes on from `steps` steps; the averages are restored through [`Adam::state`].
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

    #[test]
    fn moves_as_libtorchs_own() {
        let (_store, ours) = weight();
        let settings = recipe::Optimizer {
            learning_rate: 0.05,
            weight_decay: 0.0,
            clip_norm: None,
            beta1: 0.9,
        };
        let mut adam = Adam::new(vec![("w".to_owned(), ours.shallow_clone())], &settings);
        let (store, theirs) = weight();
        let mut reference = nn::Adam::default().build(&store, 0.05).unwrap();
        for step in 0..50 {
            adam.backward_step(&loss(&ours), 0.05);
            reference.backward_step(&loss(&theirs));
            let difference = (&ours - &theirs).abs().max().double_value(&[]);
            assert!(difference < 1e-5, "step {step}: {difference}");
        }
    }

    #[test]
    fn weight_decay_shrinks_without_a_gradient() {
        let (_store, weight) = weight();
        let settings = recipe::Optimizer {
            learning_rate: 0.1,
            weight_decay: 0.5,
            clip_norm: None,
            beta1: 0.9,
        };
        let mut adam = Adam::new(vec![("w".to_owned(), weight.shallow_clone())], &settings);
        adam.backward_step(&(&weight * 0.0).sum(Kind::Float), 0.1);
        let values = Vec::<f32>::try_from(weight.detach()).unwrap();
        for (value, expected) in values.iter().zip([0.95, -1.9, 0.475]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
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
