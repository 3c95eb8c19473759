//! SST-2: 6,920 sentences of film reviews, which people called positive or negative.
//!
//! Socher, Perelygin, Wu, Chuang, Manning, Ng and Potts, "Recursive deep models for semantic
//! compositionality over a sentiment treebank", EMNLP 2013. The training part is read as published
//! in many copies: a sentence, a tab and the label 0 or 1 on each line, words parted by blanks.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::imdb::Reviews;
use crate::published::{Published, PublishedFile, unpacked};
use crate::{DataError, DataErrorKind};

const FILE: &str = "train.tsv";

/// The sentences as published. They lie in `sst2/`, or in the data folder itself.
pub const PUBLISHED: Published = Published {
    folder: "sst2",
    is_shared: true,
    mirrors: &[
        "https://raw.githubusercontent.com/clairett/pytorch-sentiment-classification/457ffd83de90a9d6d472d8ffc31bbffe40a8b236/data/SST2/",
    ],
    suffix: "",
    files: &[PublishedFile {
        name: FILE,
        bytes: 720_259,
        sha256: "ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920",
        is_of_packed: true,
    }],
};

/// Reads the training sentences.
///
/// # Errors
/// The file is not there, or as for [`read`].
pub fn load(data_dir: &Path) -> Result<Reviews, DataError> {
    read(&PUBLISHED.find(data_dir, FILE)?)
}

/// Reads a file of this form, contractions joined as people write them: `is n't` becomes `isn't`.
///
/// # Errors
/// The file cannot be read, or a line has no label.
pub fn read(path: &Path) -> Result<Reviews, DataError> {
    let failed = |kind| DataError::new(path, kind);
    let io = |error| failed(DataErrorKind::Io(error));
    let file = unpacked(File::open(path).map_err(io)?).map_err(io)?;
    let mut sentences = Reviews::default();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(io)?;
        let Some((text, label @ ("0" | "1"))) = line.trim_end().rsplit_once('\t') else {
            let reason = format!("line {}: no tab and label 0 or 1 at its end", index + 1);
            return Err(failed(DataErrorKind::Content(reason)));
        };
        sentences.texts.push(joined(text));
        sentences.labels.push(u8::from(label == "1"));
    }
    Ok(sentences)
}

/// Joins what the treebank's tokeniser parted.
fn joined(text: &str) -> String {
    const PARTS: [&str; 7] = ["n't", "'s", "'re", "'ve", "'ll", "'d", "'m"];
    let mut joined = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !joined.is_empty() && !PARTS.contains(&word) {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_and_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(
            &path,
            "it is n't bad\t1\nthey 've lost it , ca n't they\t0\n",
        )
        .unwrap();
        let read = load(folder.path()).unwrap();
        assert_eq!(read.texts, ["it isn't bad", "they've lost it , can't they"]);
        assert_eq!(read.labels, [1, 0]);
        std::fs::write(&path, "good\t1\nbad 0\n").unwrap();
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("line 2: no tab"), "{message}");
    }

    #[test]
    fn the_real_sentences() {
        let Some(data_dir) = std::env::var_os("QUINTET_DATA_DIR") else {
            return;
        };
        let data_dir = Path::new(&data_dir);
        if PUBLISHED.find(data_dir, FILE).is_ok() {
            let sentences = load(data_dir).unwrap();
            let good: u32 = sentences.labels.iter().copied().map(u32::from).sum();
            assert_eq!((sentences.len(), good), (6_920, 3_610));
        }
    }
}
