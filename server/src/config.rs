//! What the server can be told: by flag, by variable or in a TOML file, in that order. The variable
//! of `--max-batch-size` is `QUINTET_MAX_BATCH_SIZE`. Each group of options builds what it
//! configures.

mod batching;
mod connections;
mod file;
mod log;
mod network;
mod print;
mod repository;
mod runtime;
mod security;
mod shutdown;
#[cfg(test)]
mod tests;
mod tls;
mod trace;

pub use connections::ConnectionOptions;
pub use log::{LogFormat, LogOptions};
pub use network::NetworkOptions;
pub use repository::RepositoryOptions;
pub use runtime::{RuntimeOptions, cores};
pub use security::{Reflection, SecurityOptions};
pub use shutdown::ShutdownOptions;
pub use tls::TlsOptions;
pub use trace::TraceOptions;

pub use crate::transport::ResponseCompression;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use quintet_bundle::Manifest;

use self::file::File;
use crate::batching::Settings;
use crate::runtime::Device;
use crate::task::Limits;
use crate::tokens::NewToken;
use crate::value_parser::Problem;

/// The Quintet model server: gRPC with dynamic batching over ONNX Runtime.
///
/// Every option can also stand in the file named by --config, under the same name with underscores;
/// those of batching in the table `batching` for all models and in `models.NAME` for one.
#[derive(Debug, Clone, Parser)]
#[command(name = "quintet-server", version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// TOML file with these options; flags and variables win over it.
    #[arg(long = "config", id = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print each option's value and where it comes from, as a file for --config, and exit.
    ///
    /// Tokens and keys stand in files of their own, of which it prints the paths.
    #[arg(long = "print-config", id = "print_config")]
    print: bool,
    /// What --print-config prints.
    #[arg(skip)]
    pub printed: Option<String>,
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
    pub batching: Settings,
    /// Batching of single models, in the file only: `models.NAME`.
    #[arg(skip)]
    pub models: BTreeMap<String, Settings>,
    /// Bounds on requests.
    #[command(flatten)]
    pub limits: Limits,
    /// How the server ends.
    #[command(flatten)]
    pub shutdown: ShutdownOptions,
    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
    /// What is traced.
    #[command(flatten)]
    pub trace: TraceOptions,
}

/// What the program can do beside serving.
#[derive(Debug, Clone, PartialEq, clap::Subcommand)]
pub enum Command {
    /// Ask the running server that has these options whether it is ready: exit code 0 if it is, else 1
    /// and the reason.
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
    /// Reads a command line, whose first word is the program's name, the variables, and the file that
    /// they name. Ends the process, as clap does, for `--help` and for a flag that does not exist.
    ///
    /// # Errors
    /// [`ConfigError`], naming the option, what came and what is allowed.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, ConfigError> {
        let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let command = Self::command().mut_args(|argument| {
            let variable = format!("QUINTET_{}", argument.get_id().as_str().to_uppercase());
            argument.env(variable)
        });
        let given = parse(command.clone(), arguments.clone(), None)?;
        let mut matches = given.clone();
        let (mut file, mut models) = (None, BTreeMap::new());
        if let Some(path) = given.get_one::<PathBuf>("config") {
            let read = file.insert(File::read(path)?);
            // The file's options come after the program's name, before a subcommand.
            let start = arguments.len().min(1);
            arguments.splice(start..start, read.flags(&command, &given)?);
            matches = parse(command.clone(), arguments, Some((&*read, "")))?;
            models = read.models(&matches)?;
        }
        let config = Self::from_arg_matches(&matches).expect("every option was parsed");
        config.tls.check()?;
        let max_message_size = config.network.max_message_size;
        config.connections.check(max_message_size)?;
        config.batching.check("", &config.limits)?;
        for (name, batching) in &models {
            batching.check(&format!("models.{name}."), &config.limits)?;
        }
        let printed = || print::print(&command, &given, &matches, file.as_ref());
        let printed = config.print.then(printed);
        Ok(Self {
            printed,
            models,
            ..config
        })
    }

    /// The batching settings of one model on this device, instances included.
    pub fn batching(&self, manifest: &Manifest, device: Device) -> Settings {
        let settings = self.models.get(&manifest.name).unwrap_or(&self.batching);
        let instances = settings.instances;
        Settings {
            instances: instances.or_else(|| Some(self.runtime.instances(device))),
            ..*settings
        }
    }
}

impl ConfigError {
    pub(crate) fn new(option: impl Into<String>, problem: impl Into<String>) -> Self {
        let (option, problem) = (option.into(), problem.into());
        Self { option, problem }
    }
}

/// Parses arguments. Mistakes on the command line are told as clap tells them, and end the process.
/// Mistakes in a table of the file, named by its prefix such as `models.cnn.`, are errors.
fn parse(
    command: clap::Command,
    arguments: Vec<OsString>,
    table: Option<(&File, &str)>,
) -> Result<ArgMatches, ConfigError> {
    command.try_get_matches_from(arguments).map_err(|error| {
        let option = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(argument)) => argument.split(' ').next().unwrap_or_default(),
            _ => "",
        };
        let option = option.trim_start_matches('-').replace('-', "_");
        let problem = error.source().and_then(|source| source.downcast_ref());
        match (problem, table) {
            (Some(Problem(problem)), None) => ConfigError::new(option, problem),
            (None, None) => error.exit(),
            (Some(Problem(problem)), Some((file, prefix))) => {
                let problem = format!("{problem} ({})", file.place(prefix, &option));
                ConfigError::new(format!("{prefix}{option}"), problem)
            }
            (None, Some((file, prefix))) => file.refuse(prefix, &option, &error.to_string()),
        }
    })
}
