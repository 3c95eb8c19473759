//! How a client is set up.

use std::{sync::Arc, time::Duration};

use tonic::{body::Body, codegen::http};
use tower::{Service, ServiceExt as _, util::BoxCloneService};

use crate::{
    balance::Balanced,
    client::Client,
    compression::Compression,
    error::Error,
    metadata::Metadata,
    retry::RetryPolicy,
    target::{self, Target},
    tls::Tls,
    transport::{BoxError, Connection, Transport},
};

/// Settings for a [`Client`]; made by [`Client::builder`].
#[must_use]
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    server: String,
    settings: Settings,
    connect_timeout: Duration,
    tls: Option<Tls>,
    channel: Option<Connection>,
    token_in_plain_text: bool,
    /// The first setting that was wrong.
    problem: Option<String>,
}

/// What a client keeps of its builder.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    /// A whole stream's, if it has one of its own.
    pub(crate) stream_timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_message_size: usize,
    pub(crate) compression: Option<Compression>,
    pub(crate) metadata: Arc<Metadata>,
    /// An address to which no token may go, since it would go in plain text.
    pub(crate) exposed: Option<Arc<str>>,
}

impl ClientBuilder {
    /// The default of [`Self::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of [`Self::connect_timeout`].
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    /// The default of [`Self::max_message_size`].
    pub const DEFAULT_MAX_MESSAGE_SIZE: usize = 16 << 20;

