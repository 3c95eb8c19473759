//! `quintet-server token new`: a new token, and its entry in the file of callers.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use super::digest::Digest;
use super::file::{Scope, check_name};

/// Tells scanners for leaked secrets what it is.
const PREFIX: &str = "quintet-";

/// What the new token is for.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct NewToken {
    /// The caller's name, in logs and metrics.
    #[arg(value_parser = name)]
    name: String,

    /// What the caller may do; repeat it for more than one.
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,

    /// A model that it may call; repeat it for more than one [default: all].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,

    /// The most rows a second.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// The most rows in flight.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: Option<u32>,

    /// The day on which it expires, in UTC: 2027-01-31.
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Option<String>,

    /// Writes the token into this new file, which only its owner can read, and prints the entry
    /// alone.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl NewToken {
    /// Makes the token and its entry: what to print.
    ///
    /// # Errors
    /// The operating system has no random bytes, or the file of the token cannot be written.
    pub fn create(&self) -> io::Result<String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let hex = random.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let token = format!("{PREFIX}{hex}");
        let entry = self.entry(&Digest::of(token.as_bytes()));
        let Some(path) = &self.out else {
            return Ok(format!("{token}\n\n{entry}"));
        };
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600);
        let written = file
            .open(path)
            .and_then(|mut file| writeln!(file, "{token}"));
        written.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        Ok(entry)
    }

    fn entry(&self, digest: &Digest) -> String {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut entry = format!(
            "[[token]]\nname = \"{}\"\nsha256 = \"{digest}\"\nscopes = {scopes:?}\n",
            self.name
        );
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(entry, "{name} = {value}");
            }
        };
        let models = toml::Value::from(self.models.clone()).to_string();
        line("models", (!self.models.is_empty()).then_some(models));
        line("rate", self.rate.map(|rate| rate.to_string()));
        line(
            "max_in_flight",
            self.max_in_flight.map(|most| most.to_string()),
        );
        line("expires", self.expires.clone());
        entry
    }
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned())
}

fn date(text: &str) -> Result<String, String> {
    let time = humantime::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let time = time.map_err(|_| "write a day, such as 2027-01-31")?;
    if time <= SystemTime::now() {
        return Err("is in the past, so the token could not be used; write a later day".to_owned());
    }
    Ok(text.to_owned())
}
