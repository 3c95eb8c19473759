//! The load: when requests are sent, and what is measured.
//!
//! All of it runs on one thread. A worker is a task with one call under way; a closed loop has a
//! fixed number of them, an open loop as many as its schedule asks for.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    caller::Caller,
    pace::{Schedule, Timer},
    payload::Payload,
    report::{Recorder, Window},
};

/// The open loop looks at its schedule no more often: at high rates a timer for each request costs
/// more than the request. What goes later for it is late by the report, too.
const TICK: Duration = Duration::from_micros(100);

/// What to send for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Requests a second, whether or not answers come. Without a rate, an answer makes room for the
    /// next request.
    pub(super) rate: Option<f64>,
    /// How many are under way at once, or with a rate, the most.
    pub(super) limit: usize,
    /// Load before the measurement.
    pub(super) warmup: Duration,
    /// The measurement.
    pub(super) duration: Duration,
    /// How long to wait for the last answers.
    pub(super) grace: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) recorder: Recorder,
    /// How long was measured.
    pub(super) measured: Duration,
    /// This process's own CPU time over the measurement.
    pub(super) cpu: Duration,
    /// Requests of the open loop that were due and did not go: too many were under way.
    pub(super) unsent: u64,
    /// Requests without an answer when the grace was over.
    pub(super) unanswered: u64,
    /// Why a connection could not be replaced, which ended the run.
    pub(super) lost: Option<String>,
}

#[derive(Debug)]
struct Load {
    window: Window,
    limit: u64,
    /// Of an open loop.
    schedule: Option<Schedule>,
    /// Requests that the schedule has let go.
    sent: Cell<u64>,
    payload: Payload,
    recorder: RefCell<Recorder>,
    under_way: Cell<u64>,
    lost: RefCell<Option<String>>,
    /// Told when the last worker has left, and when a connection is lost.
    changed: Notify,
}

/// Sends `payload` through `connections` as planned.
pub(super) async fn run(
    plan: Plan,
    connections: &[Caller],
    payload: Payload,
) -> io::Result<Outcome> {
    let start = Instant::now();
    let from = start + plan.warmup;
    let window = from..from + plan.duration;
    let load = Rc::new(Load {
        window: window.clone(),
        limit: plan.limit as u64,
        schedule: plan.rate.map(|rate| Schedule::new(start, rate)),
        sent: Cell::new(0),
        payload,
        recorder: RefCell::new(Recorder::new(window.clone())),
        under_way: Cell::new(0),
        lost: RefCell::new(None),
        changed: Notify::new(),
    });
    let cpu_before = Cell::new(cpu_time());
    let cpu_after = Cell::new(None);
    let meter = async {
        sleep_until(window.start).await;
        cpu_before.set(cpu_time());
        sleep_until(window.end).await;
        cpu_after.set(Some(cpu_time()));
        Ok(())
    };
    let all = async {
        tokio::try_join!(load.feed(connections), meter)?;
        // What is still under way then is counted as unanswered.
        let _ = timeout(plan.grace, load.idle()).await;
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        () = load.connection_lost() => {}
        done = all => done?,
    }

    let cpu_after = cpu_after.get().unwrap_or_else(cpu_time);
    let end = Instant::now().min(window.end);
    let lost = load.lost.take();
    Ok(Outcome {
        recorder: load.recorder.replace(Recorder::new(window.clone())),
        measured: end.saturating_duration_since(window.start),
        cpu: cpu_after.saturating_sub(cpu_before.get()),
        unsent: load.unsent(end),
        unanswered: load.under_way.get(),
        lost,
    })
}

/// The CPU time of this process so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// One call after the other, as long as there is one to send.
async fn work(load: Rc<Load>, mut connection: Caller, mut intended: Instant) {
    loop {
        let result = connection.call(load.payload.next()).await;
        let now = Instant::now();
        let recorded = load
            .recorder
            .borrow_mut()
            .record(intended, now, result, &load.payload);
        if let Err(lost) = recorded {
            load.lost.borrow_mut().get_or_insert(lost);
            load.changed.notify_waiters();
            break;
        }
        if now >= load.window.end {
            break;
        }
        match load.next(now) {
            Some(next) => intended = next,
            None => break,
        }
    }
    load.under_way.set(load.under_way.get() - 1);
    if load.under_way.get() == 0 {
        load.changed.notify_waiters();
    }
}

impl Load {
    /// Starts the workers, for the whole run or as requests fall due.
    async fn feed(self: &Rc<Self>, connections: &[Caller]) -> io::Result<()> {
        let mut connections = connections.iter().cycle();
        let mut spawn = |intended| {
            let connection = connections.next().expect("there is a connection").clone();
            self.under_way.set(self.under_way.get() + 1);
            tokio::task::spawn_local(work(Rc::clone(self), connection, intended));
        };
        let Some(schedule) = &self.schedule else {
            (0..self.limit).for_each(|_| spawn(Instant::now()));
            return Ok(());
        };
        let timer = Timer::new()?;
        loop {
            let now = Instant::now();
            while self.under_way.get() < self.limit
                && let Some(intended) = self.next(now)
            {
                spawn(intended);
            }
            if now >= self.window.end {
                return Ok(());
            }
            // With all workers busy, the first to end goes on with what is due.
            let next = schedule.at(schedule.due(now)).max(now + TICK);
            timer.sleep_until(next.min(self.window.end)).await?;
        }
    }

    /// When the next request is due, if that is not after `now`.
    fn next(&self, now: Instant) -> Option<Instant> {
        let Some(schedule) = &self.schedule else {
            return Some(now);
        };
        let next = self.sent.get();
        if next >= schedule.due(now.min(self.window.end)) {
            return None;
        }
        self.sent.set(next + 1);
        let intended = schedule.at(next);
        self.recorder.borrow_mut().sent(intended, now);
        Some(intended)
    }

    /// Requests that fell due in the measurement, up to `end`, and were not sent.
    fn unsent(&self, end: Instant) -> u64 {
        self.schedule.map_or(0, |schedule| {
            let sent = self.sent.get().max(schedule.due(self.window.start));
            schedule.due(end).saturating_sub(sent)
        })
    }

    async fn idle(&self) {
        while self.under_way.get() > 0 {
            self.changed.notified().await;
        }
    }

    async fn connection_lost(&self) {
        while self.lost.borrow().is_none() {
            self.changed.notified().await;
        }
    }
}
