//! The MNIST reader on files made here: good ones in every place and packing, and broken ones.

#![expect(clippy::unwrap_used, reason = "a set-up that fails must fail its test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use quintet_data::mnist::{self, Digits, Split};
use quintet_data::{DataError, DataErrorKind, fashion_mnist};
use tempfile::TempDir;

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

fn images(count: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0x803, count, 28, 28] {
        file.extend(u32::to_be_bytes(word));
    }
    file.extend((0..count as usize * 784).map(|index| (index % 251) as u8));
    file
}

fn labels(count: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0x801, count] {
        file.extend(u32::to_be_bytes(word));
    }
    file.extend((0..count).map(|index| (index % 10) as u8));
    file
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn load(dir: &TempDir) -> Result<Digits, DataError> {
    mnist::load(dir.path(), Split::Test)
}

/// The refusal of these images and labels, and the file that it names.
#[track_caller]
fn refusal(images: Vec<u8>, labels: Vec<u8>) -> (PathBuf, DataErrorKind) {
    let dir = folder(&[(IMAGES, images), (LABELS, labels)]);
    let error = load(&dir).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&*error.path.to_string_lossy()),
        "{error}"
    );
    (
        error.path.strip_prefix(dir.path()).unwrap().to_owned(),
        error.kind,
    )
}

#[test]
fn every_place_and_packing() {
    for (images_name, labels_name) in [
        (format!("mnist/{IMAGES}.gz"), format!("mnist/{LABELS}.gz")),
        (format!("mnist/{IMAGES}"), format!("mnist/{LABELS}.gz")),
        (format!("{IMAGES}.gz"), format!("mnist/{LABELS}")),
        (IMAGES.to_owned(), LABELS.to_owned()),
    ] {
        // What a file holds counts, not its extension.
        for pack in [false, true] {
            let content = |bytes: Vec<u8>| if pack { packed(&bytes) } else { bytes };
            let dir = folder(&[
                (&images_name, content(images(12))),
                (&labels_name, content(labels(12))),
            ]);
            let digits = load(&dir).unwrap();
            assert_eq!((digits.len(), digits.is_empty()), (12, false));
            assert_eq!(digits.images, images(12)[16..]);
            assert_eq!(digits.image(3), &images(12)[16 + 3 * 784..][..784]);
            assert_eq!(digits.labels[..4], [0, 1, 2, 3]);
        }
    }
}

#[test]
fn a_missing_file_is_named_with_the_places() {
    let dir = folder(&[(LABELS, labels(1))]);
    let error = load(&dir).unwrap_err();
    assert!(
        error
            .path
            .ends_with(Path::new("mnist").join(format!("{IMAGES}.gz")))
    );
    assert!(matches!(&error.kind, DataErrorKind::NotFetched(places) if places.contains(IMAGES)));
}

#[test]
fn garments_are_read_from_their_own_folder_alone() {
    let (images_name, labels_name) = (
        format!("fashion-mnist/{IMAGES}.gz"),
        format!("fashion-mnist/{LABELS}"),
    );
    let mut files = vec![
        (images_name.as_str(), packed(&images(5))),
        (labels_name.as_str(), labels(5)),
    ];
    let garments = fashion_mnist::load(folder(&files).path(), Split::Test).unwrap();
    assert_eq!((garments.len(), &garments.labels[..2]), (5, &[0, 1][..]));

    // MNIST's files have the same names.
    files.truncate(1);
    files.push((LABELS, labels(5)));
    let error = fashion_mnist::load(folder(&files).path(), Split::Test).unwrap_err();
    assert!(error.path.ends_with(format!("{labels_name}.gz")), "{error}");
    assert!(
        matches!(error.kind, DataErrorKind::NotFetched(_)),
        "{error}"
    );
}

