//! Classification: one label of several for each sample.

mod exam;
mod learner;

use quintet_bundle::{DataType, Dim, Role, TensorSpec, task};
use quintet_onnx::{GraphBuilder, GraphError, Value, ops};
use tch::Tensor;

use super::exam::Exam;
use super::{Serving, Setting, Signature, Task};
use crate::data::{Dataset, Loaded};
use crate::error::Error;
use crate::fit::{Fit, Learner};
use crate::network::Network;
use crate::plots::{Picture, confusion, images, scores};

use exam::ClassificationExam;
use learner::Classifier;

/// Classification of images.
pub static IMAGES: Classification = Classification {
    name: task::IMAGE_CLASSIFICATION,
    pictures: &[
        ("confusion.png", confusion::draw),
        ("images.png", images::draw),
    ],
};

/// Classification of reviews.
pub static REVIEWS: Classification = Classification {
    name: task::TEXT_CLASSIFICATION,
    pictures: &[("scores.png", scores::draw)],
};

/// A task of networks that classify.
///
/// A graph gives `score` float32 `[N]`, the probability of the second class, where there are two
/// classes, and otherwise `probabilities` float32 `[N, C]`.
#[derive(Debug)]
pub struct Classification {
    /// The task's name in manifests.
    pub name: &'static str,
    /// What is drawn of the test samples, in addition to the training curves.
    pub pictures: &'static [Picture],
}

impl Task for Classification {
    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self, dataset: &dyn Dataset) -> Signature {
        let rows = Dim::from("N");
        let output = match dataset.labels().len() {
            2 => TensorSpec::of_role(Role::Score, DataType::Float32, [rows]),
            classes => {
                let shape = [rows, Dim::Fixed(classes)];
                TensorSpec::of_role(Role::Probabilities, DataType::Float32, shape)
            }
        };
        Signature {
            inputs: dataset.inputs(),
            output,
        }
    }

    fn serving(&self, dataset: &dyn Dataset, data: &Loaded) -> Serving {
        Serving {
            labels: dataset.labels().iter().map(|&it| it.to_owned()).collect(),
            preprocessing: data.preprocessing.clone(),
            golden: data.golden.iter().map(Tensor::shallow_clone).collect(),
            tolerance: 1e-3,
        }
    }

    fn output(&self, last: &Tensor) -> Tensor {
        match last.dim() {
            1 => last.sigmoid(),
            _ => last.softmax(-1, None),
        }
    }

    fn export(&self, graph: &mut GraphBuilder, last: &Value) -> Result<Value, GraphError> {
        match last.shape().rank() {
            1 => ops::sigmoid(graph, last),
            _ => ops::softmax(graph, last, -1),
        }
    }

    fn learner<'a>(&self, fit: &Fit<'a>, network: &Network) -> Box<dyn Learner + 'a> {
        Box::new(Classifier::new(fit, network))
    }

    fn exam<'a>(&self, setting: &Setting<'a>) -> Result<Box<dyn Exam + 'a>, Error> {
        Ok(Box::new(ClassificationExam {
            pictures: self.pictures,
            setting: *setting,
        }))
    }
}
