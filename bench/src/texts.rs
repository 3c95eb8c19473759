//! Texts of all lengths: the server beside an echo of the same calls, and the same texts read and
//! run in this process.

use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use quintet_bundle::{Bundle, task};
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Device, Row, Runtime, SessionBackend, Signature, Weights};
use quintet_server::task::sentiment::Reader;

use crate::Result;
use crate::inference::on_all_cores;
use crate::load::{Generator, Measured};
use crate::process::Server;
use crate::table::{self, Series};

/// As many as the load generator has.
const TEXTS: usize = 2048;
pub(crate) const CONCURRENCY: usize = 64;
/// Batch sizes tried; the best counts.
const BATCHES: [usize; 4] = [4, 8, 16, 32];
/// How long each is tried.
const TRIAL: Duration = Duration::from_secs(1);

/// A text model to measure.
pub(crate) struct TextModel {
    pub(crate) name: String,
    bundle: Bundle,
    runtime: Runtime,
    texts: Vec<String>,
}

/// Measured right after each other.
pub(crate) struct Pass {
    /// Texts a second in this process, and the batch size that gave them.
    alone: (f64, usize),
    echo: Measured,
    quintet: Measured,
}

/// Every text model of the repository, its newest version, or those of these names.
pub(crate) fn models(
    models_dir: &Path,
    names: &[String],
    data_dir: &Path,
    onnxruntime: &Path,
) -> Result<Vec<TextModel>> {
    let runtime = Runtime::load(onnxruntime, Some(Device::Cpu), 1)?;
    // Half reviews and half sentences, as the load generator's.
    let texts = quintet_data::imdb::sample(data_dir, TEXTS, |place| place.is_multiple_of(2))?;
    let models = crate::models::newest(models_dir, names, task::TEXT_CLASSIFICATION)?;
    let model = |(name, bundle)| TextModel {
        name,
        bundle,
        runtime: runtime.clone(),
        texts: texts.clone(),
    };
    Ok(models.into_iter().map(model).collect())
}

impl TextModel {
    pub(crate) fn measure(
        &self,
        generator: &Generator,
        data_dir: &Path,
        echo: &Server,
        quintet: &Server,
    ) -> Result<Pass> {
        let data_dir = crate::shown(data_dir);
        let options = ["--mix", "both", "--data-dir", &data_dir];
        let score =
            |server: &Server| generator.run(&server.address, &self.name, CONCURRENCY, &options);
        Ok(Pass {
            alone: self.alone()?,
            echo: score(echo)?,
            quintet: score(quintet)?,
        })
    }

    fn alone(&self) -> Result<(f64, usize)> {
        let cores = available_parallelism()?.get();
        let mut best = (0.0, 0);
        for batch in BATCHES {
            let speed = on_all_cores(0..cores, |_, start| {
                let ready = self.instance();
                start.wait();
                let (mut session, reader) = ready?;
                self.run_for(&mut session, &reader, batch)
            })?;
            if speed > best.0 {
                best = (speed, batch);
            }
        }
        Ok(best)
    }

    fn instance(&self) -> Result<(SessionBackend, Reader)> {
        let signature = Signature::of(self.bundle.manifest())?;
        let session = self
            .runtime
            .session(self.bundle.model(), &signature, &Weights::default())?;
        Ok((session, Reader::of(&self.bundle)?))
    }

    /// Texts a second of one thread.
    fn run_for(&self, session: &mut SessionBackend, reader: &Reader, batch: usize) -> Result<f64> {
        let mut outputs = Vec::new();
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed() < TRIAL {
            let texts = self.texts.iter();
            let rows = texts.map(|text| Ok(reader.read(text)?.row));
            let mut rows = rows.collect::<Result<Vec<Row>>>()?;
            rows.sort_by_key(Row::steps);
            for rows in rows.chunks(batch) {
                outputs.clear();
                session.run(rows, &mut outputs)?;
            }
            done += self.texts.len();
        }
        Ok(done as f64 / start.elapsed().as_secs_f64())
    }
}

impl Pass {
    /// Texts a second if batching were free.
    fn limit(&self) -> f64 {
        1.0 / (1.0 / self.echo.requests_per_second + 1.0 / self.alone.0)
    }
}

impl table::Pass for Pass {
    const HEADER: &str = "\
| model | echo/s | read and run in process/s, batch | limit/s | Quintet/s | p50, p99 ms | mean batch | of the limit |
|---|---|---|---|---|---|---|---|
";

    fn row(series: &Series<Self>) -> String {
        let of = |figure: fn(&Self) -> f64| series.median(figure);
        format!(
            "| {} | {:.0} | {:.0}, {:.0} | {:.0} | {:.0} | {:.1}, {:.1} | {:.1} | {:.2} |\n",
            series.model,
            of(|pass| pass.echo.requests_per_second),
            of(|pass| pass.alone.0),
            of(|pass| pass.alone.1 as f64),
            of(Self::limit),
            of(|pass| pass.quintet.requests_per_second),
            of(|pass| pass.quintet.latency_us.p50 / 1e3),
            of(|pass| pass.quintet.latency_us.p99 / 1e3),
            of(|pass| pass.quintet.mean_batch_size.unwrap_or_default()),
            of(|pass| pass.quintet.requests_per_second / pass.limit()),
        )
    }

    fn note(_: &[Series<Self>]) -> String {
        format!(
            ", {TEXTS} of IMDB's test reviews, half of them cut to their first sentences, one text a \
             request, {CONCURRENCY} under way. In process: the same texts made tokens and run sorted by \
             length, over all cores."
        )
    }
}
