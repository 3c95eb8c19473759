//! Convolution over images, and its transpose.

use super::FLOAT;
use super::spatial::{Image, Window};
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// Attributes of [`conv`]. The default is ONNX's: stride 1, no padding, no dilation, one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvAttributes {
    /// Steps down and to the right, in pixels.
    pub strides: [usize; 2],
    /// Zeros added at the top, left, bottom and right.
    pub pads: [usize; 4],
    /// Distance between the kernel's rows and columns.
    pub dilations: [usize; 2],
    /// How many groups the channels fall into; each group is convolved by itself.
    pub group: usize,
}

/// Attributes of [`conv_transpose`]. The default is ONNX's: stride 1, nothing cut, nothing added.
///
/// Dilation and groups are not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeAttributes {
    /// Steps between the places of neighbouring input pixels.
    pub strides: [usize; 2],
    /// Pixels cut off the result at the top, left, bottom and right.
    pub pads: [usize; 4],
    /// Pixels added to the result at the bottom and right; each less than its stride.
    pub output_padding: [usize; 2],
}

/// `Y[n, m] = B[m] + sum over c of X[n, c] ⋆ W[m, c]` (cross-correlation). float32.
/// [Conv](https://onnx.ai/onnx/operators/onnx__Conv.html)
///
/// `X: [N, C, H, W]`, `W: [M, C / group, kH, kW]`, `B: [M]`; `Y: [N, M, H', W']` with
/// `H' = floor((H + pads - ((kH - 1) * dilation + 1)) / stride) + 1`.
pub fn conv(
    graph: &mut GraphBuilder,
    x: &Value,
    w: &Value,
    b: Option<&Value>,
    attributes: ConvAttributes,
) -> Result<Value> {
    let mut node = Node::new(graph, "Conv");
    let (image, [m, channels, kernel @ ..]) =
        inputs(&mut node, (x, w, b), "[M, C / group, kH, kW], all fixed")?;
    let group = attributes.group;
    if group == 0 || !image.channels.is_multiple_of(group) || !m.is_multiple_of(group) {
        let allowed = format!("a divisor of {} and {m} channels", image.channels);
        return Err(node.bad_attribute("group", group, allowed));
    }
    if channels != image.channels / group {
        let allowed = format!("[M, {}, kH, kW]", image.channels / group);
        return Err(node.bad_shape("W", w, allowed));
    }
    bias(&node, b, m)?;
    let window = Window {
        kernel,
        strides: attributes.strides,
        pads: attributes.pads,
        dilations: attributes.dilations,
    };
    window.write(&mut node)?;
    node.attribute("group", group as i64);
    let size = window.fit(image.size);
    let size = size
        .ok_or_else(|| node.bad_shape("X", x, format!("at least one {kernel:?} kernel, padded")))?;
    node.finish(DataType::Float32, image.resized(m, size))
}

/// The transpose of [`conv`]: each input pixel adds its multiple of the kernel to the result.
/// float32. [ConvTranspose](https://onnx.ai/onnx/operators/onnx__ConvTranspose.html)
///
/// `X: [N, C, H, W]`, `W: [C, M, kH, kW]`, `B: [M]`; `Y: [N, M, H', W']` with
/// `H' = stride * (H - 1) + output_padding + kH - pads`.
pub fn conv_transpose(
    graph: &mut GraphBuilder,
    x: &Value,
    w: &Value,
    b: Option<&Value>,
    attributes: ConvTransposeAttributes,
) -> Result<Value> {
    let ConvTransposeAttributes {
        strides,
        pads,
        output_padding,
    } = attributes;
    let mut node = Node::new(graph, "ConvTranspose");
    let (image, [channels, m, kernel @ ..]) =
        inputs(&mut node, (x, w, b), "[C, M, kH, kW], all fixed")?;
    if channels != image.channels {
        return Err(node.bad_shape("W", w, format!("[{}, M, kH, kW]", image.channels)));
    }
    bias(&node, b, m)?;
    let window = Window {
        kernel,
        strides,
        pads,
        dilations: [1, 1],
    };
    window.write(&mut node)?;
    if (0..2).any(|axis| output_padding[axis] >= strides[axis]) {
        let allowed = format!("less than the strides {strides:?}");
        return Err(node.bad_attribute("output_padding", format!("{output_padding:?}"), allowed));
    }
    node.lengths("output_padding", &output_padding, 0)?;
    node.attribute("group", 1);
    let size = window.spread(image.size, output_padding);
    let size = size.ok_or_else(|| {
        let allowed = "what leaves at least one pixel";
        node.bad_attribute("pads", format!("{pads:?}"), allowed)
    })?;
    node.finish(DataType::Float32, image.resized(m, size))
}

/// Adds the inputs; gives the image and the lengths of `W`, whose shape `allowed` describes.
fn inputs(
    node: &mut Node<'_>,
    (x, w, b): (&Value, &Value, Option<&Value>),
    allowed: &str,
) -> Result<(Image, [usize; 4])> {
    node.input("X", x, FLOAT)?;
    node.input("W", w, FLOAT)?;
    node.optional_input("B", b, FLOAT)?;
    let image = Image::of(node, x)?;
    let lengths: Option<Vec<usize>> = w.shape().iter().map(Dim::fixed).collect();
    let lengths = lengths.and_then(|it| it.try_into().ok());
    Ok((
        image,
        lengths.ok_or_else(|| node.bad_shape("W", w, allowed))?,
    ))
}

fn bias(node: &Node<'_>, b: Option<&Value>, channels: usize) -> Result<()> {
    match b.filter(|b| *b.shape() != Shape::from([channels])) {
        Some(b) => Err(node.bad_shape("B", b, format!("[{channels}]"))),
        None => Ok(()),
    }
}

impl Default for ConvAttributes {
    fn default() -> Self {
        Self {
            strides: [1, 1],
            pads: [0; 4],
            dilations: [1, 1],
            group: 1,
        }
    }
}

impl Default for ConvTransposeAttributes {
    fn default() -> Self {
        Self {
            strides: [1, 1],
            pads: [0; 4],
            output_padding: [0, 0],
        }
    }
}
