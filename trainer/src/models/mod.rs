//! The networks: one file each, with its layers and its entry for the list of networks.

pub mod cnn;
pub mod encoder;
pub mod gan;
pub mod mlp;
pub mod resnet;
pub mod sentiment;
pub mod transformer;

use std::fmt;

use quintet_bundle::task;
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::{Tensor, nn};

pub use cnn::CNN;
pub use gan::GAN;
pub use mlp::MLP;
pub use resnet::{FASHION, RESNET};
pub use sentiment::{LSTM, SIMPLE_RNN};
pub use transformer::TRANSFORMER;

use crate::data::{self, Dataset};
use crate::error::Error;
use crate::layers::Layer;
use crate::recipe::Recipe;
use crate::task::Task;

/// The table of [`data::outliers`].
const OUTLIERS: &str = "outliers";

/// The networks of this crate, in the order in which `train all` trains them.
///
/// The GAN follows the CNN, which judges it.
pub static NETWORKS: [&Architecture; 8] = [
    &MLP,
    &CNN,
    &RESNET,
    &FASHION,
    &SIMPLE_RNN,
    &LSTM,
    &TRANSFORMER,
    &GAN,
];

/// The layers of a network. A [`Layer`] is the model of a network with one input.
pub trait Model: fmt::Debug {
    /// What the last layer gives for `inputs`, the tensors of [`Dataset::inputs`] or noise: logits
    /// float32 `[N, C]`, or `[N]` for two classes (the log odds of the second one); or images
    /// float32 `[N, 28, 28]` in −1..=1.
    ///
    /// `train` turns dropout on, and normalises by the batch. Images to classify may also be
    /// float32, in 0..=255.
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor;

    /// Writes the layers, from the graph's inputs to what [`Model::forward_t`] gives.
    fn export(&self, graph: &mut GraphBuilder, inputs: &[Value]) -> Result<Value, GraphError>;

    /// Makes the weights those that [`Model::export`] writes, see [`Layer::fold`].
    fn fold(&self) {}

    /// Multiplies the logits by `factor`, see [`Layer::scale`].
    fn scale(&self, _factor: f64) -> bool {
        false
    }

    /// Lets the layers that can compute in int8 do so from now on. Gives whether there are any.
    ///
    /// # Errors
    /// A weight is not finite.
    fn quantize(&self) -> Result<bool, GraphError> {
        Ok(false)
    }
}

impl<L: Layer> Model for L {
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor {
        Layer::forward_t(self, &inputs[0], train)
    }

    fn export(&self, graph: &mut GraphBuilder, inputs: &[Value]) -> Result<Value, GraphError> {
        Layer::export(self, graph, &inputs[0])
    }

    fn fold(&self) {
        Layer::fold(self);
    }

    fn scale(&self, factor: f64) -> bool {
        Layer::scale(self, factor)
    }
}

/// A network as the trainer knows it. One of these, in a list, is all that adds a network.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// The name on the command line, in recipes, in `runs/` and in `models/`.
    pub name: &'static str,
    /// What it is, for `--help`.
    pub summary: &'static str,
    /// The default recipe, TOML.
    pub recipe: &'static str,
    /// The recipe of the original program, where there is one.
    pub original_recipe: Option<&'static str>,
    /// Those of the recipe's optional tables that not every network uses, but this one does.
    pub tables: &'static [&'static str],
    /// The data that it learns from.
    pub dataset: &'static dyn Dataset,
    /// How it learns and how it is judged.
    pub task: &'static dyn Task,
    /// Builds the layers with fresh weights under the path, from libtorch's random generator.
    pub build: fn(&nn::Path<'_>, &Recipe) -> Box<dyn Model>,
}

impl Architecture {
    /// The recipe behind the committed model.
    pub fn recipe(&self) -> Recipe {
        self.built_in(self.recipe)
    }

    /// The recipe of the original program, where there is one.
    pub fn original(&self) -> Option<Recipe> {
        Some(self.built_in(self.original_recipe?))
    }

    fn built_in(&self, text: &str) -> Recipe {
        let recipe = Recipe::built_in(self.name, text);
        Recipe {
            architecture: self.name.to_owned(),
            outliers: recipe.outliers.filter(|_| self.tables.contains(&OUTLIERS)),
            ..recipe
        }
    }

    fn tables_without(&self, table: &str) -> Vec<&'static str> {
        let tables = self.tables.iter().copied();
        tables.filter(|it| *it != table).collect()
    }

    /// The same network for another one of [`data::IMAGES`], called `NETWORK-DATASET`; itself, if
    /// it learns from that one. It lives as long as the process.
    ///
    /// # Errors
    /// The network does not classify such images.
    pub fn trained_on(&'static self, data: &str) -> Result<&'static Self, Error> {
        let same = data::IMAGES.iter().find(|(name, _)| *name == data);
        let fits = |other: &dyn Dataset| {
            let own = self.dataset;
            self.task.name() == task::IMAGE_CLASSIFICATION
                && own.inputs() == other.inputs()
                && own.labels().len() == other.labels().len()
        };
        match same {
            Some((_, dataset)) if dataset.name() == self.dataset.name() => Ok(self),
            Some((_, dataset)) if fits(*dataset) => Ok(Box::leak(Box::new(Self {
                name: format!("{self}-{data}").leak(),
                dataset: *dataset,
                // They are what is no digit, and drawn digits.
                tables: self.tables_without(OUTLIERS).leak(),
                ..*self
            }))),
            _ => {
                let allowed = format!("{self} learns from {} alone", self.dataset.name());
                Err(Error::value("--data", data, &allowed))
            }
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
