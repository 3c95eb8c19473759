//! IMDB's film reviews as tokens, computed once and kept for the next run.

mod cache;
mod sentences;

use std::fs;
use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, TextSpec, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, DataType, Dim, Preprocessing, Role, TensorSpec, sha256_hex};
use quintet_data::DataError;
use quintet_data::imdb::{self, Reviews};
use quintet_data::sst2;
use tch::{Device, Kind, Tensor};

use super::dataset::{Dataset, Loaded, Source, Teaching};
use super::text::Texts;
use super::{Samples, golden};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::progress;
use crate::teacher;

use cache::Cache;

/// The data set.
#[derive(Debug)]
pub struct Imdb;

/// The reviews of one split as tokens, on the CPU.
#[derive(Debug)]
struct Part {
    texts: Texts,
    /// int64 `[n]`.
    labels: Tensor,
}

/// Both splits, and the tokeniser, which was trained on the words of `train` only.
#[derive(Debug)]
struct Tokenised {
    train: Part,
    test: Part,
    tokenizer: Tokenizer,
}

impl Dataset for Imdb {
    fn name(&self) -> &'static str {
        "IMDB"
    }

    fn noun(&self) -> &'static str {
        "reviews"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["NEGATIVE", "POSITIVE"]
    }

    fn inputs(&self) -> Vec<TensorSpec> {
        let rows = || Dim::from("N");
        vec![
            TensorSpec::of_role(Role::Tokens, DataType::Int64, [rows(), Dim::from("L")]),
            TensorSpec::of_role(Role::Lengths, DataType::Int32, [rows()]),
        ]
    }

    fn load(&self, source: &Source<'_>) -> Result<Loaded, Error> {
        let max_tokens = source.tokenizer.max_tokens;
        let spec = TextSpec::end_of(max_tokens);
        imdb::PUBLISHED.ensure(source.data_dir)?;
        let tokenised = Tokenised::load(source)?;
        let tokenizer = &tokenised.tokenizer;
        let golden = Texts::encode(tokenizer, &golden::reviews(max_tokens), &spec)?;
        let sentences = source.has_sentences.then(|| {
            sst2::PUBLISHED.ensure(source.data_dir)?;
            let part = Part::encode(tokenizer, &sst2::load(source.data_dir)?, &spec)?;
            Ok::<_, Error>(("SST-2", part.samples(source.device)))
        });
        let taught = source
            .teaching
            .map(|it| taught(source, &it, tokenizer, &spec));
        Ok(Loaded {
            taught: taught.transpose()?,
            preprocessing: Some(Preprocessing::of(&spec)),
            golden: golden.ends(),
            files: [(TOKENIZER_FILE.to_owned(), tokenizer.to_bytes()?)].into(),
            train: tokenised.train.samples(source.device),
            further: sentences.transpose()?,
            test: tokenised.test.samples(Device::Cpu).by_length(),
        })
    }

    fn load_test(&self, source: &Source<'_>, bundle: &Bundle) -> Result<Samples, Error> {
        let spec = bundle.manifest().spec::<TextSpec>();
        let spec = spec.map_err(|error| Error::file(bundle.path())(error.to_string()))?;
        // A manifest of texts without the file is refused when the bundle is opened.
        let file = bundle.file(TOKENIZER_FILE).unwrap_or_default();
        imdb::PUBLISHED.ensure(source.data_dir)?;
        let test = read_archive(source.data_dir)?.test;
        let part = Part::encode(&Tokenizer::from_bytes(file)?, &test, &spec)?;
        Ok(part.samples(Device::Cpu).by_length())
    }
}

/// Sentences of the training reviews, with the teacher's scores.
fn taught(
    source: &Source<'_>,
    teaching: &Teaching<'_>,
    tokenizer: &Tokenizer,
    spec: &TextSpec,
) -> Result<Samples, Error> {
    let reviews = read_archive(source.data_dir)?.train;
    let sentences = sentences::draw(&reviews.texts, teaching.sentences, teaching.seed);
    let negations = sentences::negations(&reviews.texts, teaching.negations, teaching.seed);
    // Apart, so that the scores of one are kept if the other changes.
    let of_each = [&sentences, &negations].map(|it| scores(source.cache, teaching, it));
    let [of_sentences, of_negations] = of_each;
    let scores = Tensor::cat(&[of_sentences?, of_negations?], 0);
    let labels = scores.gt(0.5).to_kind(Kind::Int64);
    let drawn = [sentences, negations].concat();
    let texts = Texts::encode(tokenizer, &drawn, spec)?;
    let part = Part {
        texts: texts.with_scores(scores),
        labels,
    };
    Ok(part.samples(source.device))
}

