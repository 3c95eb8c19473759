//! The archive's files, sorted into reviews.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Imdb, NEGATIVE, POSITIVE, Reviews};
use crate::DataErrorKind;
use crate::published::unpacked;

/// The longest review has 14 kB.
const MAX_REVIEW: u64 = 1 << 20;

/// The four folders of labelled reviews.
const FOLDERS: [&str; 4] = ["train/neg", "train/pos", "test/neg", "test/pos"];

/// A review's number and its text.
type Numbered = (u32, String);

/// Reads the archive at `path`, which must hold `per_folder` reviews in each folder.
pub(super) fn read(
    path: &Path,
    per_folder: usize,
    mut progress: impl FnMut(u64, u64),
) -> Result<Imdb, DataErrorKind> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let position = Cell::new(0);
    let counted = Counted {
        inner: file,
        position: &position,
    };
    let mut archive = tar::Archive::new(unpacked(counted)?);
    let mut folders: [Vec<Numbered>; 4] = Default::default();
    for (entries, entry) in archive.entries()?.enumerate() {
        let broken = |source: io::Error| {
            let reason = format!("breaks off or is damaged after {entries} entries: {source}");
            DataErrorKind::Content(reason)
        };
        let mut entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some((folder, number)) = review(&name)? {
            let mut bytes = Vec::new();
            let limit = MAX_REVIEW + 1;
            let read = (&mut entry).take(limit).read_to_end(&mut bytes);
            if read.map_err(broken)? as u64 == limit {
                let reason = format!("entry {name} has more than {MAX_REVIEW} bytes");
                return Err(DataErrorKind::Content(reason));
            }
            folders[folder].push((number, String::from_utf8_lossy(&bytes).into_owned()));
        }
        progress(position.get(), length);
    }
    for (folder, reviews) in FOLDERS.into_iter().zip(&folders) {
        let found = reviews.len();
        if found != per_folder {
            let reason = format!("{folder} holds {found} reviews, must hold {per_folder}");
            return Err(DataErrorKind::Content(reason));
        }
    }
    let [train_negative, train_positive, test_negative, test_positive] = folders;
    Ok(Imdb {
        train: sorted([train_negative, train_positive]),
        test: sorted([test_negative, test_positive]),
    })
}

/// The folder and the number of a labelled review; nothing for the archive's other files.
fn review(name: &str) -> Result<Option<(usize, u32)>, DataErrorKind> {
    let Some((folder, file)) = name.rsplit_once('/') else {
        return Ok(None);
    };
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    let folder = folder.strip_prefix("aclImdb/");
    let Some(index) = FOLDERS.iter().position(|it| folder == Some(*it)) else {
        return Ok(None);
    };
    // The folder's own entry ends in a slash.
    if file.is_empty() {
        return Ok(None);
    }
    let rated = file
        .strip_suffix(".txt")
        .and_then(|stem| stem.split_once('_'))
        .and_then(|(id, rating)| Some((id.parse().ok()?, rating.parse::<u8>().ok()?)));
    let ratings = if index % 2 == 0 { 1..=4 } else { 7..=10 };
    match rated {
        Some((id, rating)) if ratings.contains(&rating) => Ok(Some((index, id))),
        _ => {
            let (lowest, highest) = (ratings.start(), ratings.end());
            Err(DataErrorKind::Content(format!(
                "entry {name} must be named ID_RATING.txt, rating {lowest} to {highest}"
            )))
        }
    }
}

// Negative reviews, then positive ones, each in the order of their numbers.
fn sorted(folders: [Vec<Numbered>; 2]) -> Reviews {
    let mut reviews = Reviews::default();
    for (label, mut texts) in [NEGATIVE, POSITIVE].into_iter().zip(folders) {
        texts.sort_unstable();
        reviews
            .labels
            .resize(reviews.labels.len() + texts.len(), label);
        reviews
            .texts
            .extend(texts.into_iter().map(|(_, text)| text));
    }
    reviews
}

/// A file that counts the bytes that were read.
struct Counted<'a> {
    inner: File,
    position: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position.set(self.position.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
