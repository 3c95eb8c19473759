//! Log lines that cannot be written, and floods of them: they are counted, and the server lives.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::lock::lock;

/// Lines that a library may write in a [`WINDOW`] from one place of its code.
const LIMIT: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// The process has one log.
static UNWRITABLE: AtomicU64 = AtomicU64::new(0);
static LIMITED: AtomicU64 = AtomicU64::new(0);

/// Lines that are not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// They could not be written.
    pub(crate) unwritable: u64,
    /// A library has written too many from one place.
    pub(crate) limited: u64,
}

/// The lines lost since the process started.
pub(crate) fn lost() -> Lost {
    Lost {
        unwritable: UNWRITABLE.load(Ordering::Relaxed),
        limited: LIMITED.load(Ordering::Relaxed),
    }
}

/// Writes lines to a descriptor, and neither fails nor waits for a reader: a pipe that nobody reads
/// is full at some time.
#[derive(Debug)]
pub(crate) struct Lossy<W>(pub(crate) W);

impl<W: Write + AsFd> Lossy<W> {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        // A pipe that is writable has room for a page.
        let mut room = [PollFd::new(&self.0, PollFlags::OUT)];
        if poll(&mut room, Some(&Timespec::default()))? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.write_all(line)
    }
}

impl<W: Write + AsFd> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.write_line(line).is_err() {
            UNWRITABLE.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A line that it cannot write has been counted.
        let _ = self.0.flush();
        Ok(())
    }
}

/// Something that may happen often, and is told at most once in a [`WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    told: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// It has happened. How often it has since it was told, if it is to be told now.
    pub(crate) fn times(&mut self) -> Option<u64> {
        self.times += 1;
        let now = Instant::now();
        if self.told.is_some_and(|told| now - told < WINDOW) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

/// Lets each place in a library's code write a few lines at a time.
#[derive(Debug, Default)]
pub(crate) struct LimitByPlace(Mutex<HashMap<Identifier, Window>>);

#[derive(Debug)]
struct Window {
    started: Instant,
    lines: u32,
}

impl LimitByPlace {
    fn is_within(&self, place: Identifier, now: Instant) -> bool {
        let mut places = lock(&self.0);
        let window = places.entry(place).or_insert(Window {
            started: now,
            lines: 0,
        });
        if now.duration_since(window.started) >= WINDOW {
            *window = Window {
                started: now,
                lines: 0,
            };
        }
        window.lines = window.lines.saturating_add(1);
        window.lines <= LIMIT
    }
}

impl<S: Subscriber> Layer<S> for LimitByPlace {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Who asks for debug wants all of it.
        let is_within = *metadata.level() > Level::INFO
            || metadata.target().starts_with("quintet")
            || self.is_within(metadata.callsite(), Instant::now());
        if !is_within {
            LIMITED.fetch_add(1, Ordering::Relaxed);
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{EnvFilter, registry};

    use super::*;

    #[test]
    fn a_place_may_write_again_in_the_next_window() {
        let limit = LimitByPlace::default();
        let place = tracing::callsite!(name: "place", kind: tracing::metadata::Kind::EVENT, fields: message);
        let place = Identifier(place);
        let start = Instant::now();
        let written = |at| {
            (0..100)
                .filter(|_| limit.is_within(place.clone(), at))
                .count()
        };
        assert_eq!(written(start), LIMIT as usize);
        assert_eq!(written(start + WINDOW / 2), 0);
        assert_eq!(written(start + WINDOW), LIMIT as usize);
    }

    /// What the level forbids must cost nothing.
    #[test]
    fn the_level_of_the_filter_stays_known() {
        let lines = registry()
            .with(EnvFilter::new("info,h2=error"))
            .with(LimitByPlace::default())
            .with(tracing_subscriber::fmt::layer());
        assert_eq!(lines.max_level_hint(), Some(LevelFilter::INFO));
    }

    #[test]
    fn lines_without_a_reader_are_counted() {
        let before = lost().unwritable;
        let (reader, pipe) = io::pipe().unwrap();
        let mut log = Lossy(pipe);
        // Full at last, and then closed.
        while lost().unwritable == before {
            log.write_all(&[b'x'; 1000]).unwrap();
        }
        let full = lost().unwritable;
        drop(reader);
        log.write_all(b"line").unwrap();
        assert!(lost().unwritable > full);
    }
}
