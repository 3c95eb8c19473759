//! The SDK and the command line tool against small servers inside the test process.

#![cfg_attr(
    feature = "cli",
    expect(
        clippy::needless_raw_string_hashes,
        reason = "UPDATE_EXPECT=1 writes them"
    )
)]

mod balance;
#[cfg(feature = "cli")]
mod bench;
#[cfg(feature = "cli")]
mod bench_connections;
#[cfg(feature = "cli")]
mod classify_text;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
mod evaluate;
#[cfg(feature = "cli")]
mod generate;
mod generate_sdk;
#[cfg(feature = "cli")]
mod help;
#[cfg(feature = "cli")]
mod process;
#[cfg(feature = "cli")]
mod quintet;
mod sdk;
#[cfg(feature = "cli")]
mod sentiment;
mod stream;
mod support;
mod tls;
#[cfg(feature = "cli")]
mod tls_tool;
mod transports;
