//! Skeleton.
pub mod batching;
