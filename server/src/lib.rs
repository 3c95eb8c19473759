//! The Quintet model server.
//!
//! A request's way through it:
//!
//! ```text
//! transport ─► grpc ─► task (wire, prepare) ─► flow: batching ─► runtime ─► task (finish, wire)
//! ```
//!
//! [`config::Config::read`] gives a [`config::Config`], `build` makes an [`app::App`] of it, and
//! [`app::App::serve`] runs it on the caller's listeners until the caller's future resolves.
//!
//! [`config::Config::build_with`] takes further tasks, see [`task::Task`]. A program that embeds the
//! server calls [`environment::disable_telemetry`] first in `main`.

mod admin;
pub mod app;
mod back_off;
pub mod batching;
pub mod blocking;
mod busy_poll;
pub mod call;
pub mod clip;
pub mod config;
mod deadline;
pub mod environment;
pub mod error;
pub mod flow;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod grpc;
pub mod healthcheck;
mod idle_memory;
mod io_threads;
mod lifecycle;
mod lock;
mod log;
pub mod metrics;
pub mod model;
mod reload;
pub mod repository;
mod request_id;
mod resources;
pub mod runtime;
mod security;
pub mod shutdown;
pub mod statistics;
pub mod task;
mod tls;
pub mod tokens;
mod trace;
mod transport;
mod value_parser;
