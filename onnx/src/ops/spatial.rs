//! Images `[N, C, H, W]` and windows that slide over them.

use crate::error::Result;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// An input image's axes, its height and width known.
pub(super) struct Image {
    pub(super) batch: Dim,
    pub(super) channels: usize,
    pub(super) size: [usize; 2],
}

/// How a window slides over height and width.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) strides: [usize; 2],
    /// Top, left, bottom, right.
    pub(super) pads: [usize; 4],
    pub(super) dilations: [usize; 2],
}

impl Image {
    /// The value as an image; only the batch may be symbolic.
    pub(super) fn of(node: &Node<'_>, value: &Value) -> Result<Self> {
        let refuse = || node.bad_shape("X", value, "[N, C, H, W], where only N may be a symbol");
        let [batch, channels, height, width] = &value.shape()[..] else {
            return Err(refuse());
        };
        match (channels.fixed(), height.fixed(), width.fixed()) {
            (Some(channels), Some(height), Some(width)) => Ok(Self {
                batch: batch.clone(),
                channels,
                size: [height, width],
            }),
            _ => Err(refuse()),
        }
    }

    /// The shape of as many images with other channels and another size.
    pub(super) fn resized(self, channels: usize, [height, width]: [usize; 2]) -> Shape {
        Shape::from([self.batch, channels.into(), height.into(), width.into()])
    }
}

impl Window {
    /// Writes the attributes that every sliding operator has.
    pub(super) fn write(&self, node: &mut Node<'_>) -> Result<()> {
        node.lengths("kernel_shape", &self.kernel, 1)?;
        node.lengths("strides", &self.strides, 1)?;
        node.lengths("pads", &self.pads, 0)?;
        node.lengths("dilations", &self.dilations, 1)
    }

    /// How many times the window fits:
    /// `floor((in + pads - ((kernel - 1) * dilation + 1)) / stride) + 1`.
    pub(super) fn fit(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let room = size[axis] as i128 + self.padding(axis) - self.extent(axis);
            (room >= 0).then_some(room / self.strides[axis] as i128 + 1)
        };
        lengths([along(0)?, along(1)?])
    }

    /// What a transposed window makes:
    /// `stride * (in - 1) + output_padding + ((kernel - 1) * dilation + 1) - pads`.
    pub(super) fn spread(
        &self,
        size: [usize; 2],
        output_padding: [usize; 2],
    ) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let steps = self.strides[axis] as i128 * (size[axis] as i128 - 1);
            steps + output_padding[axis] as i128 + self.extent(axis) - self.padding(axis)
        };
        lengths([along(0), along(1)])
    }

    fn extent(&self, axis: usize) -> i128 {
        (self.kernel[axis] as i128 - 1) * self.dilations[axis] as i128 + 1
    }

    fn padding(&self, axis: usize) -> i128 {
        self.pads[axis] as i128 + self.pads[axis + 2] as i128
    }
}

/// Both as lengths, where both are at least 1.
fn lengths([height, width]: [i128; 2]) -> Option<[usize; 2]> {
    let length = |value: i128| usize::try_from(value).ok().filter(|&length| length > 0);
    Some([length(height)?, length(width)?])
}
