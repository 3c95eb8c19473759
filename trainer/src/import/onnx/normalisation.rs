//! How the numbers that a file takes are made of a picture's levels.

use quintet_bundle::image::ImageSpec;
use quintet_bundle::{self as bundle, DataType, Dim, Preprocessing, TensorSpec};
use quintet_onnx as onnx;
use serde::Deserialize;

use crate::error::Error;

/// `(level * rescale_factor - mean) / std` for each channel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Normalisation {
    /// By default, it makes numbers from 0 to 1 of levels from 0 to 255.
    #[serde(default = "one_of_255")]
    rescale_factor: f64,
    /// One for each channel, in the order of `preprocessing.channels`.
    mean: Vec<f64>,
    /// One for each channel.
    std: Vec<f64>,
}

/// An input of pixels that the bundle's graph normalises.
#[derive(Debug)]
pub(super) struct Normalised {
    /// The file's name of it.
    pub name: String,
    /// The bundle's name of it.
    pub levels: String,
    /// What is done to a level.
    pub step: onnx::Normalisation,
}

impl Normalisation {
    /// The pre-processing that it needs.
    #[expect(clippy::unused_self, reason = "the table is what asks for it")]
    pub(super) fn image(&self, preprocessing: Option<&Preprocessing>) -> Result<ImageSpec, Error> {
        let missing = || usage("preprocessing: is missing; normalisation needs kind image");
        let spec = preprocessing.ok_or_else(missing)?.read::<ImageSpec>();
        spec.map_err(|error| Error::Usage(error.to_string()))
    }

    /// The step that the graph gets before the input `spec`.
    pub(super) fn step(
        &self,
        image: &ImageSpec,
        spec: &TensorSpec,
    ) -> Result<onnx::Normalisation, Error> {
        let channels = image.channels.count();
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            let are_finite = values.iter().all(|it| it.is_finite());
            if values.len() != channels || !are_finite || key == "std" && values.contains(&0.0) {
                let found = format!("normalisation.{key}: is {values:?}");
                let allowed = format!("{channels} finite numbers, one per channel, are needed");
                return Err(usage(format!("{found}; {allowed}")));
            }
        }
        let factor = self.rescale_factor;
        if !factor.is_finite() || factor == 0.0 {
            let found = format!("normalisation.rescale_factor: is {factor}");
            return Err(usage(format!(
                "{found}; a finite number other than 0 is needed"
            )));
        }
        let (name, size) = (
            &spec.name,
            [image.height, image.width, channels].map(Dim::from),
        );
        let [height, width, channels] = size.clone();
        let channels_first = spec.shape[1..] == [channels, height, width];
        if !channels_first && spec.shape[1..] != size {
            let found = format!("inputs.{name}.shape: is {}", spec.shape_text());
            let (width, height) = (image.width, image.height);
            let pixels = format!("{width}x{height} pixels of preprocessing");
            return Err(usage(format!(
                "{found}; NHWC or NCHW of the {pixels} is needed"
            )));
        }
        if spec.datatype != DataType::Float32 {
            let found = format!("inputs.{name}.datatype: is {}", spec.datatype);
            return Err(usage(format!("{found}; normalisation gives FP32")));
        }
        let unscaled = |it: &f64| (it / factor) as f32;
        Ok(onnx::Normalisation {
            offset: self.mean.iter().map(unscaled).collect(),
            scale: self.std.iter().map(unscaled).collect(),
            channels_first,
        })
    }
}

impl Normalised {
    /// What the file takes for the levels `[N, height, width, channels]` that the bundle takes:
    /// computed here, to prove the graph's steps.
    pub(super) fn apply(&self, levels: &bundle::Tensor) -> Result<bundle::Tensor, Error> {
        let &[rows, height, width, channels] = levels.shape() else {
            return Err(usage(format!(
                "{}: has other levels than NHWC",
                self.levels
            )));
        };
        let numbers = levels.bytes().iter().zip((0..channels).cycle());
        let number = |(level, channel): (&u8, usize)| {
            (f32::from(*level) - self.step.offset[channel]) / self.step.scale[channel]
        };
        let interleaved: Vec<f32> = numbers.map(number).collect();
        if !self.step.channels_first {
            let shape = [rows, height, width, channels];
            return Ok(bundle::Tensor::new(shape, interleaved)?);
        }
        let pictures = interleaved.chunks_exact(height * width * channels);
        let planes = pictures.flat_map(|picture| {
            let plane = |channel| picture.iter().skip(channel).step_by(channels).copied();
            (0..channels).flat_map(plane)
        });
        let shape = [rows, channels, height, width];
        Ok(bundle::Tensor::new(shape, planes.collect::<Vec<f32>>())?)
    }
}

fn usage(problem: impl Into<String>) -> Error {
    Error::Usage(problem.into())
}

fn one_of_255() -> f64 {
    1.0 / 255.0
}
