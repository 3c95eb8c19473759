//! Recurrent layers: one layer, forward, starting from zeros, over `[L, N, I]` (time first).

use super::FLOAT;
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// Inputs of [`rnn`] and [`lstm`]. `G` is the number of gates: 1 for RNN, 4 for LSTM.
///
/// The leading axis of length 1 in the weights stands for the one direction.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentInputs<'v> {
    /// `float32 [L, N, I]`: steps, batch, features.
    pub x: &'v Value,
    /// `float32 [1, G * H, I]`: from the input to the gates.
    pub w: &'v Value,
    /// `float32 [1, G * H, H]`: from the last state to the gates.
    pub r: &'v Value,
    /// `float32 [1, 2 * G * H]`: the input's biases, then the state's.
    pub b: Option<&'v Value>,
    /// `int32 [N]`: how many steps of each row count, at most `L`. The last state is the one after
    /// them, and `y` is zero from there on. Without it, all `L`.
    pub sequence_lens: Option<&'v Value>,
}

/// Results of [`rnn`]. What is not used is left out of the file.
#[derive(Clone, Debug)]
pub struct RnnOutputs {
    /// `float32 [L, 1, N, H]`: the state after each step.
    pub y: Value,
    /// `float32 [1, N, H]`: the state after each row's last step.
    pub y_h: Value,
}

/// Results of [`lstm`]. What is not used is left out of the file.
#[derive(Clone, Debug)]
pub struct LstmOutputs {
    /// `float32 [L, 1, N, H]`: the state after each step.
    pub y: Value,
    /// `float32 [1, N, H]`: the state after each row's last step.
    pub y_h: Value,
    /// `float32 [1, N, H]`: the cell after each row's last step.
    pub y_c: Value,
}

/// `Ht = tanh(Xt * W^T + Ht-1 * R^T + Wb + Rb)`.
/// [RNN](https://onnx.ai/onnx/operators/onnx__RNN.html)
pub fn rnn(graph: &mut GraphBuilder, inputs: &RecurrentInputs<'_>) -> Result<RnnOutputs> {
    let mut node = Node::new(graph, "RNN");
    let [all, last] = recurrent(&mut node, inputs, 1)?;
    let float = DataType::Float32;
    let [y, y_h] = node.finish_all([("Y", float, all), ("Y_h", float, last)])?;
    Ok(RnnOutputs { y, y_h })
}

/// A long short-term memory. [LSTM](https://onnx.ai/onnx/operators/onnx__LSTM.html)
///
/// **The gates stand in the order i, o, f, c** (input, output, forget, cell) in `w`, `r` and each
/// half of `b`; libtorch's order is i, f, g, o.
///
/// ```text
/// it = sigmoid(Xt * Wi^T + Ht-1 * Ri^T + Wbi + Rbi)
/// ft = sigmoid(Xt * Wf^T + Ht-1 * Rf^T + Wbf + Rbf)
/// ct = tanh(Xt * Wc^T + Ht-1 * Rc^T + Wbc + Rbc)
/// Ct = ft ⊙ Ct-1 + it ⊙ ct
/// ot = sigmoid(Xt * Wo^T + Ht-1 * Ro^T + Wbo + Rbo)
/// Ht = ot ⊙ tanh(Ct)
/// ```
pub fn lstm(graph: &mut GraphBuilder, inputs: &RecurrentInputs<'_>) -> Result<LstmOutputs> {
    let mut node = Node::new(graph, "LSTM");
    let [all, last] = recurrent(&mut node, inputs, 4)?;
    let float = DataType::Float32;
    let [y, y_h, y_c] = node.finish_all([
        ("Y", float, all),
        ("Y_h", float, last.clone()),
        ("Y_c", float, last),
    ])?;
    Ok(LstmOutputs { y, y_h, y_c })
}

/// Adds the inputs and attributes; gives the shapes of `Y` and of the last state.
fn recurrent(
    node: &mut Node<'_>,
    inputs: &RecurrentInputs<'_>,
    gates: usize,
) -> Result<[Shape; 2]> {
    let RecurrentInputs {
        x,
        w,
        r,
        b,
        sequence_lens,
    } = *inputs;
    node.input("X", x, FLOAT)?;
    node.input("W", w, FLOAT)?;
    node.input("R", r, FLOAT)?;
    node.optional_input("B", b, FLOAT)?;
    node.optional_input("sequence_lens", sequence_lens, &[DataType::Int32])?;

    let [steps, batch, features] = &x.shape()[..] else {
        return Err(node.bad_shape("X", x, "[L, N, I]"));
    };
    if features.fixed().is_none() {
        return Err(node.bad_shape("X", x, "[L, N, I] with a fixed I"));
    }
    let hidden = match r.shape()[..] {
        [Dim::Fixed(1), Dim::Fixed(rows), Dim::Fixed(hidden)]
            if hidden.checked_mul(gates) == Some(rows) =>
        {
            hidden
        }
        _ => return Err(node.bad_shape("R", r, format!("[1, {gates} * H, H]"))),
    };
    let rows = gates * hidden;
    let expected_w = Shape::from([1.into(), rows.into(), features.clone()]);
    let expected_b = Shape::from([1.into(), Dim::Fixed(rows.saturating_mul(2))]);
    let expected_lens = Shape::from([batch.clone()]);
    for (input, value, expected) in [
        ("W", Some(w), expected_w),
        ("B", b, expected_b),
        ("sequence_lens", sequence_lens, expected_lens),
    ] {
        if let Some(value) = value.filter(|value| *value.shape() != expected) {
            return Err(node.bad_shape(input, value, expected));
        }
    }
    node.attribute("direction", b"forward".to_vec());
    node.attribute("hidden_size", hidden as i64);
    let all = Shape::from([steps.clone(), 1.into(), batch.clone(), hidden.into()]);
    let last = Shape::from([1.into(), batch.clone(), hidden.into()]);
    Ok([all, last])
}
