//! Layers that read sequences step by step, time first.

use quintet_onnx::ops::{self, RecurrentInputs};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::nn::{self, Init};
use tch::{Kind, Tensor};

use super::glorot_uniform;
use crate::export::add_weight_along;

/// What a recurrent layer does at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `h = tanh(x · Wᵀ + h · Rᵀ + b)`.
    SimpleRnn,
    /// Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    Lstm,
}

/// A recurrent layer from zeros that gives the state after each row's last step.
///
/// The weights are in libtorch's layout: an LSTM's gates stand in the order i, f, g, o.
#[derive(Debug)]
pub struct Recurrent {
    cell: Cell,
    name: &'static str,
    hidden: i64,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
}

/// Reorders an LSTM's weights `[4 · H, ...]` from libtorch's gates, i f g o, to ONNX's, i o f c.
/// What libtorch calls g is ONNX's c.
pub fn onnx_gates(weight: &Tensor) -> Tensor {
    let gates = weight.chunk(4, 0);
    let [i, f, g, o] = &gates[..] else {
        unreachable!("an LSTM's weight has rows for four gates");
    };
    Tensor::cat(&[i, o, f, g], 0)
}

impl Cell {
    const fn gates(self) -> i64 {
        match self {
            Self::SimpleRnn => 1,
            Self::Lstm => 4,
        }
    }
}

impl Recurrent {
    /// Glorot-uniform weights from the inputs, orthogonal ones from the state (Saxe et al. 2014),
    /// and a zero bias, 1 for the forget gate (Józefowicz et al. 2015).
    pub fn new(vs: &nn::Path<'_>, cell: Cell, inputs: i64, hidden: i64) -> Self {
        let name = match cell {
            Cell::SimpleRnn => "rnn",
            Cell::Lstm => "lstm",
        };
        let (path, rows) = (vs / name, cell.gates() * hidden);
        let layer = Self {
            cell,
            name,
            hidden,
            weight_ih: path.var("weight_ih", &[rows, inputs], glorot_uniform(inputs, hidden)),
            weight_hh: path.zeros("weight_hh", &[rows, hidden]),
            bias: path.zeros("bias", &[rows]),
        };
        tch::no_grad(|| {
            for mut gate in layer.weight_hh.chunk(cell.gates(), 0) {
                let mut orthogonal = gate.empty_like();
                orthogonal.init(Init::Orthogonal { gain: 1.0 });
                gate.copy_(&orthogonal);
            }
            if let [_, forget, ..] = &mut layer.bias.chunk(cell.gates(), 0)[..] {
                let _ = forget.fill_(1.0);
            }
        });
        layer
    }

    /// `x` float32 `[L, N, inputs]` and `lengths` int32 `[N]`, each 1 to L → float32 `[N, hidden]`.
    ///
    /// A state depends only on the steps before it, so what follows a row's length has no effect.
    pub fn forward(&self, x: &Tensor, lengths: &Tensor) -> Tensor {
        let (_, rows, _) = x.size3().expect("sequences have three axes");
        let start = Tensor::zeros([1, rows, self.hidden], (Kind::Float, x.device()));
        // libtorch expects a second bias.
        let weights = [
            &self.weight_ih,
            &self.weight_hh,
            &self.bias,
            &self.bias.zeros_like().detach(),
        ];
        let states = match self.cell {
            Cell::SimpleRnn => {
                x.rnn_tanh(&start, &weights, true, 1, 0.0, false, false, false)
                    .0
            }
            Cell::Lstm => {
                let start = [&start, &start];
                x.lstm(&start, &weights, true, 1, 0.0, false, false, false)
                    .0
            }
        };
        let last = (lengths.to_kind(Kind::Int64) - 1)
            .reshape([1, rows, 1])
            .expand([1, rows, self.hidden], false);
        states.gather(0, &last, false).squeeze_dim(0)
    }

