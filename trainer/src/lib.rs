//! Trains Quintet's networks with libtorch and writes verified bundles.
//!
//! The data's way, from files to a bundle:
//!
//! ```text
//! data ─► augmentation ─► network ─► fit ─► evaluate ─► export ─► verify ─► bundle
//! ```
//!
//! Start at [`run`] (what a command does), then [`fit`] (the loop) and [`models`] (the networks).
//! A network is a file of layers; each of the [`layers`] computes itself in libtorch and writes
//! itself as ONNX, and [`release`] lets nothing pass on which the two disagree.

pub mod averaging;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod export;
pub mod fit;
pub mod gan;
pub mod golden;
pub mod layers;
pub mod models;
pub mod naive_bayes;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod plots;
pub mod progress;
pub mod random;
pub mod recipe;
pub mod release;
pub mod run;
pub mod run_folder;
pub mod stop;
pub mod verify;
