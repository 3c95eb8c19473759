//! The file of callers: TOML, a table `[[token]]` for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;
use toml::value::Datetime;

use super::caller::{Caller, Usage};
use super::digest::Digest;
use crate::metrics::Metrics;
use crate::tls::Identity;

/// The longest name of a caller, which labels its metrics.
const MAX_NAME: usize = 64;

/// A group of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Inference, and what is needed for it, such as the models' metadata.
    Infer,
    /// What shows or changes the model repository as a whole.
    Control,
    /// `/metrics` of the admin port.
    Metrics,
}

/// Every caller, by what it proves.
#[derive(Debug, Default)]
pub(super) struct Table {
    tokens: HashMap<Digest, Arc<Caller>>,
    identities: HashMap<Arc<str>, Arc<Caller>>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    token: Vec<Entry>,
}

/// A caller as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: Option<String>,
    certificate: Option<String>,
    scopes: Vec<Scope>,
    #[serde(default)]
    models: Vec<String>,
    rate: Option<f64>,
    max_in_flight: Option<usize>,
    expires: Option<Datetime>,
}

/// What proves who a caller is.
enum Proof {
    Token(Digest),
    Identity(Arc<str>),
}

impl Scope {
    /// As it is written in the file.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Control => "control",
            Self::Metrics => "metrics",
        }
    }
}

impl Table {
    /// Reads a file. Callers that `before` knows by name keep what they use.
    ///
    /// # Errors
    /// What is wrong, and in which entry.
    pub(super) fn parse(content: &[u8], before: &Self, metrics: &Metrics) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
        let written: Written = toml::from_str(text).map_err(|error| {
            // Not the line itself, which the error would show: it may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            format!("line {line}: {}", error.message())
        })?;
        let mut usages: HashMap<Arc<str>, Arc<Usage>> = before
            .callers()
            .map(|caller| (Arc::clone(&caller.name), Arc::clone(&caller.usage)))
            .collect();
        let mut table = Self::default();
        for entry in written.token {
            let name: Arc<str> = entry.name.as_str().into();
            if table.callers().any(|caller| caller.name == name) {
                return Err(format!("token `{name}`: there are two of this name"));
            }
            let told = |problem| format!("token `{name}`: {problem}");
            let usage = usages
                .remove(&name)
                .unwrap_or_else(|| Arc::new(Usage::new(metrics.caller_rows(&name))));
            let (proof, caller) = entry.check(usage).map_err(told)?;
            let caller = Arc::new(caller);
            let twice = match proof {
                Proof::Token(digest) => table.tokens.insert(digest, caller),
                Proof::Identity(identity) => table.identities.insert(identity, caller),
            };
            if let Some(other) = twice {
                let other = &other.name;
                return Err(told(format!(
                    "has the same token or certificate as `{other}`"
                )));
            }
        }
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len() + self.identities.len()
    }

    pub(super) fn by_token(&self, digest: &Digest) -> Option<&Arc<Caller>> {
        self.tokens.get(digest)
    }

    pub(super) fn by_identity(&self, identity: &Identity) -> Option<&Arc<Caller>> {
        self.identities.get(&identity.0)
    }

    fn callers(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.tokens.values().chain(self.identities.values())
    }
}

impl Entry {
    fn check(self, usage: Arc<Usage>) -> Result<(Proof, Caller), String> {
        check_name(&self.name)?;
        let proof = match (self.sha256, self.certificate) {
            (Some(sha256), None) => {
                let digest = Digest::from_hex(&sha256);
                Proof::Token(digest.ok_or("sha256: 64 hex digits are needed")?)
            }
            (None, Some(identity)) if !identity.is_empty() => Proof::Identity(identity.into()),
            _ => return Err("one of sha256 and certificate is needed".to_owned()),
        };
        if self.scopes.is_empty() {
            return Err("scopes: is empty; infer, control and metrics are allowed".to_owned());
        }
        if let Some(rate) = self.rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(format!("rate: is {rate}; a number above 0 is needed"));
        }
        if self.max_in_flight == Some(0) {
            return Err("max_in_flight: is 0; at least 1 is needed".to_owned());
        }
        let caller = Caller {
            name: self.name.into(),
            scopes: self.scopes,
            models: self.models,
            rate: self.rate,
            max_in_flight: self.max_in_flight,
            expires: self.expires.map(time).transpose()?,
            usage,
        };
        Ok((proof, caller))
    }
}

/// Checks the name of a caller: it stands in logs and labels metrics.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@/:".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_fit) {
        return Ok(());
    }
    Err(format!(
        "name: 1 to {MAX_NAME} ASCII letters, digits and -_.@/: are allowed"
    ))
}

/// A date, or a date and time, of UTC.
fn time(written: Datetime) -> Result<SystemTime, String> {
    let text = match (written.date, written.time) {
        (Some(date), None) => format!("{date}T00:00:00Z"),
        _ => written.to_string(),
    };
    humantime::parse_rfc3339(&text)
        .map_err(|_| format!("expires: is {written}; write 2027-01-31 or 2027-01-31T12:00:00Z"))
}
