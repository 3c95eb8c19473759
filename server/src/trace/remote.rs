//! The trace of a caller, as its headers name it.

use http::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The caller's span, if there is a valid `traceparent`; an invalid one counts as none.
pub(super) fn parent(headers: &HeaderMap) -> Option<(Context, SpanContext)> {
    headers
        .get(TRACEPARENT)
        .filter(|it| has_form(it.as_bytes()))?;
    let context = Context::new();
    let context = TraceContextPropagator::new().extract_with_context(&context, &Headers(headers));
    let span = context.span().span_context().clone();
    span.is_valid().then_some((context, span))
}

/// The propagator takes shorter fields too: `VV-TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT-SSSSSSSSSSSSSSSS-FF`.
fn has_form(value: &[u8]) -> bool {
    let is_dash = |place: usize| value.get(place) == Some(&b'-');
    value.len() >= 55 && [2, 35, 52].into_iter().all(is_dash)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent_of(value: &'static str) -> Option<(String, bool)> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, http::HeaderValue::from_static(value));
        let (_, span) = parent(&headers)?;
        Some((span.trace_id().to_string(), span.is_sampled()))
    }

    // The examples are those of the specification.
    #[test]
    fn valid_parents_are_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let sampled = parent_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(sampled, Some((id.to_owned(), true)));
        let not_sampled = parent_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        assert_eq!(not_sampled, Some((id.to_owned(), false)));
    }

    #[test]
    fn invalid_parents_count_as_none() {
        assert!(parent(&HeaderMap::new()).is_none());
        for value in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parent_of(value), None, "{value}");
        }
    }
}
