//! Photographs as files: the server beside an echo of the same calls, and the same files decoded,
//! made rows and run in this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use quintet_bundle::image::{Framing, ImageInput};
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Row, SessionBackend, Weights};

use crate::Result;
use crate::inference::{Inference, best_of, on_all_cores};
use crate::pictures::pixels;

/// Batch sizes tried; the best counts.
const BATCHES: [usize; 4] = [1, 4, 8, 16];
/// How long each is tried.
const TRIAL: Duration = Duration::from_secs(1);

/// For the note under the table.
pub(crate) const NOTE: &str = "\
one file a request. In process: the same files decoded, fitted and run, over all cores.";

/// Which photographs are measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder with the files: PNG, JPEG or WebP.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// The files of `folder`.
pub(crate) fn files(folder: &Path) -> Result<Vec<Bytes>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(fs::read(path)?.into());
        }
    }
    if files.is_empty() {
        return Err(format!("{} holds no file", folder.display()).into());
    }
    Ok(files)
}

impl Inference {
    /// Files read and run a second, and the batch size that gave them.
    pub(crate) fn measure_files(&self, files: &[Bytes]) -> Result<(f64, usize)> {
        let instances = self.instances()?;
        let input = ImageInput::of(self.bundle.manifest())?;
        best_of(&BATCHES, |batch| {
            on_all_cores(0..instances, |_, start| {
                let session = self.session(&Weights::default());
                start.wait();
                run_for(&mut session?, &input, files, batch)
            })
        })
    }
}

fn row(file: &Bytes, input: &ImageInput) -> Result<Row> {
    let pixels = pixels(&input.spec, file.clone())?;
    let fitted = input.spec.fit(pixels, Framing::Auto);
    let elements = Bytes::from(input.elements(fitted.pixels));
    Ok(std::iter::once(elements).collect())
}

/// Files a second of one thread.
fn run_for(
    session: &mut SessionBackend,
    input: &ImageInput,
    files: &[Bytes],
    batch: usize,
) -> Result<f64> {
    let mut outputs = Vec::new();
    let mut files = files.iter().cycle();
    let mut done = 0;
    let start = Instant::now();
    while start.elapsed() < TRIAL {
        let rows = files.by_ref().take(batch).map(|file| row(file, input));
        let rows = rows.collect::<Result<Vec<Row>>>()?;
        outputs.clear();
        session.run(&rows, &mut outputs)?;
        done += rows.len();
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
