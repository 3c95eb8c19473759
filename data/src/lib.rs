//! Readers for the public data sets, in the formats they are published in.
//!
//! [`mnist`] and [`fashion_mnist`] read four IDX files, [`imdb`] the archive of film reviews,
//! [`sst2`] judged sentences of such reviews, packed or not. With the feature `download` all fetch
//! what is missing. No data set is part of this project.

#[cfg(feature = "download")]
mod download;
mod error;
pub mod fashion_mnist;
mod idx;
pub mod imdb;
pub mod mnist;
mod published;
pub mod sst2;

pub use error::{DataError, DataErrorKind};
pub use published::Published;
