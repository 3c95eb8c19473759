//! The file of callers: TOML, a table `[[token]]` for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;
use toml::value::Datetime;

use super::caller::{Caller, Proof, Usage};
use super::digest::Digest;
use crate::metrics::Metrics;

/// The longest name of a caller, which labels its metrics.
const MAX_NAME: usize = 64;

/// A group of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
pub(super) struct Table(HashMap<Proof, Arc<Caller>>);

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
    scopes: Vec<String>,
    models: Option<Vec<String>>,
    rate: Option<f64>,
    max_in_flight: Option<usize>,
    expires: Option<Datetime>,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Infer, Self::Control, Self::Metrics];

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
            format!("line {line}: {}", without_values(error.message()))
        })?;
        if written.token.is_empty() {
            return Err("it has no [[token]], so that nobody could call".to_owned());
        }
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
            let caller = Arc::new(entry.check(usage).map_err(told)?);
            if let Some(other) = table.0.insert(caller.proof.clone(), caller) {
                let other = &other.name;
                return Err(told(format!(
                    "has the same token or certificate as `{other}`"
                )));
            }
        }
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn by_proof(&self, proof: &Proof) -> Option<&Arc<Caller>> {
        self.0.get(proof)
    }

    fn callers(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.0.values()
    }
}

/// An error of the parser without what may be a secret: what stands in quotes, and a key that is no
/// short word.
fn without_values(message: &str) -> String {
    let key = message.strip_prefix("unknown field `");
    if let Some((key, expected)) = key.and_then(|it| it.split_once('`'))
        && (key.len() > 16 || !key.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'))
    {
        return format!("unknown field{expected}");
    }
    let parts = message.split('"').enumerate();
    let shown = parts.map(|(place, part)| if place % 2 == 0 { part } else { "\"...\"" });
    shown.collect()
}

impl Entry {
    fn check(self, usage: Arc<Usage>) -> Result<Caller, String> {
        check_name(&self.name)?;
        let proof = match (self.sha256, self.certificate) {
            (Some(sha256), None) => {
                let digest = Digest::from_hex(&sha256);
                Proof::Token(digest.ok_or("sha256: 64 hex digits are needed")?)
            }
            (None, Some(identity)) if !identity.is_empty() => Proof::Identity(identity.into()),
            _ => return Err("one of sha256 and certificate is needed".to_owned()),
        };
        let scope = |text: &String| Scope::ALL.into_iter().find(|it| it.as_str() == text);
        let scopes: Option<Vec<Scope>> = self.scopes.iter().map(scope).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        let scopes =
            scopes.ok_or("scopes: one or more of infer, control and metrics are needed")?;
        if self.models.as_ref().is_some_and(Vec::is_empty) {
            return Err("models: is empty; name some, or leave it out for all".to_owned());
        }
        if let Some(rate) = self.rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(format!("rate: is {rate}; a number above 0 is needed"));
        }
        if self.max_in_flight == Some(0) {
            return Err("max_in_flight: is 0; at least 1 is needed".to_owned());
        }
        Ok(Caller {
            name: self.name.into(),
            proof,
            scopes,
            models: self.models,
            rate: self.rate,
            max_in_flight: self.max_in_flight,
            expires: self.expires.map(time).transpose()?,
            usage,
        })
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
