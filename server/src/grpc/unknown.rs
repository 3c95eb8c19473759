//! Calls that are in no row of the table.

use std::future::ready;

use super::Rpc;
use crate::clip::clip;
use crate::error::ServeError;
use crate::tokens::Access;

impl Rpc {
    /// Any path that is none of `known`.
    pub(super) fn unknown(known: Vec<&'static str>) -> Self {
        Self {
            // What is offered is not for strangers.
            access: Access::Known,
            path: "unknown",
            carry: Box::new(move |record, request| {
                let words = words(request.uri().path(), &known);
                let error = ServeError::Unimplemented(words);
                Box::pin(ready(record.end_with_error(&error)))
            }),
        }
    }
}

/// What there is instead of the call with this path.
fn words(path: &str, known: &[&'static str]) -> String {
    let split = |path| <str>::split_once(path, '/').unwrap_or((path, ""));
    let (service, method) = split(path.strip_prefix('/').unwrap_or(path));
    let known: Vec<_> = known.iter().map(|path| split(&path[1..])).collect();
    let methods: Vec<_> = known
        .iter()
        .filter(|(it, _)| *it == service)
        .map(|(_, it)| *it)
        .collect();
    let service = clip(service);
    if !methods.is_empty() {
        let (method, methods) = (clip(method), methods.join(", "));
        return format!("service `{service}` has no method `{method}`; it has {methods}");
    }
    let mut services: Vec<_> = known.iter().map(|(service, _)| *service).collect();
    services.sort_unstable();
    services.dedup();
    format!(
        "there is no service `{service}`; there is {}",
        services.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_what_there_is() {
        let known = ["/a.B/One", "/a.C/Two", "/a.B/Three"];
        let words = |path| words(path, &known);
        assert_eq!(
            words("/a.B/Four"),
            "service `a.B` has no method `Four`; it has One, Three"
        );
        assert_eq!(
            words("/a.B"),
            "service `a.B` has no method ``; it has One, Three"
        );
        for (path, service) in [("/x/y", "x"), ("/", ""), ("", ""), ("*", "*")] {
            let expected = format!("there is no service `{service}`; there is a.B, a.C");
            assert_eq!(words(path), expected);
        }
    }
}
