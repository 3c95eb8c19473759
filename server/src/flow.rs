//! A request's way through one model: prepare, submit, wait within the deadline, finish, record.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::back_off;
use crate::batching::{Answer, Failure, Flow, Timing};
use crate::deadline;
use crate::error::ServeError;
use crate::model::Model;
use crate::runtime::{Row, Rows};
use crate::trace::{CallSpan, Stages};

/// An answer, and where its time went.
#[derive(Debug)]
pub struct Served<T> {
    /// What the caller asked for.
    pub answer: T,
    /// Where its time went.
    pub spent: Spent,
}

/// How a request takes its turn.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// When its caller stops waiting.
    pub deadline: Option<Instant>,
    /// Whose it is.
    pub flow: Flow,
    /// The span of its call, if it is traced.
    pub(crate) span: Option<Arc<CallSpan>>,
}

/// Of a caller that is not known.
impl From<Option<Instant>> for Turn {
    fn from(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }
}

/// Where the time of one run went, or of several, one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Before the batching core.
    pub preprocess: Duration,
    /// Inside the batching core.
    pub inside: Timing,
}

impl Model {
    /// Runs the rows that `prepare` makes, and records the request in the metrics and statistics.
    ///
    /// `finish` makes the answer from the outputs, one per row, and from what else `prepare` has
    /// returned; `None`: an output holds a number that the task does not allow. `rows` is the least
    /// number of rows that `prepare` will make: nothing is prepared if the queue has no room for
    /// them.
    ///
    /// # Errors
    /// Those of `prepare`, and those of the batching core: a full queue, the deadline, a fault.
    pub async fn serve<K, T>(
        &self,
        turn: impl Into<Turn>,
        rows: usize,
        prepare: Pin<&mut impl Future<Output = Result<(Rows, K), ServeError>>>,
        finish: impl FnOnce(Rows, K) -> Option<T>,
    ) -> Result<Served<T>, ServeError> {
        let turn = turn.into();
        let (deadline, flow) = (turn.deadline, turn.flow);
        if let Err(failure) = self.engine.check_room_for(flow, rows) {
            self.metrics.statistics.fail.add(Duration::ZERO);
            return Err(ServeError::from_failure(&self.name, failure));
        }
        let started = Instant::now();
        let work = pin!(async {
            let (rows, kept) = prepare.await?;
            let preprocess = started.elapsed();
            self.metrics.preprocess.record(preprocess);

            let Answer { outputs, timing } = self.run(rows, flow, deadline).await?;
            let ran = Instant::now();
            let answer = finish(outputs, kept).ok_or_else(|| {
                let words = "an output holds a number that its task does not allow";
                ServeError::from_failure(&self.name, Failure::Backend(words.to_owned()))
            })?;
            let postprocess = ran.elapsed();
            self.metrics.postprocess.record(postprocess);
            let took = started.elapsed();
            let statistics = &self.metrics.statistics;
            statistics.succeeded(took, preprocess, timing, postprocess);
            if let Some(span) = &turn.span {
                let stages = Stages {
                    started: SystemTime::now() - took,
                    preprocess,
                    inside: timing,
                    postprocess,
                };
                span.add_stages(&self.name, self.version, stages);
            }
            let spent = Spent {
                preprocess,
                inside: timing,
            };
            Ok(Served { answer, spent })
        });
        let outcome = within(deadline, work).await;
        if outcome.is_err() {
            self.metrics.statistics.fail.add(started.elapsed());
        }
        outcome
    }

    /// Takes rows through the batching core.
    async fn run(
        &self,
        rows: Rows,
        flow: Flow,
        deadline: Option<Instant>,
    ) -> Result<Answer<Row>, ServeError> {
        let deadline = deadline.map(Instant::into_std);
        let ticket = self
            .engine
            .submit_for(flow, rows, deadline)
            .map_err(|failure| ServeError::from_failure(&self.name, failure))?;
        if !self.engine.is_behind() {
            back_off::suppress();
        }
        // Requests that came in the same read are submitted before anything runs.
        yield_to_ready_tasks().await;
        self.engine.dispatch();
        ticket
            .await
            .map_err(|failure| ServeError::from_failure(&self.name, failure))
    }
}

impl Spent {
    /// Adds the time of another run, and returns its answer.
    pub fn add<T>(&mut self, served: Served<T>) -> T {
        let Self { preprocess, inside } = served.spent;
        self.preprocess += preprocess;
        self.inside.queue += inside.queue;
        self.inside.compute += inside.compute;
        self.inside.batch_size = self.inside.batch_size.max(inside.batch_size);
        served.answer
    }
}

/// Lets the tasks run that are ready now. Tokio's `yield_now` looks at the sockets first, which
/// costs two system calls, as much as a small batch.
async fn yield_to_ready_tasks() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Drops the work when the deadline passes. It takes the work by reference, because a future that
/// holds another by value holds it twice: as its argument, and where it is pinned.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    work: Pin<&mut impl Future<Output = Result<T, ServeError>>>,
) -> Result<T, ServeError> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    if deadline <= Instant::now() {
        return Err(ServeError::DeadlineExceeded {
            stage: "on arrival",
        });
    }
    let late = ServeError::DeadlineExceeded {
        stage: "in the queue or while running",
    };
    deadline::before(deadline, work).await.unwrap_or(Err(late))
}
