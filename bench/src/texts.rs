//! Texts of all lengths: the server beside an echo of the same calls, and the same texts read and
//! run in this process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use quintet_data::imdb;
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Row, SessionBackend, Weights};
use quintet_server::task::text::Reader;

use crate::Result;
use crate::inference::{Inference, best_of, on_all_cores};

/// As many as the load generator has.
const TEXTS: usize = 2048;
pub(crate) const CONCURRENCY: usize = 64;
/// Batch sizes tried; the best counts.
const BATCHES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// How long each is tried.
const TRIAL: Duration = Duration::from_secs(1);
/// A slow model is measured on every 17th text. The step is odd, because every second text is cut.
const FEW: usize = 17;

/// Which texts are measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder with IMDB's reviews.
    #[arg(value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Send texts of N words each [default: reviews and sentences in turn].
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    words: Option<usize>,
}

impl Options {
    /// The load generator's option for the same texts.
    pub(crate) fn mix(&self) -> String {
        self.words
            .map_or("both".to_owned(), |words| words.to_string())
    }

    /// The load generator's texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>> {
        Ok(match self.words {
            Some(words) => imdb::of_words(&self.data_dir, TEXTS, words)?,
            None => imdb::sample(&self.data_dir, TEXTS, |at| at.is_multiple_of(2))?,
        })
    }
}

/// For the note under the table.
pub(crate) const NOTE: &str = "\
2048 texts of IMDB's test reviews: half of them whole, half cut to their first sentences, or all \
of --words. One text a request, 64 under way. In process: the same texts made tokens and run \
sorted by length, over all cores.";

impl Inference {
    /// Texts read and run a second, and the batch size that gave them.
    pub(crate) fn measure_texts(&self, texts: &[String]) -> Result<(f64, usize)> {
        let instances = self.instances()?;
        best_of(&BATCHES, |batch| {
            on_all_cores(0..instances, |_, start| {
                let session = self.session(&Weights::default());
                let reader = Reader::of(&self.bundle);
                start.wait();
                run_for(&mut session?, &reader?, texts, batch)
            })
        })
    }
}

/// Texts a second of one thread.
fn run_for(
    session: &mut SessionBackend,
    reader: &Reader,
    texts: &[String],
    batch: usize,
) -> Result<f64> {
    let mut outputs = Vec::new();
    let mut run = |every: usize| -> Result<usize> {
        let texts = texts.iter().step_by(every);
        let rows = texts.map(|text| Ok(reader.read(text, None)?.row));
        let mut rows = rows.collect::<Result<Vec<Row>>>()?;
        rows.sort_by_key(Row::steps);
        for rows in rows.chunks(batch) {
            outputs.clear();
            session.run(rows, &mut outputs)?;
        }
        Ok(rows.len())
    };
    let start = Instant::now();
    let mut done = run(FEW)?;
    // Of a slow model, a part of the texts must do.
    let every = if start.elapsed() * FEW as u32 > TRIAL {
        FEW
    } else {
        1
    };
    while start.elapsed() < TRIAL {
        done += run(every)?;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
