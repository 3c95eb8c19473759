//! Tiny bundles, made in memory with the crates that real ones are made with.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::image::ImageSpec;
use quintet_bundle::{
    BundleContents, DataType, Golden, GoldenSamples, MODEL_FILE, Manifest, Quantization, Role,
    Tensor, TensorSpec, task, write_bundle,
};

use crate::frame::{CLASSES, Frame, frame};
use crate::graph::{Body, graph};
use crate::manifest::manifest;

/// A defect of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The golden outputs are not what the graph gives.
    Golden,
    /// A byte of `model.onnx` was changed after the checksums were taken.
    Checksum,
    /// The graph's output has another name than the manifest's.
    Signature,
    /// The manifest is for text, though the graph takes pixels.
    Task,
    /// The manifest cannot be read.
    Manifest,
}

/// A classifier whose answer is [`Frame::probabilities`].
#[derive(Debug, Clone)]
pub struct TinyModel {
    name: String,
    version: u32,
    task: &'static str,
    labels: Vec<String>,
    body: Body,
    least_divergence: Option<f32>,
    quantization: Option<Quantization>,
    flaw: Option<Flaw>,
}

/// A small, fast and valid model, version 1.
pub fn tiny(name: &str) -> TinyModel {
    TinyModel {
        name: name.to_owned(),
        version: 1,
        task: task::IMAGE_CLASSIFICATION,
        labels: (0..CLASSES).map(|class| format!("class-{class}")).collect(),
        body: Body::default(),
        least_divergence: None,
        quantization: None,
        flaw: None,
    }
}

impl TinyModel {
    /// Another version.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Another task in the manifest.
    #[must_use]
    pub fn task(mut self, task: &'static str) -> Self {
        self.task = task;
        self
    }

    /// Labels the classes with the digits, so that the model can classify generated images. With
    /// [`TinyModel::turn`] as well, the digit is the number of the pixel with the evidence.
    #[must_use]
    pub fn digits(mut self) -> Self {
        let digit = |class: usize| ((class + self.body.turn) % CLASSES).to_string();
        self.labels = (0..CLASSES).map(digit).collect();
        self
    }

    /// Turns the classes by `turn` places, so that answers distinguish versions.
    #[must_use]
    pub fn turn(mut self, turn: usize) -> Self {
        self.body.turn = turn;
        self
    }

    /// Makes a row take some tens of milliseconds.
    #[must_use]
    pub fn slow(mut self) -> Self {
        self.body.convolutions = 40;
        self
    }

    /// Makes the run fail for frames whose [`Frame::entry`] is 8 or more, and return NaN for 7.
    #[must_use]
    pub fn fragile(mut self) -> Self {
        self.body.fragile = true;
        self
    }

    /// Calls inputs unreadable whose labels are more alike.
    #[must_use]
    pub fn least_divergence(mut self, least: f32) -> Self {
        self.least_divergence = Some(least);
        self
    }

    /// Says that the graph computes in integers, though it does not.
    #[must_use]
    pub fn quantization(mut self, quantization: Quantization) -> Self {
        self.quantization = Some(quantization);
        self
    }

    /// Breaks the bundle.
    #[must_use]
    pub fn flaw(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Writes the bundle.
    pub fn write(&self, models_dir: &Path) {
        let output = if self.flaw == Some(Flaw::Signature) {
            "scores"
        } else {
            "probabilities"
        };
        let contents = BundleContents {
            manifest: self.manifest(),
            model: graph(self.body, output).expect("the graph is sound"),
            golden: self.golden(),
            extra: BTreeMap::new(),
        };
        let bundle = write_bundle(models_dir, contents).expect("the bundle can be written");
        let alter = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let path = bundle.join(file);
            let mut bytes = std::fs::read(&path).expect("the file was just written");
            change(&mut bytes);
            std::fs::write(&path, bytes).expect("the folder is ours");
        };
        match self.flaw {
            Some(Flaw::Checksum) => alter(MODEL_FILE, &|bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }),
            Some(Flaw::Manifest) => alter(quintet_bundle::MANIFEST_FILE, &|bytes| {
                bytes.extend(b"\nsurprise = true\n");
            }),
            _ => {}
        }
    }

    fn manifest(&self) -> Manifest {
        let task = if self.flaw == Some(Flaw::Task) {
            task::TEXT_CLASSIFICATION
        } else {
            self.task
        };
        Manifest {
            labels: self.labels.clone(),
            least_divergence: self.least_divergence,
            quantization: self.quantization,
            inputs: vec![TensorSpec::of_role(
                Role::Pixels,
                DataType::Uint8,
                ["N".into(), 28.into(), 28.into()],
            )],
            outputs: vec![TensorSpec::of_role(
                Role::Probabilities,
                DataType::Float32,
                ["N".into(), CLASSES.into()],
            )],
            metrics: BTreeMap::from([("test_accuracy".to_owned(), 0.5)]),
            golden: Golden {
                samples: self.samples().len(),
                tolerance: 1e-4,
                self_made: false,
            },
            ..manifest(
                (&self.name, self.version),
                task,
                "tiny",
                &ImageSpec::digit(),
            )
        }
    }

    /// A slow model has one sample, so that it is warm soon.
    fn samples(&self) -> Vec<Frame> {
        let mut samples = vec![Frame::of([10, 200, 30, 40, 90, 60, 70, 80, 20, 50])];
        if self.body.convolutions == 0 {
            samples.extend([frame(0), frame(9)]);
        }
        samples
    }

    fn golden(&self) -> GoldenSamples {
        let samples = self.samples();
        let pixels: Vec<u8> = samples.iter().flat_map(|frame| frame.0.clone()).collect();
        let mut probabilities: Vec<f32> = samples
            .iter()
            .flat_map(|frame| frame.probabilities(self.body.turn))
            .collect();
        if self.flaw == Some(Flaw::Golden) {
            probabilities[3] += 0.01;
        }
        let rows = samples.len();
        let fits = "the samples have the signature's shape";
        GoldenSamples {
            inputs: BTreeMap::from([(
                "pixels".to_owned(),
                Tensor::new::<u8>([rows, 28, 28], pixels).expect(fits),
            )]),
            outputs: BTreeMap::from([(
                "probabilities".to_owned(),
                Tensor::new::<f32>([rows, CLASSES], &probabilities).expect(fits),
            )]),
        }
    }
}
