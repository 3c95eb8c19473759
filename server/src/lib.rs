//! The Quintet model server.
//!
//! A request's way through it:
//!
//! ```text
//! bytes ─ grpc ─► decode ─► task (prepare) ─► batching ─► runtime ─► task (finish) ─► grpc ─► reply
//!           │                                                                          ▲
//!           └─ convert ─► service: validate, submit, wait within the deadline ─────────┘
//! ```
//!
//! [`config::Config::read`] gives a [`config::Config`], `build` makes an [`app::App`] of it, and [`app::App::serve`]
//! runs it on listeners that the caller has bound, until a future that the caller gives resolves.
//! A program that embeds it calls [`environment::disable_telemetry`] first in `main`.

mod admin;
pub mod app;
pub mod batching;
mod busy_poll;
pub mod config;
mod deadline;
pub mod decode;
pub mod encode;
pub mod environment;
pub mod error;
pub mod flow;
pub mod generate;
mod grpc;
pub mod healthcheck;
pub mod infer;
mod io_threads;
mod lifecycle;
pub mod metrics;
pub mod model;
pub mod repository;
mod request_id;
mod rest;
pub mod runtime;
pub mod sentiment;
pub mod service;
pub mod shutdown;
pub mod statistics;
pub mod task;
