//! One request's way through one model: prepare, submit, wait within the deadline, finish; and what is recorded of it.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::batching::{Answer, Failure, Timing};
use crate::deadline;
use crate::error::ServeError;
use crate::model::Model;
use crate::rest;
use crate::runtime::Row;

/// The rows of one request. Most requests have one.
pub type Rows = SmallVec<[Row; 1]>;

/// What a model gave, and where the time went.
#[derive(Debug)]
pub struct Served<T> {
    /// What the caller asked for.
    pub answer: T,
    /// Before the batching core.
    pub preprocess: Duration,
    /// Inside the batching core.
    pub timing: Timing,
}

impl Model {
    /// Runs the rows that `prepare` makes and lets `finish` make the answer of the outputs, one per row, and of what else
    /// `prepare` has kept for it; `None`: an output holds a number that the task does not allow. All of it within the
    /// deadline. Metrics and statistics are told. With no room for `rows` rows, as many as there will be at least, nothing is
    /// prepared.
    pub(crate) async fn serve<K, T>(
        &self,
        deadline: Option<Instant>,
        rows: usize,
        prepare: Pin<&mut impl Future<Output = Result<(Rows, K), ServeError>>>,
        finish: impl FnOnce(Rows, K) -> Option<T>,
    ) -> Result<Served<T>, ServeError> {
        if let Err(refusal) = self.engine.check_room(rows) {
            self.statistics.failed(Duration::ZERO);
            return Err(ServeError::from_refusal(&self.name, &refusal));
        }
        let started = Instant::now();
        let work = pin!(async {
            let (rows, kept) = prepare.await?;
            let preprocess = started.elapsed();
            self.metrics.preprocessed(preprocess);

            let Answer { outputs, timing } = self.run(rows, deadline).await?;
            let ran = Instant::now();
            let answer = finish(outputs, kept).ok_or_else(|| {
                let words = "an output holds a number that its task does not allow";
                ServeError::from_failure(&self.name, Failure::Backend(words.to_owned()))
            })?;
            let postprocess = ran.elapsed();
            self.metrics.postprocessed(postprocess);
            self.statistics
                .succeeded(started.elapsed(), preprocess, timing, postprocess);
            Ok(Served {
                answer,
                preprocess,
                timing,
            })
        });
        let outcome = within(deadline, work).await;
        if outcome.is_err() {
            self.statistics.failed(started.elapsed());
        }
        outcome
    }

    /// Takes rows through the batching core.
    async fn run(&self, rows: Rows, deadline: Option<Instant>) -> Result<Answer<Row>, ServeError> {
        let ticket = self
            .engine
            .submit(rows, deadline.map(Instant::into_std))
            .map_err(|refusal| ServeError::from_refusal(&self.name, &refusal))?;
        if !self.engine.is_behind() {
            rest::not_yet();
        }
        // Requests that came in the same breath are submitted before anything runs.
        let_others_run().await;
        self.engine.dispatch();
        ticket
            .await
            .map_err(|failure| ServeError::from_failure(&self.name, failure))
    }
}

/// Lets the tasks run that are ready now. Tokio's own way to yield looks at the sockets first, which costs two system
/// calls, as much as a small batch.
async fn let_others_run() {
    let mut have_run = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut have_run, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Gives the work up when the deadline passes. By reference: a future that holds another holds it twice, where it came
/// in and where it is pinned, and a request's are many deep.
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
