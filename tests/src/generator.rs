//! A tiny generator, made in memory, whose images a test can predict.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::noise::{self, NoiseSpec};
use quintet_bundle::{
    BundleContents, DataType, Golden, GoldenSamples, Manifest, Role, Tensor, TensorSpec, task,
    write_bundle,
};
use quintet_onnx::{Dim, GraphBuilder, GraphError, ops};

use crate::frame::{CLASSES, frame, softmax};
use crate::graph::idle_work;
use crate::manifest::manifest;

/// Numbers of noise that make one image.
const NOISE: usize = 100;
/// Pixels of an image.
const PIXELS: usize = 784;
/// How strongly the first ten numbers of noise choose a frame.
const SHARPNESS: f32 = 10.0;
/// The last row of pixels shows the following numbers of noise, so that all images differ.
const TRACE: usize = 28;
/// A number of noise in grey levels, and what they are added to.
const TRACE_LEVELS: (f32, f32) = (8.0, 16.0);

/// A generator of ten frames. The largest of the first ten numbers of noise chooses one, mixed with
/// those of numbers that are nearly as large.
#[derive(Debug, Clone)]
pub struct TinyGenerator {
    name: String,
    version: u32,
    /// Ten frames, one behind the other.
    frames: Vec<u8>,
    convolutions: usize,
    affine_invariant: bool,
}

/// A small, fast and valid generator, version 1, of the frames that a tiny classifier knows.
pub fn tiny_generator(name: &str) -> TinyGenerator {
    TinyGenerator {
        name: name.to_owned(),
        version: 1,
        frames: (0..CLASSES).flat_map(|it| frame(it as u8).0).collect(),
        convolutions: 0,
        affine_invariant: false,
    }
}

impl TinyGenerator {
    /// Another version.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Other frames, ten of 784 pixels one behind the other.
    #[must_use]
    pub fn frames(mut self, frames: Vec<u8>) -> Self {
        assert_eq!(frames.len(), CLASSES * PIXELS, "ten frames");
        self.frames = frames;
        self
    }

    /// Makes a row take some tens of milliseconds.
    #[must_use]
    pub fn slow(mut self) -> Self {
        self.convolutions = 40;
        self
    }

    /// States that an image keeps its label when it is turned, moved or made smaller a little.
    #[must_use]
    pub fn affine_invariant(mut self) -> Self {
        self.affine_invariant = true;
        self
    }

    /// The pixels of a candidate, at most one grey level from what any run gives.
    pub fn pixels(&self, seed: u64, candidate: u64) -> Vec<u8> {
        let mut numbers = [0.0; NOISE];
        noise::fill(seed, candidate, &mut numbers);
        let choice: Vec<f32> = numbers[..CLASSES].iter().map(|it| it * SHARPNESS).collect();
        let choice = softmax(&choice);
        let mut pixels = vec![0.0; PIXELS];
        for (frame, share) in self.frames.chunks_exact(PIXELS).zip(choice) {
            for (pixel, level) in pixels.iter_mut().zip(frame) {
                *pixel += share * f32::from(*level);
            }
        }
        let trace = &numbers[CLASSES..CLASSES + TRACE];
        for (pixel, number) in pixels[PIXELS - TRACE..].iter_mut().zip(trace) {
            *pixel += number * TRACE_LEVELS.0 + TRACE_LEVELS.1;
        }
        let level = |pixel: &f32| pixel.clamp(0.0, 255.0).round_ties_even() as u8;
        pixels.iter().map(level).collect()
    }

    /// Writes the bundle.
    pub fn write(&self, models_dir: &Path) {
        let contents = BundleContents {
            manifest: self.manifest(),
            model: self.graph().expect("the graph is sound"),
            golden: self.golden(),
            extra: BTreeMap::new(),
        };
        write_bundle(models_dir, contents).expect("the bundle can be written");
    }

    /// A slow generator has one sample, so that it is warm soon.
    fn samples(&self) -> usize {
        if self.convolutions > 0 { 1 } else { 4 }
    }

