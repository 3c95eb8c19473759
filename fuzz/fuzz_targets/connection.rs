//! Frames of HTTP/2 after a client's preface, and gRPC's messages in them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| quintet_server::fuzzing::connection(frames));
