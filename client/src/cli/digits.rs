//! MNIST's test set, to be sent as pixels.

use std::path::Path;

use bytes::Bytes;
use quintet_data::mnist::{self, PIXELS, Split};

use crate::failure::Failure;

/// At least one image, and what each shows.
pub(crate) struct Digits {
    pub(crate) images: Vec<Bytes>,
    pub(crate) labels: Vec<u8>,
}

pub(crate) fn load(data_dir: &Path) -> Result<Digits, Failure> {
    let digits = mnist::load(data_dir, Split::Test).map_err(|error| {
        Failure::new(error.to_string()).hint("--data-dir names the folder with the MNIST files")
    })?;
    if digits.labels.is_empty() {
        return Err(Failure::new("the test set has no images"));
    }
    Ok(Digits {
        images: cut(digits.images),
        labels: digits.labels,
    })
}

/// Cuts pixels into images of MNIST's size.
pub(crate) fn cut(pixels: Vec<u8>) -> Vec<Bytes> {
    let pixels = Bytes::from(pixels);
    let firsts = (0..pixels.len()).step_by(PIXELS);
    firsts
        .map(|first| pixels.slice(first..first + PIXELS))
        .collect()
}