    fn manifest(&self) -> Manifest {
        let spec = NoiseSpec {
            size: NOISE,
            affine_invariant: self.affine_invariant,
        };
        let name = (&*self.name, self.version);
        Manifest {
            inputs: vec![TensorSpec::of_role(
                Role::Noise,
                DataType::Float32,
                ["N".into(), NOISE.into()],
            )],
            outputs: vec![TensorSpec::of_role(
                Role::Pixels,
                DataType::Uint8,
                ["N".into(), 28.into(), 28.into()],
            )],
            golden: Golden {
                samples: self.samples(),
                // In grey levels.
                tolerance: 1.0,
                self_made: false,
            },
            ..manifest(name, task::IMAGE_GENERATION, "tiny-generator", &spec)
        }
    }

    fn golden(&self) -> GoldenSamples {
        let rows = self.samples();
        let mut numbers = vec![0.0; rows * NOISE];
        for (index, row) in numbers.chunks_exact_mut(NOISE).enumerate() {
            noise::fill(0, index as u64, row);
        }
        let pixels = (0..rows as u64).flat_map(|index| self.pixels(0, index));
        let fits = "the samples have the signature's shape";
        GoldenSamples {
            inputs: BTreeMap::from([(
                "noise".to_owned(),
                Tensor::new::<f32>([rows, NOISE], &numbers).expect(fits),
            )]),
            outputs: BTreeMap::from([(
                "pixels".to_owned(),
                Tensor::new::<u8>([rows, 28, 28], pixels.collect::<Vec<_>>()).expect(fits),
            )]),
        }
    }

    /// `noise: float32 [N, 100]` to `pixels: uint8 [N, 28, 28]`, as an .onnx file.
    fn graph(&self) -> Result<Vec<u8>, GraphError> {
        let mut g = GraphBuilder::new("tiny-generator");
        let noise = g.input(
            "noise",
            quintet_onnx::DataType::Float32,
            [Dim::symbol("N"), NOISE.into()],
        )?;
        let mut choose = vec![0.0; NOISE * CLASSES];
        for class in 0..CLASSES {
            choose[class * CLASSES + class] = SHARPNESS;
        }
        let choose = g.initializer_f32("choose", &[NOISE, CLASSES], &choose)?;
        let frames: Vec<f32> = self.frames.iter().map(|level| f32::from(*level)).collect();
        let frames = g.initializer_f32("frames", &[CLASSES, PIXELS], &frames)?;
        let mut trace = vec![0.0; NOISE * PIXELS];
        let mut paper = vec![0.0; PIXELS];
        for place in 0..TRACE {
            let pixel = PIXELS - TRACE + place;
            trace[(CLASSES + place) * PIXELS + pixel] = TRACE_LEVELS.0;
            paper[pixel] = TRACE_LEVELS.1;
        }
        let trace = g.initializer_f32("trace", &[NOISE, PIXELS], &trace)?;
        let paper = g.initializer_f32("paper", &[PIXELS], &paper)?;

        let plain = ops::GemmAttributes::default();
        let choice = ops::gemm(&mut g, &noise, &choose, None, plain)?;
        let choice = ops::softmax(&mut g, &choice, -1)?;
        let mixed = ops::gemm(&mut g, &choice, &frames, None, plain)?;
        let trace = ops::gemm(&mut g, &noise, &trace, Some(&paper), plain)?;
        let mut pixels = ops::add(&mut g, &mixed, &trace)?;
        if self.convolutions > 0 {
            let idle = idle_work(&mut g, &pixels, self.convolutions)?;
            pixels = ops::add(&mut g, &pixels, &idle)?;
        }
        let pixels = ops::clip(&mut g, &pixels, Some(0.0), Some(255.0))?;
        let pixels = ops::round(&mut g, &pixels)?;
        let pixels = ops::cast(&mut g, &pixels, quintet_onnx::DataType::Uint8)?;
        let pixels = ops::reshape(&mut g, &pixels, &[0, 28, 28])?;
        g.output("pixels", &pixels)?;
        Ok(g.build(&[])?.to_bytes())
    }
}
