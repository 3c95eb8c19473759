//! The file of callers and their tokens.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| quintet_server::fuzzing::tokens(content));