#[test]
fn wrong_magic() {
    // Images and labels swapped.
    let (path, kind) = refusal(labels(3), images(3));
    assert_eq!(path, Path::new(IMAGES));
    assert_eq!(
        kind.to_string(),
        "magic number is 0x00000801, must be 0x00000803"
    );
    let (path, kind) = refusal(images(3), b"<html>".to_vec());
    assert_eq!(path, Path::new(LABELS));
    assert_eq!(
        kind.to_string(),
        "magic number is 0x3c68746d, must be 0x00000801"
    );
}

fn truncated(actual: u64, expected: u64) -> String {
    format!("ends after {actual} bytes, its header promises {expected} (unpacked)")
}

#[test]
fn truncated_and_trailing() {
    let (path, kind) = refusal(images(3)[..2000].to_vec(), labels(3));
    assert_eq!(path, Path::new(IMAGES));
    assert_eq!(kind.to_string(), truncated(2000, 16 + 3 * 784));
    let (_, kind) = refusal(images(3)[..9].to_vec(), labels(3));
    assert_eq!(kind.to_string(), truncated(9, 16));
    let (_, kind) = refusal(Vec::new(), labels(3));
    assert_eq!(kind.to_string(), truncated(0, 16));
    let (path, kind) = refusal(images(3), [labels(3), vec![0]].concat());
    assert_eq!(path, Path::new(LABELS));
    assert_eq!(
        kind.to_string(),
        "goes on after the 11 bytes that its header promises (unpacked)"
    );
}

#[test]
fn every_cut_of_a_gzip_stream_is_truncated() {
    let whole = packed(&labels(40));
    for length in 2..whole.len() {
        let (path, kind) = refusal(images(40), whole[..length].to_vec());
        assert_eq!(path, Path::new(LABELS));
        let message = kind.to_string();
        assert!(message.starts_with("ends after "), "{length}: {message}");
    }
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let mut damaged = packed(&labels(40));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let (_, kind) = refusal(images(40), damaged);
    assert!(matches!(kind, DataErrorKind::Io(_)), "{kind}");
}

#[test]
fn counts_sizes_and_labels() {
    let (path, kind) = refusal(images(3), labels(4));
    assert_eq!(path, Path::new(LABELS));
    assert_eq!(kind.to_string(), "holds 4 labels for 3 images");

    let mut wide = images(3);
    wide[15] = 32;
    let (_, kind) = refusal(wide, labels(3));
    assert_eq!(
        kind.to_string(),
        "images are 32 x 28 pixels, must be 28 x 28"
    );

    let mut endless = images(3);
    endless[4..8].fill(0xff);
    let (_, kind) = refusal(endless, labels(3));
    assert_eq!(
        kind.to_string(),
        "header promises 4294967295 items, at most 10000000 are allowed"
    );

    let mut eleven = labels(3);
    eleven[9] = 10;
    let (_, kind) = refusal(images(3), eleven);
    assert_eq!(kind.to_string(), "label 1 is 10, must be 0 to 9");
}

/// Runs where `QUINTET_DATA_DIR` names the real data.
#[test]
fn the_real_files() {
    let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
        return;
    };
    let data_dir = Path::new(&data_dir);
    let train = mnist::load(data_dir, Split::Train).unwrap();
    assert_eq!((train.len(), train.images.len()), (60_000, 60_000 * 784));
    assert_eq!(train.labels[..5], [5, 0, 4, 1, 9]);
    let test = mnist::load(data_dir, Split::Test).unwrap();
    assert_eq!((test.len(), test.labels[0]), (10_000, 7));
    let garments = fashion_mnist::load(data_dir, Split::Test).unwrap();
    let first = fashion_mnist::LABELS[usize::from(garments.labels[0])];
    assert_eq!((garments.len(), first), (10_000, "Ankle boot"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), real_start: bool) {
        let start = if real_start { images(1)[..16].to_vec() } else { Vec::new() };
        let dir = folder(&[(IMAGES, [start, bytes].concat()), (LABELS, labels(1))]);
        // Less than one image, so there is nothing to accept.
        prop_assert!(load(&dir).is_err());
    }
}
