//! Images from noise: check, then draw, judge and keep until there are enough.
//!
//! ```text
//! seed, index ─ noise ─► generator ─► pixels ─► classifier ─► digit, confidence ─ filter ─►
//! copies ─► classifier ─ filter ─► picture
//! ```

mod copies;
mod draw;
mod finish;
mod judge;
mod plan;
mod progress;
mod wire;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use quintet_bundle::noise::{self, NoiseSpec};
pub use quintet_bundle::task::IMAGE_GENERATION as NAME;
use quintet_bundle::{Bundle, DataType, Dim, Manifest, Role};

use super::{Opened, Task};
use crate::grpc::Rpc;
use crate::runtime::{Rows, Signature};
use crate::value_parser::at_least_one;

/// The task. It keeps a `Generator` of each model.
#[derive(Debug)]
pub struct Generate(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub struct Limits {
    /// The most images that one GenerateDigits may ask for.
    #[arg(long, value_name = "N", default_value = "1024", value_parser = at_least_one)]
    pub max_images_per_generation: usize,
    /// The most images that one GenerateDigitsStream may ask for.
    #[arg(long, value_name = "N", default_value = "100000", value_parser = at_least_one)]
    pub max_images_per_generation_stream: usize,
    /// How many candidates may be drawn for each image asked for, where not every one will do.
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub max_candidates_per_image: usize,
}

/// What a model takes, and the pictures that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Generator {
    noise: NoiseSpec,
    /// Width and height in pixels.
    size: [usize; 2],
}

impl Generator {
    /// # Errors
    /// Why the model makes no grey pictures of noise.
    fn of(manifest: &Manifest) -> Result<Self, String> {
        let noise: NoiseSpec = manifest.spec().map_err(|error| error.to_string())?;
        let takes_noise = manifest.inputs.len() == 1
            && manifest
                .input(Role::Noise)
                .is_some_and(|input| input.shape[1..] == [noise.size.into()]);
        if !takes_noise {
            return Err(format!(
                "its input is not of role noise, FP32 [N, {}]",
                noise.size
            ));
        }
        let output = match &manifest.outputs[..] {
            [output] if output.role == Some(Role::Pixels) => output,
            _ => return Err("its output is not of role pixels".to_owned()),
        };
        match (output.datatype, &output.shape[1..]) {
            (DataType::Uint8, &[Dim::Fixed(height), Dim::Fixed(width)]) => Ok(Self {
                noise,
                size: [width, height],
            }),
            _ => Err("its output is not UINT8 [N, height, width]".to_owned()),
        }
    }

    /// The input rows of these candidates of a seed.
    fn rows(&self, seed: u64, candidates: Range<u64>) -> Rows {
        let rows = (candidates.end - candidates.start) as usize;
        let mut numbers = vec![0_f32; rows * self.noise.size];
        for (row, candidate) in numbers.chunks_exact_mut(self.noise.size).zip(candidates) {
            noise::fill(seed, candidate, row);
        }
        // As they lie in memory, which is little-endian wherever this server builds.
        let bytes = Bytes::copy_from_slice(bytemuck::cast_slice(&numbers));
        let size = self.noise.size * size_of::<f32>();
        let row = |row: usize| std::iter::once(bytes.slice(row * size..(row + 1) * size)).collect();
        (0..rows).map(row).collect()
    }
}

impl Task for Generate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, bundle: &Bundle, _: &mut Signature) -> Opened {
        Ok(Arc::new(Generator::of(bundle.manifest())?))
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_noise_of_its_candidate() {
        let generator = Generator {
            noise: NoiseSpec {
                size: 100,
                affine_invariant: false,
            },
            size: [28, 28],
        };
        let rows = generator.rows(7, 5..8);
        assert_eq!(rows.len(), 3);
        for (row, candidate) in rows.iter().zip(5..) {
            let mut expected = [0.0; 100];
            noise::fill(7, candidate, &mut expected);
            let expected: Vec<u8> = expected.iter().flat_map(|it| it.to_le_bytes()).collect();
            assert_eq!(row[..], [Bytes::from(expected)]);
        }
    }
}
