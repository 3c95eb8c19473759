//! Trains Quintet's networks with libtorch and writes verified bundles.
//!
//! The data's way, from files to a bundle:
//!
//! ```text
//! data ─► augmentation ─► network ─► fit ─► exam ─► export ─► verify ─► bundle
//! ```
//!
//! Start at [`run`] (what a command does), then [`fit`] (the loop), [`release`] and [`models`] (the
//! networks). A network is a file of layers with an entry in a list; each of the [`layers`]
//! computes itself in libtorch and writes itself as ONNX, and [`release`] refuses a graph that
//! differs.
//!
//! A program of another crate trains networks of its own with [`cli::run`]: it implements
//! [`models::Model`], and [`data::Dataset`] and [`task::Task`] where it needs others, and passes a
//! list of [`models::Architecture`].

pub mod averaging;
pub mod bag_of_ngrams;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod fit;
pub mod import;
pub mod layers;
pub mod models;
pub mod naive_bayes;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod plots;
pub mod precision;
pub mod pretrained;
pub mod progress;
pub mod random;
pub mod read_back;
pub mod recipe;
pub mod release;
pub mod run;
pub mod run_folder;
pub mod schedule;
pub mod stop;
pub mod task;
pub mod teacher;
mod temperature;
pub mod verify;
