//! Good files, cut at every byte.

use image::codecs::jpeg::JpegEncoder;

use super::*;

const PROGRESSIVE: &[u8] = include_bytes!("../../../../tests/data/progressive.jpg");
const RESTARTS: &[u8] = include_bytes!("../../../../tests/data/restarts.jpg");

/// A grey picture with something in every block.
fn grey() -> Vec<u8> {
    let level = |x, y| image::Luma([((x * 9) ^ (y * 5)) as u8]);
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 80);
    encoder
        .encode_image(&image::GrayImage::from_fn(37, 29, level))
        .unwrap();
    file
}

fn files() -> [(&'static str, Vec<u8>); 3] {
    [
        ("grey", grey()),
        ("progressive", PROGRESSIVE.to_vec()),
        ("restarts", RESTARTS.to_vec()),
    ]
}

#[test]
fn whole_files_are_taken_as_they_are() {
    for (name, file) in files() {
        assert_eq!(completed(&file), Ok(Cow::Borrowed(&file[..])), "{name}");
        check_every_code(&file).unwrap_or_else(|missing| panic!("{name}: {missing}"));
    }
}

#[test]
fn only_the_end_marker_may_be_missing() {
    for (name, file) in files() {
        let data = file.len() - 2;
        for kept in [data, data + 1] {
            let whole = completed(&file[..kept]).unwrap_or_else(|it| panic!("{name}: {it}"));
            assert!(whole.starts_with(&file[..data]), "{name}");
            assert!(whole.ends_with(&[0xFF, EOI]), "{name}");
        }
        for kept in 2..data {
            assert!(
                completed(&file[..kept]).is_err(),
                "{name}, {kept} of {data}"
            );
        }
    }
}

#[test]
fn an_end_marker_does_not_hide_a_cut() {
    // Of a progressive file, a part may be a whole picture that is less sharp.
    for (name, file) in files()
        .into_iter()
        .filter(|(name, _)| *name != "progressive")
    {
        let data = next_scan(&file, 0).unwrap() + 14;
        for kept in data..file.len() - 2 {
            let cut = [&file[..kept], &[0xFF, EOI]].concat();
            assert!(check_every_code(&cut).is_err(), "{name}, {kept}");
        }
    }
}

#[test]
fn a_component_or_an_interval_may_not_be_missing() {
    // A frame of three components, and a scan of the first alone.
    let scan = next_scan(RESTARTS, 0).unwrap();
    let mut file = RESTARTS[..scan].to_vec();
    let header = [0xFF, SOS, 0, 8, 1, RESTARTS[scan + 5], 0, 0, 63, 0];
    file.extend(header.into_iter().chain([0x12, 0xFF, EOI]));
    assert_eq!(
        completed(&file).unwrap_err(),
        "the data of 2 of its components is missing"
    );

    let at = RESTARTS
        .windows(2)
        .position(|it| it == [0xFF, RST0])
        .unwrap();
    let next = RESTARTS
        .windows(2)
        .position(|it| it == [0xFF, RST0 + 1])
        .unwrap();
    let mut file = RESTARTS.to_vec();
    file.drain(at..next);
    let words = "restart marker 1 stands where 0 is due";
    assert_eq!(completed(&file).unwrap_err(), words);
}

/// Where the next scan's header starts.
fn next_scan(file: &[u8], from: usize) -> Option<usize> {
    let found = file[from..].windows(2).position(|it| it == [0xFF, SOS]);
    found.map(|at| from + at)
}

#[test]
fn a_progressive_file_costs_its_coefficients() {
    assert_eq!(coefficient_bytes(&grey()), 0);
    assert_eq!(coefficient_bytes(RESTARTS), 0);
    let reader = image::ImageReader::new(std::io::Cursor::new(PROGRESSIVE));
    let size = reader.with_guessed_format().unwrap().into_dimensions();
    let (width, height) = size.unwrap();
    let pixels = u64::from(width) * u64::from(height);
    // Two bytes for each of one to three components.
    assert!((2 * pixels..=6 * pixels).contains(&coefficient_bytes(PROGRESSIVE)));
    assert_eq!(coefficient_bytes(&PROGRESSIVE[..20]), 0);
}
