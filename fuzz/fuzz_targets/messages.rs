//! A request of either protocol: its fields are counted, then it is decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some((&call, message)) = input.split_first() {
        quintet_server::fuzzing::message(call, message);
    }
});
