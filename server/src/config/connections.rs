//! Bounds on connections, and on what their requests hold.

use std::time::Duration;

use super::ConfigError;
use crate::resources;
use crate::transport::{Bounds, Budget};
use crate::value_parser::{Problem, at_least_one, time};

/// The least age at which a connection is asked to end.
const MIN_AGE: Duration = Duration::from_secs(1);

/// Connections and bytes in flight.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectionOptions {
    /// The most gRPC connections; beyond it an idle one is closed, or else the new one refused
    /// [default: what the limit of file descriptors allows].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_connections: Option<usize>,
    /// The most gRPC connections from one address [default: three quarters of
    /// --max-connections].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_connections_per_address: Option<usize>,
    /// When a connection is asked to end, a tenth more or less, so that a balancer of connections
    /// spreads them anew; at least 1s [default: never].
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub max_connection_age: Option<Duration>,
    /// How long the requests of such a connection may then take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub max_connection_age_grace: Duration,
    /// The most bytes that all requests may hold from their arrival to their answers; more are
    /// refused. At least --max-message-size [default: an eighth of the memory that the process may
    /// take, and at least --max-message-size].
    #[arg(long, value_name = "BYTES", value_parser = at_least_one)]
    pub max_bytes_in_flight: Option<usize>,
}

impl ConnectionOptions {
    /// The bounds on connections.
    pub(crate) fn bounds(&self) -> Bounds {
        let max = self.max_connections.unwrap_or_else(resources::connections);
        let share = || (max - max / 4).max(1);
        Bounds {
            max,
            max_per_address: self.max_connections_per_address.unwrap_or_else(share),
            max_age: self.max_connection_age,
            age_grace: self.max_connection_age_grace,
        }
    }

    /// The budget of bytes in flight, which has room for one message of `max_message_size`.
    pub(crate) fn budget(&self, max_message_size: usize) -> Budget {
        let share = || {
            let share = usize::try_from(resources::memory() / 8).unwrap_or(usize::MAX);
            share.max(max_message_size)
        };
        Budget::new(self.max_bytes_in_flight.unwrap_or_else(share))
    }

    /// Checks that the bytes in flight have room for a message.
    pub(super) fn check(&self, max_message_size: usize) -> Result<(), ConfigError> {
        match self.max_bytes_in_flight {
            Some(bytes) if bytes < max_message_size => {
                let option = "max_bytes_in_flight";
                let problem = format!(
                    "{bytes} bytes cannot hold one request of max_message_size, \
                     which is {max_message_size}"
                );
                Err(ConfigError::new(option, problem))
            }
            _ => Ok(()),
        }
    }
}

/// A shorter age would end connections before they have served a request.
fn age(text: &str) -> Result<Duration, Problem> {
    let age = time(text)?;
    if age < MIN_AGE {
        return Err(Problem(format!(
            "`{text}` is too short; at least 1s is needed"
        )));
    }
    Ok(age)
}
