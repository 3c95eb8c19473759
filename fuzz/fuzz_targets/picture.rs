//! A file that should be PNG or JPEG, as each kind of model takes it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quintet_bundle::image::{Channels, Framing, ImageSpec};
use quintet_server::task::picture::{Picture, Wanted, decode, pixels};

/// Small, so that each run is short.
const MAX_PIXELS: u64 = 1 << 16;

fuzz_target!(|file: &[u8]| {
    let picture = Picture::Encoded(file.to_vec().into());
    for wanted in [
        Wanted::by(ImageSpec::digit(), Framing::Auto),
        Channels::Grey.into(),
        Channels::Rgb.into(),
    ] {
        if let Ok(decoded) = decode(&picture, wanted, MAX_PIXELS) {
            let size = u64::from(decoded.width) * u64::from(decoded.height);
            assert_eq!(pixels(&picture, MAX_PIXELS).ok(), Some(size));
        }
    }
});
