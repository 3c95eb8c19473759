//! The test sets of MNIST and Fashion-MNIST, to be sent as pixels.

use std::path::Path;

use bytes::Bytes;
use quintet_data::{
    DataError, fashion_mnist,
    mnist::{self, PIXELS, Split},
};

use crate::failure::Failure;

/// At least one image, and what each shows.
pub(crate) struct Digits {
    pub(crate) images: Vec<Bytes>,
    pub(crate) labels: Vec<u8>,
}

/// Handwritten digits.
pub(crate) fn load(data_dir: &Path) -> Result<Digits, Failure> {
    let hint = "--data-dir names the folder with the MNIST files";
    test_set(mnist::load(data_dir, Split::Test), hint)
}

/// Garments; the labels are places in [`fashion_mnist::LABELS`].
pub(crate) fn load_garments(data_dir: &Path) -> Result<Digits, Failure> {
    let hint = "the Fashion-MNIST files lie in the subfolder fashion-mnist of --data-dir";
    test_set(fashion_mnist::load(data_dir, Split::Test), hint)
}

fn test_set(read: Result<mnist::Digits, DataError>, hint: &str) -> Result<Digits, Failure> {
    let digits = read.map_err(|error| Failure::new(error.to_string()).hint(hint))?;
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
