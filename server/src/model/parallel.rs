//! The instance that runs a lone row on as many cores as the model's instances use together.

use std::time::Duration;

use quintet_bundle::Bundle;

use super::LoadError;
use super::warm_up::{prove, time};
use crate::config::cores;
use crate::runtime::{Device, Row, Runtime, SessionBackend, Weights};

/// What a run must take on one core. In a shorter one, too much of the time is spent on waking
/// threads.
const LEAST_TIME: Duration = Duration::from_millis(1);

/// How many times as fast the run must be to be worth a session.
const LEAST_GAIN: f64 = 1.2;

/// The sessions run in turn at most so often. Other programs can only lengthen a run, so the
/// shortest counts.
const TURNS: u128 = 4;

/// The turns together take about so long, to not delay the start.
const ALL_TURNS: Duration = Duration::from_millis(400);

/// The length of the row that is measured, in steps: that of an ordinary text.
const STEPS: usize = 64;

/// An instance whose runs are split over cores, proved on the golden samples one at a time; `None`
/// for a model that gains nothing by it, such as a small or a recurrent one.
pub(super) fn instance(
    runtime: &Runtime,
    bundle: &Bundle,
    samples: &[Row],
    weights: &Weights,
    instances: &mut [SessionBackend],
) -> Result<Option<SessionBackend>, LoadError> {
    let threads = cores().min(instances.len() * runtime.intra_op_threads());
    let ([single, ..], Some(sample)) = (instances, samples.first()) else {
        return Ok(None);
    };
    if runtime.device() != Device::Cpu || threads <= runtime.intra_op_threads() {
        return Ok(None);
    }
    let signature = single.signature().clone();
    let row = match signature.sequence {
        Some(sequence) => signature.repeat(sample, sequence.longest.min(STEPS)),
        None => sample.clone(),
    };
    let row = [row];
    let mut on_one_core = Duration::MAX;
    for _ in 0..turns(time(single, &row)?) {
        on_one_core = on_one_core.min(time(single, &row)?);
        if on_one_core < LEAST_TIME {
            return Ok(None);
        }
    }
    let model = &bundle.manifest().name;
    let runtime = runtime.with_intra_op_threads(threads);
    let mut parallel = runtime.session(bundle.model(), &signature, weights)?;
    if let Err(reason) = prove(&mut parallel, bundle, samples, 1) {
        tracing::warn!(model, threads, %reason, "runs on one core only");
        return Ok(None);
    }
    let mut on_several = Duration::MAX;
    for _ in 0..turns(on_one_core) {
        on_several = on_several.min(time(&mut parallel, &row)?);
        on_one_core = on_one_core.min(time(single, &row)?);
    }
    let gain = on_one_core.as_secs_f64() / on_several.as_secs_f64();
    tracing::debug!(model, threads, gain, "measured a run on several cores");
    Ok((gain >= LEAST_GAIN).then_some(parallel))
}

/// How often to measure a run that takes so long.
fn turns(run: Duration) -> u128 {
    (ALL_TURNS.as_micros() / run.as_micros().max(1)).clamp(1, TURNS)
}
