//! Readers for the public data sets, in the formats they are published in.
//!
//! [`mnist`] reads the four IDX files, packed or not. With the feature `download` it also fetches
//! the ones that are missing. [`imdb`] reads the archive of film reviews. No data set is part of
//! this project.

#[cfg(feature = "download")]
mod download;
mod error;
mod idx;
pub mod imdb;
pub mod mnist;

#[cfg(feature = "download")]
pub use download::{DownloadFailure, DownloadFailureKind, Progress};
pub use error::{DataError, DataErrorKind};
