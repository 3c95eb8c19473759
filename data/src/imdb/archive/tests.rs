//! Archives made here: whole ones, broken ones, and what is said of them.

use std::fs;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

const GOOD: [(&str, &[u8]); 9] = [
    ("aclImdb/README", b"about"),
    ("aclImdb/train/pos/10_8.txt", b"fine"),
    ("aclImdb/train/pos/9_10.txt", b"great<br />film"),
    ("aclImdb/train/neg/0_1.txt", b"awful"),
    ("aclImdb/train/neg/1_4.txt", b"caf\xe9"),
    ("aclImdb/test/neg/0_2.txt", b""),
    ("aclImdb/test/neg/1_3.txt", b"dull"),
    ("aclImdb/test/pos/0_7.txt", b"nice"),
    ("aclImdb/test/pos/1_7.txt", b"good"),
];

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn read_bytes(archive: &[u8]) -> Result<Imdb, DataErrorKind> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, archive).unwrap();
    read(&path, 2, |_, _| ())
}

#[track_caller]
fn refusal(archive: &[u8]) -> String {
    read_bytes(archive).unwrap_err().to_string()
}

/// `GOOD` with `more` behind it.
fn with(more: (&str, &[u8])) -> Vec<u8> {
    tar(&[&GOOD[..], &[more]].concat())
}

#[test]
fn reviews_are_sorted_by_label_and_number() {
    let expected = Imdb {
        train: Reviews {
            texts: ["awful", "caf\u{fffd}", "great<br />film", "fine"]
                .map(str::to_owned)
                .into(),
            labels: vec![0, 0, 1, 1],
        },
        test: Reviews {
            texts: ["", "dull", "nice", "good"].map(str::to_owned).into(),
            labels: vec![0, 0, 1, 1],
        },
    };
    assert_eq!(read_bytes(&tar(&GOOD)).unwrap(), expected);
    let mut reversed = GOOD;
    reversed.reverse();
    assert_eq!(read_bytes(&tar(&reversed)).unwrap(), expected);
}

#[test]
fn what_the_published_archive_has_beside_the_labelled_reviews_is_passed_over() {
    let expected = read_bytes(&tar(&GOOD)).unwrap();
    for name in [
        "aclImdb/train/unsup/0_0.txt",
        "aclImdb/train/labeledBow.feat",
        "aclImdb/test/urls_pos.txt",
        "aclImdb/imdbEr.txt",
        "elsewhere/train/pos/77_9.txt",
    ] {
        assert_eq!(read_bytes(&with((name, b"x"))).unwrap(), expected, "{name}");
    }
}

#[test]
fn progress_reaches_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("archive");
    let bytes = tar(&GOOD);
    fs::write(&path, &bytes).unwrap();
    let mut told = Vec::new();
    read(&path, 2, |done, all| told.push((done, all))).unwrap();
    assert!(told.is_sorted());
    assert_eq!(told.last(), Some(&(bytes.len() as u64, bytes.len() as u64)));
}

#[test]
fn an_archive_that_breaks_off_is_an_error_at_every_length() {
    let whole = tar(&GOOD);
    for length in 0..whole.len() - 1 {
        let error = read_bytes(&whole[..length]);
        // The last bytes hold zeros after the tar's end, and the checksum: nothing reads them.
        assert!(
            error.is_err() || length > whole.len() - 24,
            "{length} of {}",
            whole.len()
        );
    }
    // Random words, so that half of the packed bytes is about half of the reviews.
    let noise: Vec<u8> = (0..40_000_u32)
        .map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let long = with(("aclImdb/train/pos/77_9.txt", &noise));
    let message = refusal(&long[..long.len() / 2]);
    assert!(
        message.starts_with("breaks off or is damaged after 9 entries: "),
        "{message}"
    );
}

#[test]
fn missing_and_surplus_reviews_are_counted() {
    assert_eq!(
        refusal(&tar(&GOOD[..8])),
        "test/pos holds 1 reviews, must hold 2"
    );
    assert_eq!(
        refusal(&tar(&GOOD[..5])),
        "test/neg holds 0 reviews, must hold 2"
    );
    assert_eq!(refusal(&tar(&[])), "train/neg holds 0 reviews, must hold 2");
    let surplus = with(("aclImdb/train/pos/77_9.txt", b"x"));
    assert_eq!(refusal(&surplus), "train/pos holds 3 reviews, must hold 2");
}

#[test]
fn a_review_whose_name_does_not_fit_its_folder_is_named() {
    for name in [
        "5_6.txt", "5.txt", "x_9.txt", "5_9", "5_3.txt", "5_11.txt", "-1_9.txt",
    ] {
        let name = format!("aclImdb/train/pos/{name}");
        let message = refusal(&with((&name, b"x")));
        assert_eq!(
            message,
            format!("entry {name} must be named ID_RATING.txt, rating 7 to 10")
        );
    }
}

#[test]
fn what_is_no_review_by_its_size_is_refused() {
    let huge = vec![b'a'; MAX_REVIEW as usize + 1];
    let message = refusal(&with(("aclImdb/train/pos/77_9.txt", &huge)));
    assert_eq!(
        message,
        "entry aclImdb/train/pos/77_9.txt has more than 1048576 bytes"
    );
}

#[test]
fn other_files_are_no_archive() {
    for bytes in [
        &b""[..],
        b"hello",
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3],
    ] {
        assert!(read_bytes(bytes).is_err(), "{bytes:?}");
    }
}
