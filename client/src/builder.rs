//! How a client is set up.

use std::{error::Error as StdError, time::Duration};

use crate::{
    balance::Balanced,
    client::Client,
    error::{Error, ErrorKind, Failure},
    retry::RetryPolicy,
    target::Target,
};

/// Settings for a [`Client`]; made by [`Client::builder`].
#[must_use]
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    server: String,
    settings: Settings,
    connect_timeout: Duration,
}

/// What a client keeps of its builder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_message_size: usize,
}

impl ClientBuilder {
    /// The default of [`Self::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of [`Self::connect_timeout`].
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    /// The default of [`Self::max_message_size`].
    pub const DEFAULT_MAX_MESSAGE_SIZE: usize = 16 << 20;

    pub(crate) fn new(server: String) -> Self {
        Self {
            server,
            settings: Settings {
                timeout: Self::DEFAULT_TIMEOUT,
                retry: RetryPolicy::default(),
                max_message_size: Self::DEFAULT_MAX_MESSAGE_SIZE,
            },
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
        }
    }

    /// The most time that one call takes, all its attempts and pauses included.
    ///
    /// A longer one waits out fuller queues; a shorter one frees the caller, and the server, of
    /// late answers sooner. Anything over a year means a year. Default: [`Self::DEFAULT_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The most time that one try to connect takes; it also counts against the call that needed the
    /// connection.
    ///
    /// A shorter one notices an unreachable host sooner, a longer one bears slower networks.
    /// Default: [`Self::DEFAULT_CONNECT_TIMEOUT`].
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// When a failed call is tried again.
    ///
    /// Retries hide short disturbances at the price of late answers and of load on a server in
    /// trouble. Default: [`RetryPolicy::default`].
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = retry;
        self
    }

    /// The largest request that is sent and the largest answer that is taken, in bytes.
    ///
    /// A larger one costs that much memory a call at worst. A request is also held to the server's
    /// own limit, which this does not raise. Default: [`Self::DEFAULT_MAX_MESSAGE_SIZE`].
    pub fn max_message_size(mut self, max_message_size: usize) -> Self {
        self.settings.max_message_size = max_message_size;
        self
    }

    /// Connects, and gives the client.
    ///
    /// One try an address until one is reached, bounded by the connect timeout, so a wrong address
    /// shows at once; for a server that is still starting, take [`Self::connect_lazy`] and
    /// [`Client::wait_until_ready`]. A connection that is lost later is made again by the call that
    /// needs it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a bad address, [`ErrorKind::Connect`] when nobody listens there.
    pub async fn connect(self) -> Result<Client, Error> {
        let start = tokio::time::Instant::now();
        let client = self.connect_lazy()?;
        let failed = |failure| Error::new("connect", failure, 1, start.elapsed());
        client.channel.connect().await.map_err(failed)?;
        Ok(client)
    }

    /// Gives a client that connects with its first call.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a bad address, or outside a Tokio runtime, which the connection's
    /// task needs.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        let target = Target::parse(&self.server).map_err(config)?;
        tokio::runtime::Handle::try_current().map_err(config)?;
        Ok(Client {
            channel: Balanced::new(&target, self.connect_timeout).map_err(config)?,
            address: target.to_string().into(),
            settings: self.settings,
        })
    }
}

fn config(reason: impl Into<Box<dyn StdError>>) -> Error {
    let failure = Failure::new(ErrorKind::Config, reason.into().to_string());
    Error::new("connect", failure, 0, Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_are_refused_with_the_reason() {
        for (given, reason) in [
            ("https://localhost:1", "TLS"),
            ("ftp://localhost", "scheme \"ftp\""),
            ("localhost", "no port"),
            ("", "bad server address"),
            (":50051", "bad server address"),
            ("http://", "bad server address"),
            ("localhost:50051/v2", "a path"),
            ("local host:1", "bad server address"),
            ("localhost:99999", "bad server address"),
            ("localhost:1,", "bad server address"),
            ("dns:///localhost", "no port"),
            ("dns:///localhost:1,localhost:2", "one name"),
        ] {
            let error = Client::builder(given).connect_lazy().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Config, "{given}");
            assert!(error.message().contains(reason), "{given}: {error}");
        }
    }

    #[test]
    fn outside_a_runtime_a_client_is_an_error_and_not_a_panic() {
        let error = Client::builder("localhost:1").connect_lazy().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Config);
    }
}