    /// One `RNN` or `LSTM` with `sequence_lens`.
    pub fn export(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        lengths: &Value,
    ) -> Result<Value, GraphError> {
        let mut weight = |name: &str, weight: &Tensor| {
            let weight = match self.cell {
                Cell::SimpleRnn => weight.shallow_clone(),
                Cell::Lstm => onnx_gates(weight),
            };
            // ONNX also expects a bias of the state, which is zero.
            let weight = if name == "bias" {
                Tensor::cat(&[&weight, &weight.zeros_like()], 0)
            } else {
                weight
            };
            add_weight_along(graph, self.name, name, &weight.unsqueeze(0), 1)
        };
        let w = weight("weight_ih", &self.weight_ih)?;
        let r = weight("weight_hh", &self.weight_hh)?;
        let b = weight("bias", &self.bias)?;
        let inputs = RecurrentInputs {
            x,
            w: &w,
            r: &r,
            b: Some(&b),
            sequence_lens: Some(lengths),
        };
        let last = match self.cell {
            Cell::SimpleRnn => ops::rnn(graph, &inputs)?.y_h,
            Cell::Lstm => ops::lstm(graph, &inputs)?.y_h,
        };
        ops::squeeze(graph, &last, &[0])
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn gates_change_places() {
        // One row a gate: i = 1, f = 2, g = 3, o = 4.
        let torch = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]);
        let onnx = Vec::<f32>::try_from(onnx_gates(&torch)).unwrap();
        assert_eq!(onnx, [1.0, 4.0, 2.0, 3.0]);
        // Two rows a gate stay together.
        let torch = Tensor::arange(16, (Kind::Float, Device::Cpu)).reshape([8, 2]);
        let rows = onnx_gates(&torch).select(1, 0) / 2.0;
        let rows = Vec::<f32>::try_from(rows).unwrap();
        assert_eq!(rows, [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 4.0, 5.0]);
    }

    /// The equations of ONNX's LSTM for one feature and one hidden value, with gates i, o, f, c.
    fn reference([input, state, bias]: &[Vec<f32>; 3], steps: &[f32]) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let (mut hidden, mut cell) = (0.0_f32, 0.0_f32);
        for x in steps {
            let gate = |it: usize| x * input[it] + hidden * state[it] + bias[it];
            cell = sigmoid(gate(2)) * cell + sigmoid(gate(0)) * gate(3).tanh();
            hidden = sigmoid(gate(1)) * cell.tanh();
        }
        hidden
    }

    #[test]
    fn libtorchs_lstm_in_onnxs_order_follows_onnxs_equations() {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = Recurrent::new(&store.root(), Cell::Lstm, 1, 1);
        let weights = [
            [0.9_f32, -0.4, 1.7, 0.3],
            [-0.6, 0.8, 0.2, -1.1],
            [0.1, -0.7, 0.5, 1.3],
        ];
        tch::no_grad(|| {
            let pairs = [&layer.weight_ih, &layer.weight_hh, &layer.bias]
                .into_iter()
                .zip(&weights);
            for (weight, values) in pairs {
                let values = Tensor::from_slice(values).reshape(weight.size());
                weight.shallow_clone().copy_(&values);
            }
        });
        let steps = [0.7_f32, -1.2, 0.4];
        let x = Tensor::from_slice(&steps).reshape([3, 1, 1]);
        let onnx = |weight: &Tensor| {
            Vec::<f32>::try_from(onnx_gates(weight).detach().flatten(0, -1)).unwrap()
        };
        let weights = [&layer.weight_ih, &layer.weight_hh, &layer.bias].map(onnx);
        for length in 1..=3_usize {
            let lengths = Tensor::from_slice(&[length as i32]);
            let ours = layer.forward(&x, &lengths).double_value(&[0, 0]);
            let expected = f64::from(reference(&weights, &steps[..length]));
            assert!(
                (ours - expected).abs() < 1e-6,
                "{length}: {ours} {expected}"
            );
        }
    }
}
