//! A token bucket that goes into debt: a request larger than the bucket is admitted when the bucket
//! is full, and those after it wait until the debt is paid. So any request succeeds at some time,
//! and the rate holds over time.

use std::time::Duration;

use tokio::time::Instant;

/// What is left of a rate. It holds the rows of one second.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Below zero: in debt.
    available: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(rate: f64, now: Instant) -> Self {
        Self {
            available: rate.max(1.0),
            at: now,
        }
    }

    /// Takes `rows`.
    ///
    /// # Errors
    /// How long to wait until they can be taken.
    pub(super) fn take(&mut self, rows: usize, rate: f64, now: Instant) -> Result<(), Duration> {
        // Rates below one row a second still let one through.
        let size = rate.max(1.0);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.available = (self.available + passed * rate).min(size);
        self.at = now;
        let rows = rows as f64;
        let missing = rows.min(size) - self.available;
        if missing > 0.0 {
            let wait = Duration::try_from_secs_f64(missing / rate);
            // Rounded up, so that the next try at that time succeeds.
            return Err(wait.map_or(Duration::MAX, |wait| wait + Duration::from_millis(1)));
        }
        self.available -= rows;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_burst_of_one_second_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(10.0, start);
        for _ in 0..10 {
            bucket.take(1, 10.0, start).unwrap();
        }
        let wait = bucket.take(1, 10.0, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(101));
        bucket.take(1, 10.0, start + wait).unwrap();
        assert!(bucket.take(1, 10.0, start + wait).is_err());
    }

    #[tokio::test]
    async fn a_large_request_passes_when_the_bucket_is_full_and_is_paid_for() {
        let start = Instant::now();
        let mut bucket = Bucket::full(10.0, start);
        bucket.take(50, 10.0, start).unwrap();
        // A debt of 40, and one more.
        let wait = bucket.take(1, 10.0, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(4101));
    }

    proptest! {
        #[test]
        fn the_rate_holds_over_time(
            rate in 1_u32..1000,
            requests in proptest::collection::vec((1_usize..500, 0_u64..200), 1..200),
        ) {
            let rate = f64::from(rate);
            let start = Instant::now();
            let (mut now, mut admitted, mut largest) = (start, 0, 0);
            let mut bucket = Bucket::full(rate, start);
            for (rows, pause) in requests {
                now += Duration::from_millis(pause);
                if bucket.take(rows, rate, now).is_ok() {
                    admitted += rows;
                    largest = largest.max(rows);
                }
            }
            let bound = rate * (1.0 + (now - start).as_secs_f64()) + largest as f64;
            prop_assert!(admitted as f64 <= bound + 1e-3);
        }
    }
}
