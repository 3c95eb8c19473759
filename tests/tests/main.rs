//! The end-to-end tests: one binary, one behaviour a file.

mod batching;
mod classify;
mod deadline;
mod errors;
mod health;
mod metrics;
mod overload;
mod readiness;
mod reflection;
mod request_id;
mod support;
mod versions;
