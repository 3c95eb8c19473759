//! MNIST's handwritten digits, and Fashion-MNIST's garments in the same format.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::image::ImageSpec;
use quintet_bundle::{Bundle, DataType, Dim, Preprocessing, Role, TensorSpec};
use quintet_data::mnist::{self, Digits, SIDE, Split};
use quintet_data::{DataError, Published, fashion_mnist};
use tch::{Device, Tensor};

use super::dataset::{Dataset, Loaded, Source};
use super::{Samples, golden};
use crate::error::Error;

/// MNIST, or a data set in its format.
#[derive(Debug)]
pub struct Mnist {
    name: &'static str,
    labels: &'static [&'static str],
    published: Published,
    load: fn(&Path, Split) -> Result<Digits, DataError>,
    preprocessing: ImageSpec,
    golden: fn() -> Result<Vec<u8>, Error>,
}

/// Handwritten digits.
pub static MNIST: Mnist = Mnist {
    name: "MNIST",
    labels: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    published: mnist::PUBLISHED,
    load: mnist::load,
    preprocessing: ImageSpec::digit(),
    golden: golden::digits,
};

/// Garments.
pub static FASHION_MNIST: Mnist = Mnist {
    name: "Fashion-MNIST",
    labels: &fashion_mnist::LABELS,
    published: fashion_mnist::PUBLISHED,
    load: fashion_mnist::load,
    preprocessing: ImageSpec::garment(),
    golden: golden::garments,
};

/// `pixels` uint8 `[N, 28, 28]`, as a graph takes or gives them.
pub fn pixels() -> TensorSpec {
    let shape = [Dim::from("N"), SIDE.into(), SIDE.into()];
    TensorSpec::of_role(Role::Pixels, DataType::Uint8, shape)
}

impl Mnist {
    fn read(&self, source: &Source<'_>, split: Split, device: Device) -> Result<Samples, Error> {
        self.published.ensure(source.data_dir)?;
        let images = (self.load)(source.data_dir, split)?;
        Ok(Samples::from_digits(&images, device))
    }
}

impl Dataset for Mnist {
    fn name(&self) -> &'static str {
        self.name
    }

    fn noun(&self) -> &'static str {
        "images"
    }

    fn labels(&self) -> &'static [&'static str] {
        self.labels
    }

    fn inputs(&self) -> Vec<TensorSpec> {
        vec![pixels()]
    }

    fn load(&self, source: &Source<'_>) -> Result<Loaded, Error> {
        Ok(Loaded {
            further: None,
            taught: None,
            train: self.read(source, Split::Train, source.device)?,
            test: self.read(source, Split::Test, Device::Cpu)?,
            preprocessing: Some(Preprocessing::of(&self.preprocessing)),
            golden: vec![images(&(self.golden)()?)],
            files: BTreeMap::new(),
        })
    }

    fn load_test(&self, source: &Source<'_>, _: &Bundle) -> Result<Samples, Error> {
        self.read(source, Split::Test, Device::Cpu)
    }
}

fn images(pixels: &[u8]) -> Tensor {
    let side = SIDE as i64;
    Tensor::from_slice(pixels).reshape([-1, side, side])
}

impl Samples {
    /// Copies images of MNIST's format and their labels to `device`.
    pub fn from_digits(digits: &Digits, device: Device) -> Self {
        let labels: Vec<i64> = digits.labels.iter().copied().map(i64::from).collect();
        Self {
            inputs: vec![images(&digits.images).to_device(device)],
            labels: Tensor::from_slice(&labels).to_device(device),
            texts: None,
        }
    }
}
