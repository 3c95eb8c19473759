//! The end-to-end tests: one binary, one behaviour a file.

mod batching;
mod classify;
mod classify_stream;
mod deadline;
mod errors;
mod generate;
mod generate_errors;
mod generate_filter;
mod generate_stream;
mod generate_under_way;
mod health;
mod hostile;
mod metrics;
mod open_inference;
mod open_inference_images;
mod open_inference_text;
mod overload;
mod photo;
mod readiness;
mod readme;
mod reflection;
mod request_id;
mod sdk;
mod sentiment;
mod served_generator;
mod served_models;
mod served_text_models;
mod shutdown;
mod storm;
mod support;
mod telemetry;
mod tidy;
#[cfg(feature = "trainer")]
mod train_then_serve;
mod versions;
