//! Pixels of any size and kind to the frame of a digit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quintet_bundle::image::{Colours, Framing, GrayImage, Pixels, frame_digit};

fuzz_target!(|input: &[u8]| {
    let [width, channels, data @ ..] = input else {
        return;
    };
    let (width, channels) = (u32::from(*width).max(1), channels % 4 + 1);
    let row = width as usize * usize::from(channels);
    let height = data.len() / row;
    let data = &data[..height * row];
    let size = (width, height as u32);
    let Ok(ink) = Pixels::of(size, channels, data, Colours::Ink) else {
        return;
    };
    let grey = GrayImage::from_raw(ink.width, ink.height, ink.data).expect("one channel");
    for framing in [Framing::Auto, Framing::None] {
        frame_digit(&grey, framing);
    }
});
