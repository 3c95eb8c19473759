//! A bundle's `manifest.toml`. What is read can be written, and is then read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quintet_bundle::Manifest;

fuzz_target!(|text: &str| {
    if let Ok(manifest) = Manifest::from_toml(text) {
        let written = manifest.to_toml().expect("what was read can be written");
        assert_eq!(Manifest::from_toml(&written).as_ref(), Ok(&manifest));
    }
});
