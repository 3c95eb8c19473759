//! Caches that are found, stale, or broken in every place.

use quintet_bundle::text::TextSpec;
use quintet_data::imdb::Reviews;
use tch::Device;
use tempfile::TempDir;

use super::*;

fn reviews(texts: [&str; 2]) -> Reviews {
    Reviews {
        texts: texts.map(str::to_owned).into(),
        labels: vec![0, 1],
    }
}

/// A folder with an archive, and what may have been made of it.
fn example() -> (TempDir, PathBuf, Tokenised) {
    let folder = TempDir::new().unwrap();
    let archive = folder.path().join("archive");
    fs::write(&archive, "an archive").unwrap();
    let train = reviews(["bad bad film", "good film"]);
    let tokenizer = Tokenizer::train(&train.texts, 10_000).unwrap();
    let encode = |reviews| Part::encode(&tokenizer, reviews, &TextSpec::end_of(200)).unwrap();
    let tokenised = Tokenised {
        train: encode(&train),
        test: encode(&reviews(["bad", "a good, good film!"])),
        tokenizer,
    };
    (folder, archive, tokenised)
}

fn cache(folder: &TempDir, archive: &Path) -> Cache {
    let source = Source {
        data_dir: folder.path(),
        cache: &folder.path().join("cache"),
        device: Device::Cpu,
        tokenizer: TokenizerSettings::default(),
        has_sentences: false,
        pretrained: None,
        teaching: None,
    };
    Cache::new(&source, archive).unwrap()
}

fn written(folder: &TempDir, archive: &Path, tokenised: &Tokenised) -> Cache {
    let cache = cache(folder, archive);
    assert!(cache.read().unwrap().is_none());
    cache.write(tokenised).unwrap();
    cache
}

#[test]
fn what_was_written_comes_back_and_nothing_else_is_left() {
    let (folder, archive, tokenised) = example();
    let cache = written(&folder, &archive, &tokenised);
    let read = cache.read().unwrap().unwrap();
    for (left, right) in [
        (&tokenised.train, &read.train),
        (&tokenised.test, &read.test),
    ] {
        assert_eq!(left.texts.tokens, right.texts.tokens);
        assert_eq!(left.texts.lengths, right.texts.lengths);
        assert_eq!(left.labels, right.labels);
    }
    let json = |it: &Tokenised| it.tokenizer.to_bytes().unwrap();
    assert_eq!(json(&tokenised), json(&read));
    let files = fs::read_dir(cache.path.parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1);
}

#[track_caller]
fn assert_stale(cache: &Cache) {
    let message = cache.read().unwrap_err().to_string();
    assert!(message.contains("another archive"), "{message}");
}

#[test]
fn another_archive_and_other_rules_make_it_stale() {
    let (folder, archive, tokenised) = example();
    let mut cache = written(&folder, &archive, &tokenised);
    let key = cache.key.clone();
    cache.key = key.replace("format 3", "format 0");
    assert_stale(&cache);
    cache.key = key.replace("[!?]", "[!]");
    assert_ne!(cache.key, key, "the key holds the pattern of a word");
    assert_stale(&cache);
    fs::write(&archive, "a longer archive").unwrap();
    let cache = super::tests::cache(&folder, &archive);
    assert_stale(&cache);
}

#[test]
fn a_file_that_breaks_off_is_refused_at_every_length() {
    let (folder, archive, tokenised) = example();
    let cache = written(&folder, &archive, &tokenised);
    let whole = fs::read(&cache.path).unwrap();
    for length in 0..whole.len() {
        fs::write(&cache.path, &whole[..length]).unwrap();
        assert!(cache.read().is_err(), "{length} of {}", whole.len());
    }
}

#[test]
fn wrong_contents_are_named() {
    let (folder, archive, mut tokenised) = example();
    let cache = written(&folder, &archive, &tokenised);
    let _ = tokenised.test.labels.narrow(0, 0, 1).fill_(2);
    cache.write(&tokenised).unwrap();
    let message = cache.read().unwrap_err().to_string();
    assert_eq!(message, "its test.labels is absent or wrong");
    let tokens = Tensor::from_slice(&[3_i32, 10_000]);
    tokenised.train.texts = Texts::new(
        tokens,
        Tensor::from_slice(&[1_i64, 1]),
        200,
        Frame::default(),
    );
    cache.write(&tokenised).unwrap();
    let message = cache.read().unwrap_err().to_string();
    assert_eq!(message, "its train.tokens is absent or wrong");
    let tokens = Tensor::from_slice(&[3_i32, 4]);
    tokenised.train.texts = Texts::new(
        tokens,
        Tensor::from_slice(&[1_i64, 2]),
        200,
        Frame::default(),
    );
    cache.write(&tokenised).unwrap();
    let message = cache.read().unwrap_err().to_string();
    assert_eq!(message, "its train.lengths is absent or wrong");
}
