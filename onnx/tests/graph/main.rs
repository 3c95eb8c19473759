//! What the builder makes and refuses, without a runtime.
#![expect(clippy::unwrap_used, reason = "the bench is part of the tests")]
#![expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes its snapshots that way"
)]

mod bench;
mod errors;
mod layers;
mod operators;
mod properties;
mod text;
