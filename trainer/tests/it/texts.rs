//! The program on texts: from an archive to a bundle.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer};
use quintet_bundle::{Bundle, Provenance, task};
use quintet_trainer::teacher;

use crate::commands::{text, trainer};
use crate::support::runtime;

const RECIPE: &str = include_str!("../../recipes/simple_rnn.toml");

/// An archive with as many reviews as the real one, of a few words each.
fn write_archive(path: &Path) {
    let file = BufWriter::new(File::create(path).unwrap());
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::none()));
    for (folder, rating, word) in [("neg", 2, "dull"), ("pos", 9, "lovely")] {
        for split in ["train", "test"] {
            for id in 0..12_500 {
                let name = format!("aclImdb/{split}/{folder}/{id}_{rating}.txt");
                let review = format!("A {word} film<br />number {}!", id % 50);
                let mut header = tar::Header::new_gnu();
                header.set_size(review.len() as u64);
                archive
                    .append_data(&mut header, name, review.as_bytes())
                    .unwrap();
            }
        }
    }
    archive.into_inner().unwrap().finish().unwrap();
}

#[test]
fn training_on_texts_writes_a_bundle_that_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_archive(&path("aclImdb_v1.tar.gz"));
    fs::write(path("train.tsv"), "a lovely film\t1\na dull film\t0\n").unwrap();
    let (data, models, runs) = (folder.path(), path("models"), path("runs"));
    let common = ["--data-dir", text(data), "--models-dir", text(&models)];
    let common = [&common[..], &["--runs-dir", text(&runs)]].concat();
    // Without a teacher, whose sentences these reviews do not have.
    let (alone, _) = RECIPE.split_once("[distillation]").unwrap();
    fs::write(path("recipe.toml"), alone).unwrap();
    let file = path("recipe.toml");
    let recipe = ["--recipe", text(&file), "--epochs", "1"];
    let recipe = [&recipe[..], &["--batch-size", "500", "--device", "cpu"]].concat();
    let train = [&["train", "simple_rnn"], &recipe[..], &common].concat();
    let output = trainer(&train);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("making tokens of the reviews"),
        "{message}"
    );

    let bundle = Bundle::open(&models.join("simple_rnn/1")).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.task, task::TEXT_CLASSIFICATION);
    assert_eq!(manifest.labels, ["NEGATIVE", "POSITIVE"]);
    let Provenance::Trained(training) = &manifest.provenance else {
        panic!("{:?}", manifest.provenance);
    };
    assert_eq!(training.train_samples, 22_500 + 2);
    assert_eq!(training.data, "IMDB and SST-2");
    let tokenizer = Tokenizer::from_bytes(bundle.file(TOKENIZER_FILE).unwrap()).unwrap();
    // The special tokens, and the words with the mark: a, dull, lovely, film, number, !, 0 to 49.
    assert_eq!(tokenizer.vocabulary_size(), 3 + 6 + 50);
    // Rows of one token and of as many as are read: what is behind a short one is tried as well.
    let lengths = bundle.golden().inputs["lengths"].to_vec::<i32>().unwrap();
    assert_eq!(
        (lengths.iter().min(), lengths.iter().max()),
        (Some(&1), Some(&200))
    );
    for picture in ["curves.png", "scores.png"] {
        let picture = runs.join("simple_rnn").join(picture);
        assert!(image::open(&picture).is_ok(), "{}", picture.display());
    }

    let bundle_dir = models.join("simple_rnn/1");
    let output = trainer(&["evaluate", text(&bundle_dir), "--data-dir", text(data)]);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    for part in ["25000 test reviews", "of 25000)", "given NEGATIVE POSITIVE"] {
        assert!(report.contains(part), "{part} is not in: {report}");
    }

    // The next run finds the tokens; what it makes of them is the same.
    let cache = runs.join("cache/imdb.safetensors");
    let message = |arguments: &[&str]| {
        let output = trainer(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{message}");
        message
    };
    let second = message(&[&train[..], &["--model-version", "2"]].concat());
    let found = format!("reviews as tokens: {}", cache.display());
    assert!(second.contains(&found), "{second}");
    assert!(!second.contains("making tokens"), "{second}");
    let again = Bundle::open(&models.join("simple_rnn/2")).unwrap();
    assert_eq!(again.model(), bundle.model());
    assert_eq!(again.file(TOKENIZER_FILE), bundle.file(TOKENIZER_FILE));

    // A broken one is said and made anew.
    let whole = fs::read(&cache).unwrap();
    fs::write(&cache, &whole[..whole.len() / 2]).unwrap();
    let third = message(&[&["export", "simple_rnn"], &common[..]].concat());
    let broken = format!("{} is not used and made anew: ", cache.display());
    assert!(third.contains(&broken), "{third}");
    assert_eq!(fs::read(&cache).unwrap(), whole);
}

#[test]
fn a_teacher_scores_texts_in_their_order() {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    let teacher = teacher::find(None, models, "lstm", "for a test").unwrap();
    let texts = [
        "Terrible.",
        "A wonderful film with a perfect ending: I loved every minute.",
        "Awful acting",
    ];
    let scores = |texts: &[&str]| {
        let scores = teacher::scores(&teacher, texts, runtime()).unwrap();
        Vec::<f32>::try_from(scores).unwrap()
    };
    let all = scores(&texts);
    assert!(all[0] < 0.5 && all[1] > 0.5 && all[2] < 0.5, "{all:?}");
    for (text, together) in texts.iter().zip(all) {
        let alone = scores(&[text])[0];
        assert!(
            (alone - together).abs() < 1e-5,
            "{text}: {alone} {together}"
        );
    }
    let cnn = teacher::find(None, models, "cnn", "for a test").unwrap();
    let error = teacher::scores(&cnn, &texts, runtime()).unwrap_err();
    assert!(error.to_string().contains("cannot teach"), "{error}");
    let error = teacher::find(None, models, "nobody", "sentences get a score").unwrap_err();
    let words = "sentences get a score by the model nobody, and there is none in";
    assert!(error.to_string().contains(words), "{error}");
}
