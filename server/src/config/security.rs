//! Who may call.

use std::path::PathBuf;

use crate::reload::OptionFile;
use crate::value_parser::Problem;

/// Tokens, and what may be called without one.
#[derive(Debug, Clone, clap::Args)]
pub struct SecurityOptions {
    /// TOML file of the callers, their tokens and limits; without one, anyone may call. A changed
    /// file is read again.
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Who may use gRPC reflection: open (anyone), authenticated (with --tokens, their callers) or
    /// off.
    #[arg(long, value_name = "WHO")]
    #[arg(default_value = "authenticated", value_parser = reflection)]
    pub reflection: Reflection,
}

/// Who may use gRPC reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reflection {
    /// Anyone.
    Open,
    /// Callers that are known; anyone where none are configured.
    Authenticated,
    /// Nobody.
    Off,
}

impl SecurityOptions {
    /// The file of callers.
    pub(crate) fn tokens(&self) -> Option<OptionFile> {
        let path = self.tokens.as_ref()?;
        Some(OptionFile::new("tokens", path))
    }
}

fn reflection(text: &str) -> Result<Reflection, Problem> {
    match text {
        "open" => Ok(Reflection::Open),
        "authenticated" => Ok(Reflection::Authenticated),
        "off" => Ok(Reflection::Off),
        _ => Err(Problem(format!(
            "`{text}` is none of open, authenticated, off"
        ))),
    }
}
