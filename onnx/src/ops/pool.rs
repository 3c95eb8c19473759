//! Pooling over images.

use super::FLOAT;
use super::spatial::{Image, Window};
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::value::Value;

/// Attributes of [`max_pool`]. Dilation and `ceil_mode` are not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPoolAttributes {
    /// The window's height and width.
    pub kernel_shape: [usize; 2],
    /// Steps down and to the right, in pixels.
    pub strides: [usize; 2],
    /// Pixels added at the top, left, bottom and right, each less than the kernel; they never win.
    pub pads: [usize; 4],
}

/// The greatest value under a sliding window, channel by channel. float32.
/// [MaxPool](https://onnx.ai/onnx/operators/onnx__MaxPool.html)
///
/// `X: [N, C, H, W]`; `Y: [N, C, H', W']` with `H' = floor((H + pads - kH) / stride) + 1`: an
/// incomplete window at the end is left out.
pub fn max_pool(
    graph: &mut GraphBuilder,
    x: &Value,
    attributes: MaxPoolAttributes,
) -> Result<Value> {
    let MaxPoolAttributes {
        kernel_shape: kernel,
        strides,
        pads,
    } = attributes;
    let mut node = Node::new(graph, "MaxPool");
    node.input("X", x, FLOAT)?;
    let image = Image::of(&node, x)?;
    let window = Window {
        kernel,
        strides,
        pads,
        dilations: [1, 1],
    };
    window.write(&mut node)?;
    if (0..4).any(|side| pads[side] >= kernel[side % 2]) {
        let allowed = format!("less than the kernel {kernel:?}");
        return Err(node.bad_attribute("pads", format!("{pads:?}"), allowed));
    }
    let size = window.fit(image.size);
    let size = size
        .ok_or_else(|| node.bad_shape("X", x, format!("at least one {kernel:?} window, padded")))?;
    let channels = image.channels;
    node.finish(DataType::Float32, image.resized(channels, size))
}

/// The mean of each channel. float32.
/// [GlobalAveragePool](https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html)
///
/// `X: [N, C, H, W]`; `Y: [N, C, 1, 1]`.
pub fn global_average_pool(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    let mut node = Node::new(graph, "GlobalAveragePool");
    node.input("X", x, FLOAT)?;
    let image = Image::of(&node, x)?;
    let channels = image.channels;
    node.finish(DataType::Float32, image.resized(channels, [1, 1]))
}

impl MaxPoolAttributes {
    /// Windows of `side` by `side` pixels that touch but do not overlap, without padding.
    #[must_use]
    pub fn square(side: usize) -> Self {
        Self {
            kernel_shape: [side; 2],
            strides: [side; 2],
            pads: [0; 4],
        }
    }
}
