//! A network: two hidden layers on two coordinates.

use quintet_trainer::layers::{Linear, RELU, Sequential};
use quintet_trainer::models::Architecture;
use quintet_trainer::task::classification::Classification;
use tch::nn;

use crate::locate;
use crate::rings::Rings;

/// The network. Its recipe has the same keys as those in `trainer/recipes/`.
pub static RING_NET: Architecture = Architecture {
    name: "ring_net",
    summary: "Two hidden layers on points of the plane",
    recipe: r#"
        architecture = "ring_net"
        epochs = 20
        batch_size = 32
        seed = 1
        validation_fraction = 0.1
        [optimizer]
        learning_rate = 0.01
        weight_decay = 0.0
        [schedule]
        warmup_fraction = 0.1
        final_fraction = 0.0
        [loss]
        label_smoothing = 0.0
        [averaging]
        decay = 0.99
    "#,
    original_recipe: None,
    tables: &["loss"],
    dataset: &Rings,
    task: &Classification {
        name: locate::NAME,
        pictures: &[],
    },
    build: |vs, _| Box::new(layers(vs)),
};

fn layers(vs: &nn::Path<'_>) -> Sequential {
    Sequential::default()
        .then(Linear::new(vs, "fc1", 2, 32))
        .then(RELU)
        .then(Linear::new(vs, "fc2", 32, 32))
        .then(RELU)
        .then(Linear::new(vs, "fc3", 32, 3))
}
