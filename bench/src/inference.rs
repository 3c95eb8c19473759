//! The cost of inference alone: ONNX Runtime in this process, one session of one thread for every
//! core, or one session on a GPU.

use std::sync::Barrier;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quintet_bundle::Bundle;
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Device, Row, Runtime, SessionBackend, Signature, Weights};

use crate::{Arguments, Result};

/// Batch sizes tried; the best counts.
const BATCHES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// How long each is tried, after a tenth of that to warm up.
const TRIAL: Duration = Duration::from_millis(500);

/// About what lies between the requests of a caller that waits for each answer.
const REST: Duration = Duration::from_micros(100);

/// A model to measure.
#[derive(Debug)]
pub(crate) struct Inference {
    pub(crate) name: String,
    pub(crate) bundle: Bundle,
    signature: Signature,
    runtime: Runtime,
}

/// What the runtime reached.
#[derive(Debug, Clone)]
pub(crate) struct Speed {
    /// Rows a second over all cores, at the best batch size.
    pub(crate) rows_per_second: f64,
    pub(crate) batch: usize,
    /// The median microseconds of one row alone, on one core with the others idle, run after run.
    pub(crate) single_us: f64,
    /// The same when the core has been idle for a while before each run, as it is between a
    /// caller's requests: then caches are cold and the core has to wake.
    pub(crate) rested_us: f64,
}

/// The newest version of every model of the task, or of those of the names that were given; at least
/// one.
pub(crate) fn models(arguments: &Arguments, task: &str) -> Result<Vec<Inference>> {
    let runtime = Runtime::load(&arguments.onnxruntime, Some(arguments.device), 1)?;
    let mut models: Vec<Inference> = Vec::new();
    for found in arguments.found()? {
        let bundle = Bundle::open(&found.path)?;
        if bundle.manifest().task != task {
            continue;
        }
        // Versions come oldest first.
        models.retain(|it| it.name != found.name);
        models.push(Inference {
            name: found.name,
            signature: Signature::of(bundle.manifest())?,
            bundle,
            runtime: runtime.clone(),
        });
    }
    if models.is_empty() {
        let folder = arguments.models_dir.display();
        return Err(format!("no such model in {folder}").into());
    }
    Ok(models)
}

/// The sum of what `work` gives for each item, on a thread each; the barrier is theirs.
pub(crate) fn on_all_cores<T: Send>(
    items: impl ExactSizeIterator<Item = T>,
    work: impl Fn(T, &Barrier) -> Result<f64> + Sync,
) -> Result<f64> {
    let start = Barrier::new(items.len());
    thread::scope(|scope| {
        let (work, start) = (&work, &start);
        let spawn = |item| scope.spawn(move || work(item, start));
        let threads: Vec<_> = items.map(spawn).collect();
        let joined = threads.into_iter().map(|thread| {
            let panicked = |_| Err("a thread panicked".into());
            thread.join().unwrap_or_else(panicked)
        });
        joined.sum()
    })
}

/// The most that `speed`, by batch size, gives, and the batch size that gives it.
pub(crate) fn best_of(
    batches: &[usize],
    speed: impl Fn(usize) -> Result<f64>,
) -> Result<(f64, usize)> {
    let mut best = (0.0, 0);
    for &batch in batches {
        let speed = speed(batch)?;
        if speed > best.0 {
            best = (speed, batch);
        }
    }
    Ok(best)
}

/// Rows a second of one thread.
fn run_for(backend: &mut SessionBackend, rows: &[Row], time: Duration) -> Result<f64> {
    let mut outputs = Vec::new();
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < time {
        outputs.clear();
        backend.run(rows, &mut outputs)?;
        runs += 1;
    }
    Ok(f64::from(runs) * rows.len() as f64 / start.elapsed().as_secs_f64())
}

impl Inference {
    pub(crate) fn measure(&self) -> Result<Speed> {
        let instances = self.instances()?;
        let weights = self.runtime.weights(self.bundle.model(), instances);
        let sessions = (0..instances).map(|_| self.session(&weights));
        let mut sessions = sessions.collect::<Result<Vec<_>>>()?;
        let mut speed = Speed {
            rows_per_second: 0.0,
            batch: 0,
            single_us: self.single(&mut sessions[0], Duration::ZERO)?,
            rested_us: self.single(&mut sessions[0], REST)?,
        };
        for batch in BATCHES {
            let rows = self.rows(batch);
            let total = on_all_cores(sessions.iter_mut(), |session, start| {
                run_for(session, &rows, TRIAL / 10)?;
                start.wait();
                run_for(session, &rows, TRIAL)
            })?;
            if total > speed.rows_per_second {
                speed.rows_per_second = total;
                speed.batch = batch;
            }
        }
        Ok(speed)
    }

    /// As many sessions as keep the device busy.
    pub(crate) fn instances(&self) -> Result<usize> {
        Ok(match self.runtime.device() {
            Device::Cpu => available_parallelism()?.get(),
            Device::Cuda(_) => 1,
        })
    }

    pub(crate) fn session(&self, weights: &Weights) -> Result<SessionBackend> {
        let (model, signature) = (self.bundle.model(), &self.signature);
        Ok(self.runtime.session(model, signature, weights)?)
    }

    /// The median microseconds of one row, each after a rest.
    fn single(&self, session: &mut SessionBackend, rest: Duration) -> Result<f64> {
        let rows = self.rows(1);
        run_for(session, &rows, TRIAL / 10)?;
        let mut outputs = Vec::new();
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < TRIAL {
            outputs.clear();
            if !rest.is_zero() {
                thread::sleep(rest);
            }
            let before = Instant::now();
            session.run(&rows, &mut outputs)?;
            times.push(before.elapsed().as_secs_f64() * 1e6);
        }
        Ok(crate::table::median(times))
    }

    /// The first golden samples, again and again.
    fn rows(&self, count: usize) -> Vec<Row> {
        let columns: Vec<_> = self
            .signature
            .inputs
            .iter()
            .filter_map(|port| {
                let tensor = self.bundle.golden().inputs.get(&port.name)?;
                Some((Bytes::copy_from_slice(tensor.bytes()), port.row_bytes()))
            })
            .collect();
        let row = |index: usize| {
            let cut = |(bytes, size): &(Bytes, usize)| {
                let start = index % (bytes.len() / size) * size;
                bytes.slice(start..start + size)
            };
            columns.iter().map(cut).collect()
        };
        (0..count).map(row).collect()
    }
}
