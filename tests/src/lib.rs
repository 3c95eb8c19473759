//! The harness of the end-to-end tests: a real server on free ports, tiny models made in memory,
//! and clients for both.
//!
//! ```no_run
//! use quintet_e2e::{server, tiny};
//!
//! # async fn example() {
//! let server = server().model(tiny("digits")).max_batch_size(4).start().await;
//! let answer = server.client().await.classify(quintet_e2e::frame(7).image()).await;
//! assert_eq!(answer.unwrap().model, "digits");
//! # }
//! ```
//!
//! The harness panics where a test would: on anything that the test did not ask for.

mod admin;
mod builder;
mod certificates;
mod frame;
mod generator;
mod graph;
pub mod labels;
mod manifest;
mod models;
pub mod photo;
mod picture;
mod server;
mod silent_peer;
pub mod text;
mod tls;
mod wire;

pub use admin::{Page, Scrape, get, get_over};
pub use builder::{ServerBuilder, server};
pub use certificates::{Authority, CLIENT_NAME, Issued, PemFiles};
pub use frame::{CLASSES, Frame, frame, near, softmax};
pub use generator::{TinyGenerator, tiny_generator};
pub use models::{Flaw, TinyModel, tiny};
pub use picture::{Canvas, jpeg, png, png_bomb};
pub use server::Server;
pub use silent_peer::{SilentPeer, call_as, http2_frame};
pub use text::{TinyText, tiny_text};
pub use tls::{TlsClient, Version};
pub use wire::{Reply, Wire, grpc_message};
