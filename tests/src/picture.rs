//! Pictures drawn with a thick pen, encoded as PNG and JPEG, and malicious ones.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, Luma};

/// White paper and a black pen. Positions are in pixels from the top left.
#[derive(Debug, Clone)]
pub struct Canvas(GrayImage);

/// The picture as a PNG file.
pub fn png(picture: &GrayImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, ImageFormat::Png)
        .expect("memory can be written to");
    file.into_inner()
}

/// The picture as a JPEG file of high quality.
pub fn jpeg(picture: &GrayImage) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 100)
        .encode_image(picture)
        .expect("memory can be written to");
    file
}

/// A PNG file of a few dozen bytes whose header declares this many pixels of RGBA.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    // An empty zlib stream, and its checksum.
    let data = [0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01];
    for (kind, content) in [(b"IHDR", &header[..]), (b"IDAT", &data), (b"IEND", &[])] {
        file.extend((content.len() as u32).to_be_bytes());
        let start = file.len();
        file.extend(kind);
        file.extend(content);
        let checksum = crc32(&file[start..]);
        file.extend(checksum.to_be_bytes());
    }
    file
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

impl Canvas {
    /// A white sheet.
    pub fn new(width: u32, height: u32) -> Self {
        Self(GrayImage::from_pixel(width, height, Luma([255])))
    }

    /// Draws a line through these points with a round pen of this width.
    #[must_use]
    pub fn line(mut self, points: &[(f32, f32)], width: f32) -> Self {
        for ends in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
            for (x, y, pixel) in self.0.enumerate_pixels_mut() {
                let (px, py) = (x as f32 - x0, y as f32 - y0);
                let along = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                // One pixel of grey smooths the edge.
                let paper = (distance - width / 2.0).clamp(0.0, 1.0) * 255.0;
                pixel.0[0] = pixel.0[0].min(paper as u8);
            }
        }
        self
    }

    /// The picture.
    pub fn picture(&self) -> &GrayImage {
        &self.0
    }
}
