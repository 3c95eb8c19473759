//! MNIST's handwritten digits.

use std::collections::BTreeMap;

use quintet_bundle::image::ImageSpec;
use quintet_bundle::{Bundle, DataType, Dim, Preprocessing, Role, TensorSpec};
use quintet_data::mnist::{self, Digits, SIDE, Split};
use tch::{Device, Tensor};

use super::dataset::{Dataset, Loaded, Source};
use super::{Samples, golden};
use crate::error::Error;

/// The data set.
#[derive(Debug)]
pub struct Mnist;

/// `pixels` uint8 `[N, 28, 28]`, as a graph takes or gives them.
pub fn pixels() -> TensorSpec {
    let shape = [Dim::from("N"), SIDE.into(), SIDE.into()];
    TensorSpec::of_role(Role::Pixels, DataType::Uint8, shape)
}

impl Dataset for Mnist {
    fn name(&self) -> &'static str {
        "MNIST"
    }

    fn noun(&self) -> &'static str {
        "images"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    }

    fn inputs(&self) -> Vec<TensorSpec> {
        vec![pixels()]
    }

    fn load(&self, source: &Source<'_>) -> Result<Loaded, Error> {
        Ok(Loaded {
            further: None,
            train: read(source, Split::Train, source.device)?,
            test: read(source, Split::Test, Device::Cpu)?,
            preprocessing: Some(Preprocessing::of(&ImageSpec::digit())),
            golden: vec![images(&golden::digits()?)],
            files: BTreeMap::new(),
        })
    }

    fn load_test(&self, source: &Source<'_>, _: &Bundle) -> Result<Samples, Error> {
        read(source, Split::Test, Device::Cpu)
    }
}

fn read(source: &Source<'_>, split: Split, device: Device) -> Result<Samples, Error> {
    mnist::PUBLISHED.ensure(source.data_dir)?;
    let digits = mnist::load(source.data_dir, split)?;
    Ok(Samples::from_digits(&digits, device))
}

fn images(pixels: &[u8]) -> Tensor {
    let side = SIDE as i64;
    Tensor::from_slice(pixels).reshape([-1, side, side])
}

impl Samples {
    /// Copies MNIST's images and labels to `device`.
    pub fn from_digits(digits: &Digits, device: Device) -> Self {
        let labels: Vec<i64> = digits.labels.iter().copied().map(i64::from).collect();
        Self {
            inputs: vec![images(&digits.images).to_device(device)],
            labels: Tensor::from_slice(&labels).to_device(device),
            texts: None,
        }
    }
}
