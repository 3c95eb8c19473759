//! Residual networks (He et al. 2016, "Deep residual learning for image recognition"): ResNet-20 for
//! images of 28×28 pixels, and ResNet-18 to ResNet-152 for photographs.
//!
//! The weights' names are torchvision's: `conv1.weight`, `layer1.0.bn2.running_mean`,
//! `layer2.0.downsample.0.weight`, `fc.bias`.

use tch::nn;

use crate::data::mnist::{FASHION_MNIST, MNIST};
use crate::layers::{
    CHANNEL_LAST, ConvNorm, GLOBAL_AVERAGE_POOL, Layer, Linear, PADDED_MAX_POOL, PIXEL_SCALE, RELU,
    Residual, Sequential, zero_padding,
};
use crate::models::Architecture;
use crate::task::classification::IMAGES;

/// ResNet-20 on MNIST.
pub static RESNET: Architecture = Architecture {
    name: "resnet",
    summary: "Residual network of 20 layers",
    recipe: include_str!("../../recipes/resnet.toml"),
    original_recipe: None,
    tables: &["precision", "loss", "augmentation"],
    dataset: &MNIST,
    task: &IMAGES,
    build: |vs, _| Box::new(resnet20(vs)),
};

/// ResNet-20 on Fashion-MNIST.
pub static FASHION: Architecture = Architecture {
    name: "fashion",
    summary: "The same on Fashion-MNIST",
    recipe: include_str!("../../recipes/fashion.toml"),
    dataset: &FASHION_MNIST,
    ..RESNET
};

/// The residual networks for photographs, by their number of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Of basic blocks.
    ResNet18,
    /// Of basic blocks.
    ResNet34,
    /// Of bottleneck blocks.
    ResNet50,
    /// Of bottleneck blocks.
    ResNet101,
    /// Of bottleneck blocks.
    ResNet152,
}

// What a stage repeats.
#[derive(Clone, Copy, Debug)]
enum Block {
    // Two convolutions of 3×3.
    Basic,
    // 1×1 to a quarter of the channels, 3×3, 1×1 back.
    Bottleneck,
}

// How a block's input gets the shape of its output.
#[derive(Clone, Copy, Debug)]
enum Shortcut {
    // Option A: without weights.
    ZeroPadding,
    // Option B: a convolution of one pixel.
    Projection,
}

/// Images uint8 or float32 `[N, 28, 28]` in 0..=255 → 3×3 convolution → 3 stages of 3 basic blocks
/// of 16, 32 and 64 channels → mean → 10 classes: 269,434 parameters.
fn resnet20(vs: &nn::Path<'_>) -> Sequential {
    let stem = ConvNorm::new([&(vs / "conv1"), &(vs / "bn1")], [1, 16], 3, 1);
    let network = Sequential::default()
        .then(PIXEL_SCALE)
        .then(CHANNEL_LAST)
        .then(stem)
        .then(RELU);
    stages(
        network,
        vs,
        (Block::Basic, Shortcut::ZeroPadding),
        (16, &[3; 3]),
    )
    .then(GLOBAL_AVERAGE_POOL)
    .then(Linear::new(vs, "fc", 64, 10))
}

/// Normalised photographs float32 `[N, 3, H, W]` → logits float32 `[N, classes]`, as
/// `torchvision.models.resnet…`: the stride of a bottleneck is in its 3×3 convolution.
pub fn imagenet(vs: &nn::Path<'_>, depth: Depth, classes: i64) -> Sequential {
    let (block, blocks) = match depth {
        Depth::ResNet18 => (Block::Basic, [2, 2, 2, 2]),
        Depth::ResNet34 => (Block::Basic, [3, 4, 6, 3]),
        Depth::ResNet50 => (Block::Bottleneck, [3, 4, 6, 3]),
        Depth::ResNet101 => (Block::Bottleneck, [3, 4, 23, 3]),
        Depth::ResNet152 => (Block::Bottleneck, [3, 8, 36, 3]),
    };
    let stem = ConvNorm::new([&(vs / "conv1"), &(vs / "bn1")], [3, 64], 7, 2);
    let network = Sequential::default()
        .then(stem)
        .then(RELU)
        .then(PADDED_MAX_POOL);
    stages(network, vs, (block, Shortcut::Projection), (64, &blocks))
        .then(GLOBAL_AVERAGE_POOL)
        .then(Linear::new(vs, "fc", 512 * block.expansion(), classes))
}

// Stages of so many blocks each. A stage has twice the channels of the one before it, and half its
// height and width; the first has `width` channels, before the expansion, as `network` gives.
fn stages(
    mut network: Sequential,
    vs: &nn::Path<'_>,
    (block, shortcut): (Block, Shortcut),
    (width, blocks): (i64, &[usize]),
) -> Sequential {
    let mut inputs = width;
    for (stage, &count) in blocks.iter().enumerate() {
        let width = width << stage;
        for index in 0..count {
            let path = vs / format!("layer{}", stage + 1) / index;
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let outputs = width * block.expansion();
            let shortcut = (stride != 1 || inputs != outputs)
                .then(|| shortcut.build(&(&path / "downsample"), [inputs, outputs], stride));
            network = network.then(Residual {
                body: Box::new(block.build(&path, [inputs, width], stride)),
                shortcut,
            });
            inputs = outputs;
        }
    }
    network
}

impl Block {
    // The channels of its output, as a multiple of its width.
    const fn expansion(self) -> i64 {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    fn build(self, path: &nn::Path<'_>, [inputs, width]: [i64; 2], stride: i64) -> Sequential {
        let layer = |number: usize, channels, kernel, stride| {
            let conv = path / format!("conv{number}");
            ConvNorm::new(
                [&conv, &(path / format!("bn{number}"))],
                channels,
                kernel,
                stride,
            )
        };
        match self {
            Self::Basic => Sequential::default()
                .then(layer(1, [inputs, width], 3, stride))
                .then(RELU)
                .then(layer(2, [width, width], 3, 1).from_zero()),
            Self::Bottleneck => Sequential::default()
                .then(layer(1, [inputs, width], 1, 1))
                .then(RELU)
                .then(layer(2, [width, width], 3, stride))
                .then(RELU)
                .then(layer(3, [width, 4 * width], 1, 1).from_zero()),
        }
    }
}

impl Shortcut {
    fn build(self, path: &nn::Path<'_>, channels: [i64; 2], stride: i64) -> Box<dyn Layer> {
        match self {
            Self::ZeroPadding => Box::new(zero_padding(path, channels, stride)),
            Self::Projection => {
                let (conv, norm) = (path / 0, path / 1);
                Box::new(ConvNorm::new([&conv, &norm], channels, 1, stride))
            }
        }
    }
}
