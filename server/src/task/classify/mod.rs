//! Image classification: pictures to pixels, probabilities to ranked labels.

mod explain;
mod prepare;
mod wire;

use std::sync::Arc;

use quintet_bundle::image::ImageInput;
pub use quintet_bundle::task::IMAGE_CLASSIFICATION as NAME;
use quintet_bundle::{Bundle, Manifest, is_known};

use super::probabilities::{Probabilities, rank};
use super::{Opened, Task};
use crate::grpc::Rpc;
use crate::runtime::{Row, Signature};
use crate::value_parser::at_least_one;

/// The task. It keeps a `Classifier` of each model.
#[derive(Debug)]
pub struct Classify(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub struct Limits {
    /// The most images that one request may hold.
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub max_images_per_request: usize,
    /// The most pixels that one image may have. While it is decoded, an image takes three bytes for
    /// each of them at most, or 128 MiB.
    #[arg(long, value_name = "N", default_value = "67108864")]
    pub max_image_pixels: u64,
}

/// What a model takes of a picture, and what its answer means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Classifier {
    pub(crate) input: ImageInput,
    output: Probabilities,
    /// Of an input that is readable, see [`Manifest::least_divergence`].
    least_divergence: Option<f32>,
}

impl Classifier {
    /// # Errors
    /// Why the model is no classifier of images.
    fn of(manifest: &Manifest) -> Result<Self, String> {
        if manifest.inputs.len() != 1 {
            return Err("it has other inputs beside its pixels".to_owned());
        }
        Ok(Self {
            input: ImageInput::of(manifest).map_err(|error| error.to_string())?,
            output: Probabilities::of(manifest)?,
            least_divergence: manifest.least_divergence,
        })
    }

    /// The most probable classes of an output row, see [`rank`]. `None`: the row holds something that
    /// is no probability.
    pub(crate) fn rank(&self, row: &Row, top_k: usize) -> Option<Vec<(usize, f32)>> {
        Some(rank(self.output.values(row)?, top_k))
    }

    /// The same, and whether the model knows any of its classes in the input.
    fn read(&self, row: &Row, top_k: usize) -> Option<(Vec<(usize, f32)>, bool)> {
        let values = self.output.values(row)?;
        let is_known = is_known(&values, self.least_divergence);
        Some((rank(values, top_k), is_known))
    }
}

/// The digit of each label, if they are exactly the ten digits.
pub(crate) fn digits(labels: &[String]) -> Option<[u32; 10]> {
    let labels: &[String; 10] = labels.try_into().ok()?;
    // A label that is no digit is none of 0 to 9.
    let digits = labels.each_ref().map(|label| match label.as_bytes() {
        [digit @ b'0'..=b'9'] => (digit - b'0').into(),
        _ => u32::MAX,
    });
    (0..10)
        .all(|digit| digits.contains(&digit))
        .then_some(digits)
}

impl Task for Classify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, bundle: &Bundle, _: &mut Signature) -> Opened {
        Ok(Arc::new(Classifier::of(bundle.manifest())?))
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ranked_and_cut() {
        let manifest = include_str!("../../../../bundle/tests/data/manifest_v2.toml");
        let classifier = Classifier::of(&Manifest::from_toml(manifest).unwrap()).unwrap();
        let numbers = [0.1_f32, 0.7, 0.2];
        let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let row: Row = std::iter::once(bytes.into()).collect();
        for (top_k, expected) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (3, vec![1, 2, 0]),
            (99, vec![1, 2, 0]),
        ] {
            let ranked = classifier.rank(&row, top_k).unwrap();
            let indices: Vec<_> = ranked.iter().map(|(index, _)| *index).collect();
            assert_eq!(indices, expected, "top_k {top_k}");
        }
        assert_eq!(classifier.rank(&Row::default(), 1), None);
    }

    #[test]
    fn labels_are_digits_in_any_order_or_none() {
        let labels = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(
            digits(&labels("0 1 2 3 4 5 6 7 8 9")),
            Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        );
        assert_eq!(
            digits(&labels("9 1 2 3 4 5 6 7 8 0")),
            Some([9, 1, 2, 3, 4, 5, 6, 7, 8, 0])
        );
        for other in [
            "0 1 2 3 4 5 6 7 8",
            "0 1 2 3 4 5 6 7 8 9 a",
            "0 1 2 3 4 5 6 7 8 8",
            "0 1 2 3 4 5 6 7 8 nine",
            "00 1 2 3 4 5 6 7 8 9",
        ] {
            assert_eq!(digits(&labels(other)), None, "{other}");
        }
    }
}
