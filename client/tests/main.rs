//! The SDK and the command line tool against small servers inside the test process.

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod help;
mod sdk;
mod support;
