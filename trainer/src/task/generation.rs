//! Generation of images: a generator learns against a discriminator, and a classifier judges it.
//!
//! ```text
//! noise ─► generator ─► digits ─► discriminator ─► loss    every step, beside handwritten digits
//!              │            └────────► classifiers ─► loss    every step of the tuning
//!              └─► average ─► 10,000 digits ─► judge       every epoch
//! ```

mod classifier;
mod exam;
mod feature_matching;
mod gaussian;
mod learner;
pub mod quality;
mod stages;
pub mod typical;

use quintet_bundle::noise::NoiseSpec;
use quintet_bundle::{DataType, Dim, Preprocessing, Role, TensorSpec, task};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::Tensor;

use super::exam::Exam;
use super::{Serving, Setting, Signature, Task};
use crate::data::mnist::pixels;
use crate::data::{Dataset, Loaded};
use crate::error::Error;
use crate::fit::{Fit, Learner};
use crate::layers::SignedPixels;
use crate::models::CNN;
use crate::models::gan::NOISE;
use crate::network::Network;
use crate::teacher;

pub use exam::parity;
pub use quality::{Judge, Quality};

use exam::GenerationExam;
use learner::Adversary;

/// Images from noise: a graph takes `noise` float32 `[N, 100]` and gives `pixels` uint8
/// `[N, 28, 28]`.
#[derive(Debug)]
pub struct Generation;

impl Task for Generation {
    fn name(&self) -> &'static str {
        task::IMAGE_GENERATION
    }

    fn signature(&self, _: &dyn Dataset) -> Signature {
        let shape = [Dim::from("N"), Dim::Fixed(NOISE)];
        Signature {
            inputs: vec![TensorSpec::of_role(Role::Noise, DataType::Float32, shape)],
            output: pixels(),
        }
    }

    fn serving(&self, _: &dyn Dataset, _: &Loaded) -> Serving {
        Serving {
            labels: Vec::new(),
            preprocessing: Some(Preprocessing::of(&NoiseSpec {
                size: NOISE,
                affine_invariant: true,
            })),
            golden: vec![quality::noise_of(quality::SEED, 0, 10)],
            // A value that is nearly between two levels may be rounded to the other one.
            tolerance: 1.0,
        }
    }

    fn output(&self, last: &Tensor) -> Tensor {
        SignedPixels.to_pixels(last)
    }

    fn export(&self, graph: &mut GraphBuilder, last: &Value) -> Result<Value, GraphError> {
        SignedPixels.export(graph, last)
    }

    fn holds_out_samples(&self) -> bool {
        false
    }

    fn learner<'a>(&self, fit: &Fit<'a>, _network: &Network) -> Box<dyn Learner + 'a> {
        Box::new(Adversary::new(fit))
    }

    fn exam<'a>(&self, setting: &Setting<'a>) -> Result<Box<dyn Exam + 'a>, Error> {
        let purpose = "the GAN's digits are judged";
        let bundle = teacher::find(setting.judge, setting.models_dir, CNN.name, purpose)?;
        Ok(Box::new(GenerationExam {
            judge: Judge::new(&bundle, setting.test, setting.device)?,
            setting: *setting,
        }))
    }
}
