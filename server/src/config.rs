//! What the server can be told: by flag, by `QUINTET_*` variable or in a TOML file, in that order. Each
//! group of options builds what it configures.

mod batching;
mod connections;
mod file;
mod limits;
mod log;
mod network;
mod repository;
mod runtime;
mod security;
mod shutdown;
#[cfg(test)]
mod tests;
mod tls;
mod value;

pub use batching::BatchingOptions;
pub use connections::ConnectionOptions;
pub use limits::LimitOptions;
pub use log::{LogFormat, LogOptions};
pub use network::NetworkOptions;
pub use repository::RepositoryOptions;
pub use runtime::{RuntimeOptions, cores};
pub use security::{Reflection, SecurityOptions};
pub use shutdown::ShutdownOptions;
pub use tls::TlsOptions;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};
use quintet_bundle::Manifest;

use self::file::File;
use self::value::Origin;
use crate::batching::Settings;
use crate::runtime::Device;
use crate::tokens::NewToken;

/// The Quintet model server: gRPC with dynamic batching over ONNX Runtime.
///
/// Every option can also stand in the file named by --config, under the same name with underscores; those of batching
/// in the table `batching` for all models and in `models.NAME` for one.
#[derive(Debug, Clone, Parser)]
#[command(name = "quintet-server", version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// TOML file with these options; flags and variables win over it.
    #[arg(
        long = "config",
        id = "config",
        env = "QUINTET_CONFIG",
        value_name = "FILE"
    )]
    file: Option<PathBuf>,

    /// Which models are served.
    #[command(flatten)]
    pub repository: RepositoryOptions,

    /// Where and how connections are served.
    #[command(flatten)]
    pub network: NetworkOptions,

    /// Certificates.
    #[command(flatten)]
    pub tls: TlsOptions,

    /// Who may call.
    #[command(flatten)]
    pub security: SecurityOptions,

    /// Bounds on connections.
    #[command(flatten)]
    pub connections: ConnectionOptions,

    /// Where models run.
    #[command(flatten)]
    pub runtime: RuntimeOptions,

    /// Batching of every model; in the file, the table `batching`.
    #[command(flatten)]
    pub batching: BatchingOptions,

    /// Batching of single models, in the file only: `models.NAME`.
    #[arg(skip)]
    pub models: BTreeMap<String, BatchingOptions>,

    /// Bounds on requests.
    #[command(flatten)]
    pub limits: LimitOptions,

    /// How the server ends.
    #[command(flatten)]
    pub shutdown: ShutdownOptions,

    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
}

/// What the program can do beside serving.
#[derive(Debug, Clone, PartialEq, clap::Subcommand)]
pub enum Command {
    /// Ask the running server that has these options whether it is ready: exit code 0 if it is, else 1 and the reason.
    ///
    /// It finds the server by --admin-listen, QUINTET_ADMIN_LISTEN or the file.
    Healthcheck,
    /// Manage the callers' tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// What can be done with tokens.
#[derive(Debug, Clone, PartialEq, clap::Subcommand)]
pub enum TokenCommand {
    /// Print a new token, and its entry for the file of --tokens.
    New(NewToken),
}

/// An option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {problem}")]
pub struct ConfigError {
    /// The option's name.
    pub option: String,
    /// What came and what is allowed.
    pub problem: String,
}

impl Config {
    /// Reads a command line, of which the program's name is the first, the variables, and the file that
    /// they name. Ends the process, as clap does, for `--help` and for flags that do not exist.
    ///
    /// # Errors
    /// [`ConfigError`], naming the option, what came and what is allowed.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, ConfigError> {
        let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let command = Self::command();
        let mut matches = Origin::CommandLine.parse(command.clone(), &arguments)?;
        let mut models = BTreeMap::new();
        if let Some(path) = matches.get_one::<PathBuf>("config").cloned() {
            let file = File::read(&path)?;
            // What the command line and the variables leave open, the file's arguments say.
            let place = arguments.len().min(1);
            arguments.splice(place..place, file.arguments(&command, &matches)?);
            matches = Origin::File(&path).parse(command, &arguments)?;
            models = file.models(&matches)?;
        }
        let config = Self::from_arg_matches(&matches).expect("every option has been parsed");
        let config = Self { models, ..config };
        config.tls.check()?;
        config.batching.check("", &config.limits)?;
        for (name, batching) in &config.models {
            batching.check(&format!("models.{name}."), &config.limits)?;
        }
        Ok(config)
    }

    /// The batching settings of one model on this device.
    pub fn batching(&self, manifest: &Manifest, device: Device) -> Settings {
        let options = self.models.get(&manifest.name).unwrap_or(&self.batching);
        Settings {
            max_batch_size: options.max_batch_size,
            max_queue_delay: options.max_queue_delay,
            max_queue_size: options.max_queue_size,
            max_queue_bytes: options.max_queue_bytes,
            instances: options
                .instances
                .unwrap_or_else(|| self.runtime.instances(device)),
            max_inline_compute: options.max_inline_compute,
        }
    }
}
