//! The SDK and the command line tool against small servers inside the test process.

#![cfg_attr(
    feature = "cli",
    expect(
        clippy::needless_raw_string_hashes,
        reason = "UPDATE_EXPECT=1 writes them"
    )
)]

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod help;
mod sdk;
mod support;
