//! A command that failed: what is printed, and with which exit code the process ends.

use std::{fmt::Display, io::Write as _, process::ExitCode};

use quintet_client::{Error, ErrorKind, FieldViolation};

use crate::output::printable;

/// How a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    /// What to look at or do, one line each: `field: …`, `hint: …`.
    notes: Vec<String>,
    code: u8,
}

impl Failure {
    /// The exit code for wrong usage; clap's too.
    pub(crate) const USAGE: u8 = 2;
    const FAILED: u8 = 1;
    /// UNAUTHENTICATED and PERMISSION_DENIED.
    const NOT_ALLOWED: u8 = 3;
    /// 128 and the signal's number, as shells have it.
    const INTERRUPTED: u8 = 128 + 2;

    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            notes: Vec::new(),
            code: Self::FAILED,
        }
    }

    /// Options that do not go together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: Self::USAGE,
            ..Self::new(message)
        }
    }

    pub(crate) fn interrupted() -> Self {
        Self {
            code: Self::INTERRUPTED,
            ..Self::new("interrupted")
        }
    }

    /// The same failure in other words.
    pub(crate) fn told_as(self, message: String) -> Self {
        Self { message, ..self }
    }

    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.notes.push(format!("hint: {hint}"));
        self
    }

    /// A server that cannot be connected to.
    pub(crate) fn unreachable(server: &str, reason: &dyn Display) -> Self {
        let message = format!("cannot reach the server at {server}: {reason}");
        // rustls also writes `CertificateUnknown` and `UnknownCA`.
        let lower = message.to_lowercase();
        let hint = if ["certificate", "unknownca"]
            .iter()
            .any(|it| lower.contains(it))
        {
            "--tls-ca names whom to trust, --tls-cert and --tls-key the client's own certificate"
        } else {
            "start one with quintet-server, or name another with --server or QUINTET_SERVER"
        };
        Self::new(message).hint(hint)
    }

    /// A value that does not become JSON.
    pub(crate) fn of_json(error: &serde_json::Error) -> Self {
        Self::new(format!("cannot write JSON: {error}"))
    }

    /// Converts the error of a call to `server`.
    pub(crate) fn of_call(server: &str) -> impl Fn(Error) -> Self {
        move |error| Self::of_items(&error, server, |_| None)
    }

    /// A failed call that sent images or texts; `name` gives an item's name by its place in the
    /// request.
    pub(crate) fn of_items(
        error: &Error,
        server: &str,
        name: impl Fn(usize) -> Option<String>,
    ) -> Self {
        let hint = match error.kind() {
            ErrorKind::Config => {
                // The SDK names its own settings.
                let option = "--token-in-plain-text";
                return Self::usage(error.message().replace("token_in_plain_text", option));
            }
            ErrorKind::Connect => return Self::unreachable(server, &error.message()),
            // The server's words repeat the fields, which come below with the names of their items.
            ErrorKind::InvalidArgument { violations } if !violations.is_empty() => {
                let mut failure = Self::new(format!("{}: {}", error.rpc(), error.kind()));
                failure.notes = violations.iter().map(|it| field(it, &name)).collect();
                return failure.of_request(error);
            }
            ErrorKind::NotFound => "quintet models lists what the server has",
            ErrorKind::FailedPrecondition => "quintet models lists each model's task",
            ErrorKind::Overloaded => "try again later, or send less at once",
            ErrorKind::Unavailable => {
                "the server is starting or stopping; quintet models says what is ready"
            }
            ErrorKind::DeadlineExceeded => "give it more time with --timeout",
            ErrorKind::Unimplemented | ErrorKind::Protocol => {
                &format!("is it a Quintet server that listens at {server}?")
            }
            ErrorKind::Unauthenticated => "name a token with --token-file or QUINTET_TOKEN",
            ErrorKind::PermissionDenied => "the token does not allow this call",
            ErrorKind::Internal { id: Some(_) } => "the server's log has more under this id",
            _ => return Self::new(error.to_string()).of_request(error),
        };
        let code = match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => Self::NOT_ALLOWED,
            _ => Self::FAILED,
        };
        let failure = Self::new(error.to_string()).hint(hint);
        Self { code, ..failure }.of_request(error)
    }

    /// Notes the id under which the server's log has the call.
    fn of_request(mut self, error: &Error) -> Self {
        let id = error.request_id();
        self.notes.extend(id.map(|id| format!("request id: {id}")));
        self
    }

    /// Prints it on stderr, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let notes = self.notes.iter().map(|note| format!("\n  {note}"));
        let text = format!("error: {}{}\n", self.message, notes.collect::<String>());
        // A closed stderr is no failure of its own: the exit code still reports this one.
        let text = printable(&text);
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

fn field(violation: &FieldViolation, name: impl Fn(usize) -> Option<String>) -> String {
    let (field, description) = (&violation.field, &violation.description);
    match item_index(field).and_then(name) {
        Some(name) => format!("field: {field} ({name}): {description}"),
        None => format!("field: {field}: {description}"),
    }
}

/// The 3 of `images[3].encoded` and of `texts[3]`.
fn item_index(field: &str) -> Option<usize> {
    let (list, rest) = field.split_once('[')?;
    let (index, _) = rest.split_once(']')?;
    ["images", "texts"]
        .contains(&list)
        .then_some(index)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_names_its_item() {
        for (field, index) in [
            ("images[3].encoded", Some(3)),
            ("images[12]", Some(12)),
            ("texts[3]", Some(3)),
            ("images", None),
            ("images[]", None),
            ("model", None),
        ] {
            assert_eq!(item_index(field), index, "{field}");
        }
    }
}
