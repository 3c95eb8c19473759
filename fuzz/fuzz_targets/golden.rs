//! A bundle's `golden.safetensors`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quintet_bundle::GoldenSamples;

fuzz_target!(|file: &[u8]| {
    if let Ok(samples) = GoldenSamples::from_bytes(file) {
        // Equal to itself, unless it holds numbers that are not finite.
        let _ = samples.compare(&samples.outputs, 0.0);
    }
});
