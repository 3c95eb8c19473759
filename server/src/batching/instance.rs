//! One instance of a model: a backend that runs one batch at a time and survives its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::batch::Batch;
use super::lanes::Extent;
use super::request::Failure;
use super::{Backend, BackendFactory, BatchReport, Clock, Observer};

/// A backend and the buffer it writes outputs to.
pub(super) struct Instance<B: Backend> {
    backend: B,
    outputs: Vec<B::Output>,
}

/// How a batch went.
pub(super) struct Ran {
    pub(super) compute: Duration,
    /// False when the backend panicked and must not be used again.
    pub(super) sound: bool,
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

    /// Runs one batch and answers its callers.
    pub(super) fn run(
        &mut self,
        batch: Batch<B::Row, B::Output>,
        clock: &Clock,
        observer: &dyn Observer,
    ) -> Ran {
        let Self { backend, outputs } = self;
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
        // Before the answers, so that whoever has one finds it counted.
        let succeeded = outcome.is_ok();
        observer.batch(&BatchReport {
            rows,
            width,
            elements: batch.elements,
            compute,
            waits: batch.waits(),
            succeeded,
        });
        match outcome {
            Ok(()) => batch.scatter(outputs, compute),
            Err(message) => batch.fail(&Failure::Backend(message)),
        }
        Ran { compute, sound }
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
