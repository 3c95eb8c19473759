//! Frames whose classification a test can predict.

use quintet_client::Image;

/// Classes of a tiny model.
pub const CLASSES: usize = 10;
/// Pixels of a frame.
const PIXELS: usize = 784;
/// What a pixel's value is divided by to give a logit.
const SCALE: f32 = 32.0;

/// 28x28 grey pixels. A tiny model reads the first ten: pixel `c` is the evidence for class `c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(pub Vec<u8>);

/// A frame with all evidence for this class.
pub fn frame(class: u8) -> Frame {
    let mut pixels = vec![0; PIXELS];
    pixels[usize::from(class)] = 255;
    Frame(pixels)
}

/// The probabilities of these logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Whether two probabilities are the same but for rounding.
pub fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-4
}

impl Frame {
    /// A frame with this evidence for the classes.
    pub fn of(evidence: [u8; CLASSES]) -> Self {
        let mut pixels = vec![0; PIXELS];
        pixels[..CLASSES].copy_from_slice(&evidence);
        Self(pixels)
    }

    /// The same frame with the pixel that chooses the entry of a fragile model's table.
    #[must_use]
    pub fn entry(mut self, entry: u8) -> Self {
        self.0[PIXELS - 1] = entry;
        self
    }

    /// The frame as the SDK sends it; with `Framing::None` it reaches the model as it is.
    pub fn image(&self) -> Image {
        Image::raw(28, 28, 1, self.0.clone())
    }

    /// The probabilities that a tiny model gives it when its classes are turned by `turn`.
    pub fn probabilities(&self, turn: usize) -> Vec<f32> {
        let logits: Vec<f32> = (0..CLASSES)
            .map(|class| f32::from(self.0[(class + turn) % CLASSES]) / SCALE)
            .collect();
        softmax(&logits)
    }
}

/// The weight `[784, 10]` of the layer that reads the evidence.
pub(crate) fn evidence_weight(turn: usize) -> Vec<f32> {
    let mut weight = vec![0.0; PIXELS * CLASSES];
    for class in 0..CLASSES {
        weight[((class + turn) % CLASSES) * CLASSES + class] = 1.0 / SCALE;
    }
    weight
}