/// The teacher's scores of the sentences. They take minutes, so they are kept for the next run.
fn scores(cache: &Path, teaching: &Teaching<'_>, sentences: &[String]) -> Result<Tensor, Error> {
    const SCORES: &str = "scores";
    if sentences.is_empty() {
        return Ok(Tensor::zeros([0], (Kind::Float, Device::Cpu)));
    }
    let teacher = teaching.bundle;
    let key = [sha256_hex(teacher.model()), sentences.join("\n")].concat();
    let path = cache.join(format!("scores-{}.safetensors", sha256_hex(key.as_bytes())));
    if let Ok(kept) = Checkpoint::read(&path)
        && let Some(scores) = kept.tensor(SCORES)
    {
        return Ok(scores.shallow_clone());
    }
    let (name, count) = (&teacher.manifest().name, sentences.len());
    progress::line(&format!("{name} gives {count} sentences their scores"));
    let scores = teacher::scores(teacher, sentences, teaching.runtime)?;
    let mut kept = Checkpoint::default();
    kept.insert_tensor(SCORES, scores.shallow_clone());
    fs::create_dir_all(cache).map_err(Error::file(cache))?;
    kept.write(&path)?;
    Ok(scores)
}

// Reading takes seconds, so a terminal shows a bar.
fn read_archive(data_dir: &Path) -> Result<imdb::Imdb, DataError> {
    let bar = progress::bar("{msg} {bar:30} {bytes}/{total_bytes}", 0);
    bar.set_message(imdb::ARCHIVE);
    imdb::load(data_dir, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
}

impl Part {
    fn encode(
        tokenizer: &Tokenizer,
        reviews: &Reviews,
        spec: &TextSpec,
    ) -> Result<Self, TokenizerError> {
        let labels: Vec<i64> = reviews.labels.iter().copied().map(i64::from).collect();
        Ok(Self {
            texts: Texts::encode(tokenizer, &reviews.texts, spec)?,
            labels: Tensor::from_slice(&labels),
        })
    }

    fn samples(self, device: Device) -> Samples {
        Samples::from_texts(self.texts.to_device(device), self.labels.to_device(device))
    }
}

impl Tokenised {
    // From the cache if it was computed from the same archive with the same settings. A cache that
    // cannot be used or written is reported, and is no error.
    fn load(source: &Source<'_>) -> Result<Self, Error> {
        let archive = imdb::find(source.data_dir)?;
        let cache = Cache::new(source, &archive)?;
        let shown = cache.path().display().to_string();
        match cache.read() {
            Ok(Some(tokenised)) => {
                progress::line(&format!("reviews as tokens: {shown}"));
                return Ok(tokenised);
            }
            Ok(None) => {}
            Err(reason) => progress::line(&format!("{shown} is not used and made anew: {reason}")),
        }
        let imdb::Imdb { train, test } = read_archive(source.data_dir)?;
        progress::line("making tokens of the reviews");
        let size = source.tokenizer.vocabulary_size;
        let tokenizer = match source.pretrained {
            Some(pretrained) => pretrained.tokenizer(&train.texts, size)?,
            None => Tokenizer::train(&train.texts, size)?,
        };
        let spec = TextSpec::end_of(source.tokenizer.max_tokens);
        let encode = |reviews| Part::encode(&tokenizer, reviews, &spec);
        let tokenised = Self {
            train: encode(&train)?,
            test: encode(&test)?,
            tokenizer,
        };
        if let Err(reason) = cache.write(&tokenised) {
            progress::line(&format!("{shown} cannot be kept: {reason}"));
        }
        Ok(tokenised)
    }
}
