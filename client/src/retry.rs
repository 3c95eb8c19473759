//! When a failed call is tried again, and after which pause: a pure value, so that time and chance
//! are arguments.

use std::time::Duration;

/// How a failed call is tried again: exponential back-off with full jitter, bounded in attempts and
/// by the client's timeout.
///
/// Tried again:
/// - `UNAVAILABLE`: the server drains, or a model is still loading;
/// - `RESOURCE_EXHAUSTED` with a `RetryInfo`: the queue is full and the server says when to come
///   back;
/// - a connection that could not be made or was lost during the call. Every call of this SDK is
///   free of side effects, so repeating one whose answer was lost is safe.
///
/// Nothing else is tried again.
///
/// The pause after failure `n` (from 1) is `uniform(0, min(max_backoff, initial_backoff ×
/// backoff_multiplier^(n-1)))`, the "full jitter" of Marc Brooker's "Exponential Backoff And
/// Jitter" (AWS Architecture Blog, 2015). A server's `RetryInfo` is the minimum: the random pause
/// comes on top of it, so that callers who were refused together do not come back together. A pause
/// that would end after the call's deadline is not begun: the call fails at once, with the failure
/// it has.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    backoff_multiplier: f64,
}

impl RetryPolicy {
    /// The default of [`Self::max_attempts`].
    pub const DEFAULT_MAX_ATTEMPTS: u32 = 4;
    /// The default of [`Self::initial_backoff`].
    pub const DEFAULT_INITIAL_BACKOFF: Duration = Duration::from_millis(100);
    /// The default of [`Self::max_backoff`].
    pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(2);
    /// The default of [`Self::backoff_multiplier`].
    pub const DEFAULT_BACKOFF_MULTIPLIER: f64 = 2.0;

    const DEFAULT: Self = Self {
        max_attempts: Self::DEFAULT_MAX_ATTEMPTS,
        initial_backoff: Self::DEFAULT_INITIAL_BACKOFF,
        max_backoff: Self::DEFAULT_MAX_BACKOFF,
        backoff_multiplier: Self::DEFAULT_BACKOFF_MULTIPLIER,
    };

    /// Never tries again.
    pub const fn none() -> Self {
        Self {
            max_attempts: 1,
            ..Self::DEFAULT
        }
    }

    /// How often a call is tried in all, the first time included; 0 means 1.
    ///
    /// More attempts ride out longer disturbances, and put more load on a server that is already in
    /// trouble. Default: [`Self::DEFAULT_MAX_ATTEMPTS`].
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts.max(1);
        self
    }

    /// The longest pause after the first failure.
    ///
    /// A longer one spreads the callers better; a shorter one hides a short disturbance sooner.
    /// Default: [`Self::DEFAULT_INITIAL_BACKOFF`].
    pub fn initial_backoff(mut self, initial_backoff: Duration) -> Self {
        self.initial_backoff = initial_backoff;
        self
    }

    /// The ceiling that the growing pauses stop at.
    ///
    /// A lower one notices a server's return sooner, and asks a server that stays away more often.
    /// Default: [`Self::DEFAULT_MAX_BACKOFF`].
    pub fn max_backoff(mut self, max_backoff: Duration) -> Self {
        self.max_backoff = max_backoff;
        self
    }

    /// How much longer each pause may be than the one before; below 1, or not a number, means 1.
    ///
    /// Default: [`Self::DEFAULT_BACKOFF_MULTIPLIER`].
    pub fn backoff_multiplier(mut self, backoff_multiplier: f64) -> Self {
        // `f64::max` gives the other operand for NaN.
        self.backoff_multiplier = backoff_multiplier.max(1.0);
        self
    }

    /// The longest random pause after the `failures`-th failure (from 1).
    pub fn backoff(&self, failures: u32) -> Duration {
        let doublings = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial_backoff.as_secs_f64() * self.backoff_multiplier.powi(doublings);
        // Too large for a `Duration`, infinite, or 0 × infinity: the ceiling holds in each case.
        Duration::try_from_secs_f64(seconds).map_or(self.max_backoff, |it| it.min(self.max_backoff))
    }

    /// The pause after the `failures`-th failure (from 1): the server's `retry_delay` and a
    /// `jitter` in [0, 1) of [`Self::backoff`].
    pub fn delay(&self, failures: u32, retry_delay: Option<Duration>, jitter: f64) -> Duration {
        let random = self.backoff(failures).mul_f64(jitter.clamp(0.0, 1.0));
        retry_delay.unwrap_or_default().saturating_add(random)
    }

    /// The pause before the next attempt of a call that may be tried again. `None` after the last
    /// attempt, and for a pause that does not end within the `remaining` time.
    pub(crate) fn next(
        &self,
        failures: u32,
        retry_delay: Option<Duration>,
        remaining: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let delay = self.delay(failures, retry_delay, jitter);
        (failures < self.max_attempts && delay < remaining).then_some(delay)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_ceiling() {
        let policy = RetryPolicy::default();
        let milliseconds: Vec<_> = [1, 2, 3, 5, 6, u32::MAX]
            .map(|failures| policy.backoff(failures).as_millis())
            .into();
        assert_eq!(milliseconds, [100, 200, 400, 1600, 2000, 2000]);
    }

    #[test]
    fn odd_settings_are_tamed() {
        let policy = RetryPolicy::default()
            .max_attempts(0)
            .backoff_multiplier(f64::NAN);
        assert_eq!(policy.next(1, None, Duration::MAX, 0.5), None);
        assert_eq!(policy.backoff(9), RetryPolicy::DEFAULT_INITIAL_BACKOFF);
        let still = policy
            .initial_backoff(Duration::ZERO)
            .backoff_multiplier(f64::INFINITY);
        assert_eq!(still.backoff(9), RetryPolicy::DEFAULT_MAX_BACKOFF);
    }

    proptest! {
        #[test]
        fn a_delay_lies_between_the_servers_word_and_the_back_off_above_it(
            initial in 0_u64..10_000, max in 0_u64..100_000, multiplier in 0.0_f64..10.0,
            failures in 1_u32..200, server in proptest::option::of(0_u64..1_000_000), jitter in 0.0_f64..1.0,
        ) {
            let policy = RetryPolicy::default()
                .initial_backoff(Duration::from_millis(initial))
                .max_backoff(Duration::from_millis(max))
                .backoff_multiplier(multiplier);
            let server = server.map(Duration::from_millis);
            let delay = policy.delay(failures, server, jitter);
            let least = server.unwrap_or_default();
            prop_assert!(delay >= least);
            prop_assert!(delay <= least + policy.backoff(failures));
            prop_assert!(policy.backoff(failures) <= Duration::from_millis(max));
        }

        #[test]
        fn the_pauses_of_a_call_fit_in_its_timeout_and_its_attempts(
            timeout in 0_u64..20_000, attempts in 0_u32..20,
            server in proptest::option::of(0_u64..5_000), jitter in 0.0_f64..1.0,
        ) {
            let policy = RetryPolicy::default().max_attempts(attempts);
            let timeout = Duration::from_millis(timeout);
            let server = server.map(Duration::from_millis);
            let (mut failures, mut waited) = (1, Duration::ZERO);
            while let Some(delay) = policy.next(failures, server, timeout.saturating_sub(waited), jitter) {
                failures += 1;
                waited += delay;
                prop_assert!(waited <= timeout);
            }
            prop_assert!(failures <= attempts.max(1));
        }
    }
}