    pub(crate) fn new(server: String) -> Self {
        // It is not kept: builders are printed.
        let has_user_information = target::has_user_information(&server);
        Self {
            server: if has_user_information {
                String::new()
            } else {
                server
            },
            settings: Settings {
                timeout: Self::DEFAULT_TIMEOUT,
                stream_timeout: None,
                retry: RetryPolicy::default(),
                max_message_size: Self::DEFAULT_MAX_MESSAGE_SIZE,
                compression: None,
                metadata: Arc::default(),
                exposed: None,
            },
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            tls: None,
            channel: None,
            token_in_plain_text: false,
            problem: has_user_information.then(|| target::USER_INFORMATION.to_owned()),
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

    /// The most time that a whole stream takes, from its call on.
    ///
    /// Default: none for [`Client::generate_stream`], where [`Self::timeout`] bounds the wait for
    /// each message; [`Self::timeout`] for [`Client::classify_stream`].
    pub fn stream_timeout(mut self, stream_timeout: Duration) -> Self {
        self.settings.stream_timeout = Some(stream_timeout);
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

    /// How connections over TLS are made, and that addresses without a scheme (`host:port` and
    /// `dns:///host:port`) are those of TLS.
    ///
    /// An `https://` address needs it only for what differs from [`Tls`]'s defaults.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sends this token with each call, as `authorization: Bearer ...`.
    ///
    /// In plain text it goes to loopback addresses and Unix sockets only, unless
    /// [`Self::token_in_plain_text`] allows more. It is never printed.
    pub fn token(mut self, token: impl AsRef<str>) -> Self {
        let set = Arc::make_mut(&mut self.settings.metadata).set_token(token.as_ref());
        self.problem = self.problem.or(set.err());
        self
    }

    /// Lets the token (or other metadata named `authorization`) go over the network in plain text,
    /// where anyone on the way can read it: for networks that encrypt below.
    pub fn token_in_plain_text(mut self) -> Self {
        self.token_in_plain_text = true;
        self
    }

    /// Sends an entry of metadata with each call. The value is printable ASCII, or any bytes for a
    /// key that ends with `-bin`. See [`Client::with_metadata`] for a single call's.
    ///
    /// Each call also has an `x-request-id`: this one, if it is given here, else a new one.
    pub fn metadata(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let added = Arc::make_mut(&mut self.settings.metadata).add(key, value.as_ref());
        self.problem = self.problem.or(added.err());
        self
    }

    /// Sends calls through this service, such as a `tonic::transport::Channel` or tower's layers
    /// around one, and not over connections of the SDK's own.
    ///
    /// It decides where calls go and how; the server's address is then only
    /// [`Client::address`]. [`Self::tls`] and [`Self::connect_timeout`] have no effect.
    pub fn channel<S>(mut self, channel: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>>,
        S: Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.channel = Some(BoxCloneService::new(channel.map_err(Into::into)));
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

    /// Compresses requests of 1 KiB and more, and asks for answers that are compressed.
    ///
    /// It takes time at both ends to save bytes on the way: for slow networks, and for messages that
    /// get much smaller, such as texts, masks and raw images with blank margins. PNG and JPEG files
    /// are compressed already. Default: nothing is compressed.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression = Some(compression);
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
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a bad address or bad settings,
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) if no server listens there, or if the TLS
    /// handshake fails.
    pub async fn connect(self) -> Result<Client, Error> {
        let start = tokio::time::Instant::now();
        let is_given = self.channel.is_some();
        let client = self.connect_lazy()?;
        if !is_given {
            let failed = |failure| Error::new("connect", failure, 1, start.elapsed());
            client.channel.connect().await.map_err(failed)?;
        }
        Ok(client)
    }

    /// Gives a client that connects with its first call.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a bad address or bad settings, or
    /// outside a Tokio runtime, which the connection's task needs.
    pub fn connect_lazy(mut self) -> Result<Client, Error> {
        if let Some(problem) = self.problem {
            return Err(Error::config(problem));
        }
        let target = Target::parse(&self.server, self.tls.is_some()).map_err(Error::config)?;
        tokio::runtime::Handle::try_current().map_err(|it| Error::config(it.to_string()))?;
        let tls = self.tls.unwrap_or_default();
        if self.channel.is_none() && !self.token_in_plain_text {
            self.settings.exposed = target.exposed().map(Into::into);
        }
        self.settings.check_credentials()?;
        let secure = self.channel.is_none() && target.is_secure();
        let transport = Transport::new(self.connect_timeout, &tls, secure)?;
        Ok(Client {
            channel: match &self.channel {
                Some(channel) => Balanced::through(channel, transport),
                None => Balanced::new(&target, transport)
                    .map_err(|error| Error::config(error.to_string()))?,
            },
            address: target.to_string().into(),
            settings: self.settings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn bad_addresses_are_refused_with_the_reason() {
        for (given, reason) in [
            ("unix://socket", "absolute"),
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

    #[tokio::test]
    async fn a_password_in_an_address_is_refused_and_not_repeated() {
        for server in [
            "https://user:SECRET@host",
            "http://user:SECRET@host:1",
            "user:SECRET@host:1",
            "dns:///user:SECRET@host:1",
            "ftp://user:SECRET@host",
            "localhost:1,https://user:SECRET,x@host",
            "https//user:SECRET@host",
        ] {
            let builder = Client::builder(server);
            assert!(!format!("{builder:?}").contains("SECRET"), "{builder:?}");
            let error = builder.connect_lazy().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Config);
            for words in [
                "user information",
                "QUINTET_TOKEN",
                "--token-file",
                "token()",
            ] {
                assert!(error.message().contains(words), "{error}");
            }
            assert!(
                !format!("{error} {error:?}").contains("SECRET"),
                "{error:?}"
            );
        }
        Client::builder("unix:///run/a@b").connect_lazy().unwrap();
    }

    #[tokio::test]
    async fn a_token_goes_to_others_over_tls_alone() {
        let with = |server: &str| Client::builder(server).token("secret");
        for server in ["localhost:1", "unix:///socket", "https://models.example"] {
            assert!(with(server).connect_lazy().is_ok(), "{server}");
        }
        let servers = ["10.0.0.1:1", "localhost:1,b:1", "dns:///models.example:1"];
        for server in servers {
            let error = with(server).connect_lazy().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Config);
            assert!(error.message().contains("plain text"), "{error}");
            assert!(with(server).token_in_plain_text().connect_lazy().is_ok());
            assert!(with(server).tls(Tls::new()).connect_lazy().is_ok());
            let client = Client::builder(server).connect_lazy().unwrap();
            assert!(client.with_metadata("x-team", "blue").is_ok());
            client.with_metadata("Authorization", "x").unwrap_err();
        }
        let builder = Client::builder("localhost:1")
            .metadata("te", "")
            .token("secret");
        assert!(!format!("{builder:?}").contains("secret"), "{builder:?}");
        let error = builder.connect_lazy().unwrap_err();
        assert!(error.message().contains("\"te\""), "{error}");
        let client = with("localhost:1").connect_lazy().unwrap();
        assert!(!format!("{client:?}").contains("secret"), "{client:?}");
    }

    #[test]
    fn outside_a_runtime_a_client_is_an_error_and_not_a_panic() {
        let error = Client::builder("localhost:1").connect_lazy().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Config);
    }
}
