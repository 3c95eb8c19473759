//! Fashion-MNIST: 60,000 + 10,000 pictures of garments in MNIST's format, 28×28 grey levels, light
//! garments on black ground.
//!
//! Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
//! algorithms", arXiv:1708.07747, 2017. MIT licence.

use std::path::Path;

use crate::DataError;
use crate::mnist::{self, CLASSES, Digits, Split};
use crate::published::Published;

/// The garments, in the order of their numbers.
pub const LABELS: [&str; CLASSES] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The files as published. They lie in `fashion-mnist/`; their names are MNIST's.
pub const PUBLISHED: Published = Published {
    folder: "fashion-mnist",
    is_shared: false,
    mirrors: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
    suffix: ".gz",
    files: &mnist::files([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
};

/// Reads one split from `data_dir/fashion-mnist/`, packed (`.gz`) or not; a label is a place in
/// [`LABELS`].
///
/// What is checked is what [`mnist::load`] checks.
pub fn load(data_dir: &Path, split: Split) -> Result<Digits, DataError> {
    mnist::read(&PUBLISHED, data_dir, split)
}
