//! One instance of a model: a backend that runs one batch at a time and survives its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::batch::Batch;
use super::lanes::Extent;
use super::{Backend, BackendFactory, BatchReport, Clock, Observer};

/// A backend and the buffer it writes outputs to.
pub(super) struct Instance<B: Backend> {
    backend: B,
    outputs: Vec<B::Output>,
}

impl<B: Backend> Instance<B> {
    pub(super) fn new(backend: B) -> Self {
        Self {
            backend,
            outputs: Vec::new(),
        }
    }

    /// A new instance for one that has panicked; `None` when none can be made.
    pub(super) fn replacement(factory: &BackendFactory<B>) -> Option<Self> {
        let made = catch_unwind(AssertUnwindSafe(|| factory()));
        made.ok()?.ok().map(Self::new)
    }

    /// Runs one batch and answers its callers. If it fails, each request runs again alone, so that
    /// none fails for another's rows. Returns the time of the run, and the instance unless it has
    /// panicked.
    pub(super) fn run(
        mut self,
        mut batch: Batch<B::Row, B::Output>,
        clock: &Clock,
        observer: &dyn Observer,
    ) -> (Duration, Option<Self>) {
        let Self { backend, outputs } = &mut self;
        outputs.clear();
        let Extent { rows, width } = batch.extent();
        let cut = clock.now();
        let result = catch_unwind(AssertUnwindSafe(|| backend.run(&batch.rows, outputs)));
        let compute = clock.now().saturating_duration_since(cut);

        let sound = result.is_ok();
        let outcome = match result {
            Ok(Ok(())) if outputs.len() == rows => Ok(()),
            Ok(Ok(())) => Err(format!(
                "the model gave {} outputs for {rows} rows",
                outputs.len()
            )),
            Ok(Err(error)) => Err(error.0),
            Err(panic) => Err(format!("the instance panicked: {}", panic_message(&*panic))),
        };
        let waits = batch.waits();
        let again = sound && outcome.is_err() && waits.len() > 1;
        // Before the answers, so that whoever has one finds it counted.
        observer.batch(&BatchReport {
            rows,
            width,
            elements: batch.elements,
            compute,
            waits: if again { Vec::new() } else { waits },
            succeeded: outcome.is_ok(),
        });
        match outcome {
            Ok(()) => batch.scatter(outputs, compute),
            Err(_) if again => return (compute, self.run_each(batch, clock, observer)),
            Err(message) => batch.fail(&message),
        }
        (compute, sound.then_some(self))
    }

    /// Runs the requests of a batch one after another.
    fn run_each(
        self,
        batch: Batch<B::Row, B::Output>,
        clock: &Clock,
        observer: &dyn Observer,
    ) -> Option<Self> {
        // Those behind a panic are answered when they are dropped.
        batch
            .requests()
            .into_iter()
            .try_fold(self, |instance, request| {
                instance.run(request, clock, observer).1
            })
    }
}

/// The text of a panic, where it has one.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
