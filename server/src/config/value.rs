//! The values of options, and what is said of those that cannot be used.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command};

use super::ConfigError;

/// What came and what is allowed, of a value that has the right type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Problem(pub(super) String);

/// Where arguments come from, which decides how a mistake in them is told.
pub(super) enum Origin<'a> {
    /// The user typed them, or set variables.
    CommandLine,
    /// A file holds them.
    File(&'a Path),
    /// So does the table of one model.
    Model(&'a Path, &'a str),
}

impl Origin<'_> {
    /// What these arguments say.
    pub(super) fn parse(
        self,
        command: Command,
        arguments: &[OsString],
    ) -> Result<ArgMatches, ConfigError> {
        command
            .try_get_matches_from(arguments)
            .map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &clap::Error) -> ConfigError {
        let problem = error.source().and_then(|source| source.downcast_ref());
        match (problem, error.get(ContextKind::InvalidArg), self) {
            (Some(Problem(problem)), Some(ContextValue::String(argument)), _) => {
                let flag = argument.split(' ').next().unwrap_or_default();
                let option = flag.trim_start_matches('-').replace('-', "_");
                let option = match self {
                    Self::Model(_, model) => format!("models.{model}.{option}"),
                    _ => option,
                };
                ConfigError {
                    option,
                    problem: problem.clone(),
                }
            }
            (_, _, Self::CommandLine) => error.exit(),
            (_, _, Self::File(path) | Self::Model(path, _)) => in_file(path, &error.to_string()),
        }
    }
}

/// An error that lies in the file itself.
pub(super) fn in_file(path: &Path, problem: &str) -> ConfigError {
    ConfigError {
        option: "config".to_owned(),
        problem: format!("{}: {problem}", path.display()),
    }
}

/// A number above 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, Box<dyn Error + Send + Sync>> {
    match text.parse()? {
        0 => Err(Problem("is 0; at least 1 is needed".to_owned()).into()),
        number => Ok(number),
    }
}

/// A time with its unit.
pub(super) fn time(text: &str) -> Result<Duration, Problem> {
    humantime::parse_duration(text).map_err(|_| {
        Problem(format!(
            "`{text}` is no time; write 500us, 5ms, 30s or 2min"
        ))
    })
}
