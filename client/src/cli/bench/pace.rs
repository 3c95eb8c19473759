//! When the requests of an open loop are to be sent.

use std::{io, time::Duration};

use tokio::time::Instant;

/// A constant rate: request `i` is due `i / rate` seconds after the start, however the server does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    rate: f64,
}

/// Sleeps to a tenth of a millisecond or better where the system can; Tokio's own timers count
/// whole milliseconds.
#[derive(Debug)]
pub(super) struct Timer {
    /// A timer's descriptor is read as a pipe is: eight bytes once it has run out.
    #[cfg(target_os = "linux")]
    timer: tokio::net::unix::pipe::Receiver,
}

impl Schedule {
    /// `rate` is in requests per second, above 0.
    pub(super) fn new(start: Instant, rate: f64) -> Self {
        Self { start, rate }
    }

    /// When a request is due.
    pub(super) fn at(&self, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(index as f64 / self.rate)
    }

    /// How many fell due before `now`.
    pub(super) fn due(&self, now: Instant) -> u64 {
        (now.saturating_duration_since(self.start).as_secs_f64() * self.rate).ceil() as u64
    }
}

#[cfg(target_os = "linux")]
impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let timer = tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(timer)?;
        Ok(Self { timer })
    }

    /// Returns at `deadline`, or a little later.
    pub(super) async fn sleep_until(&self, deadline: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: left.try_into().map_err(io::Error::other)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        let mut expirations = [0; 8];
        loop {
            self.timer.readable().await?;
            match self.timer.try_read(&mut expirations) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(|_| ()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns at `deadline`, or up to a millisecond later.
    pub(super) async fn sleep_until(&self, deadline: Instant) -> io::Result<()> {
        tokio::time::sleep_until(deadline).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_fall_due_at_the_rate() {
        let schedule = Schedule::new(Instant::now(), 1000.0);
        let mut due = Vec::new();
        for step_us in [0, 1, 998, 1, 1, 8999, 990_000] {
            tokio::time::advance(Duration::from_micros(step_us)).await;
            due.push(schedule.due(Instant::now()));
        }
        // At 0, 1, 999, 1000, 1001, 10,000 and 1,000,000 microseconds: request i falls due at i
        // milliseconds.
        assert_eq!(due, [0, 1, 1, 1, 2, 10, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_is_never_before_now() {
        for rate in [0.3, 7.0, 1000.0, 33_333.3, 1e6] {
            let schedule = Schedule::new(Instant::now(), rate);
            for _ in 0..1000 {
                tokio::time::advance(Duration::from_nanos(12_345_677)).await;
                let now = Instant::now();
                let next = schedule.at(schedule.due(now));
                assert!(next + Duration::from_nanos(2) >= now, "{rate}");
                assert!(
                    next <= now + Duration::from_secs_f64(1.0 / rate + 1e-6),
                    "{rate}"
                );
            }
        }
    }
}
