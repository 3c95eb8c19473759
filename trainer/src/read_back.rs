//! A network with the weights of a bundle's graph.

use std::collections::HashMap;

use quintet_onnx::{Initializer, Storage, initializers};
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::export::export;
use crate::models::Architecture;
use crate::network::Network;
use crate::recipe::Recipe;

/// Every whole number below it is a float32.
const MOST_NUMBERS: usize = 1 << 24;

/// The network of `architecture` and `recipe` with the weights of `model`, a graph that
/// [`export`] wrote of such a network.
///
/// # Errors
/// The graph is another network's, or holds its weights in another way.
pub fn read_back(
    architecture: &'static Architecture,
    recipe: &Recipe,
    model: &[u8],
) -> Result<Network, Error> {
    let network = Network::new(architecture, recipe, Device::Cpu);
    let places = places(architecture, recipe)?;
    let stored = by_name(model)?;
    for (name, mut weight) in network.weights() {
        let refuse = |problem: &str| {
            let network = architecture.name;
            Error::Training(format!("weight {name} of {network}: {problem}"))
        };
        let (Some(places), Some(stored)) = (places.get(&name), stored.get(&name)) else {
            return Err(refuse("is not in the graph as it is in the network"));
        };
        let count = weight.numel();
        if places.shape != stored.shape || places.data.len() != count || count > MOST_NUMBERS {
            return Err(refuse("has another shape in the graph"));
        }
        let mut values = vec![0.0; count];
        for (&place, &value) in places.data.iter().zip(&stored.data) {
            values[place as usize] = value;
        }
        let values = Tensor::from_slice(&values).reshape(weight.size());
        tch::no_grad(|| weight.copy_(&values));
    }
    Ok(network)
}

/// Where each number of a graph's weights is in the network, whose operators may want them in
/// another order: what is written of a network whose weights count up.
fn places(
    architecture: &'static Architecture,
    recipe: &Recipe,
) -> Result<HashMap<String, Initializer>, Error> {
    let recipe = Recipe {
        storage: Storage::Float32,
        ..recipe.clone()
    };
    let network = Network::new(architecture, &recipe, Device::Cpu);
    for (_, mut weight) in network.weights() {
        let count = weight.numel() as i64;
        let numbers = Tensor::arange(count, (Kind::Float, Device::Cpu)).reshape(weight.size());
        tch::no_grad(|| weight.copy_(&numbers));
    }
    by_name(&export(&network)?.to_bytes())
}

fn by_name(model: &[u8]) -> Result<HashMap<String, Initializer>, Error> {
    let read = initializers(model)?.into_iter();
    Ok(read.map(|it| (it.name.clone(), it)).collect())
}
