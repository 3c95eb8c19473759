//! What calls carry beside their messages: the caller's metadata, its token, and a request id.

use std::fmt;

use tonic::{
    codegen::http,
    metadata::{
        AsciiMetadataKey, AsciiMetadataValue, BinaryMetadataKey, BinaryMetadataValue, KeyRef,
        MetadataMap,
    },
};

/// Under which key a call's id travels, to the server and back.
const REQUEST_ID: &str = "x-request-id";
const AUTHORIZATION: &str = "authorization";
/// Keys that gRPC sets, beside those that begin with `grpc-`.
const RESERVED: [&str; 3] = ["content-type", "te", "user-agent"];
/// Keys of HTTP/1's framing, which HTTP/2 forbids or sets itself (RFC 9113, 8.2.2).
const FRAMING: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Metadata of each call. Its `Debug` has the keys alone: values can be secrets.
#[derive(Clone, Default)]
pub(crate) struct Metadata(MetadataMap);

impl Metadata {
    /// Adds an entry; the value of a key that ends with `-bin` may be any bytes. There is one token
    /// and one request id.
    pub(crate) fn add(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let name = key.to_ascii_lowercase();
        let bad = |why| format!("metadata {key:?}: {why}");
        if name.starts_with("grpc-") || RESERVED.contains(&&*name) {
            return Err(bad("gRPC sets this key itself"));
        }
        if FRAMING.contains(&&*name) {
            return Err(bad("a key of HTTP/1's framing"));
        }
        if name.ends_with("-bin") {
            let name = BinaryMetadataKey::from_bytes(name.as_bytes());
            let name = name.map_err(|_| bad("not a key of HTTP/2"))?;
            self.0
                .append_bin(name, BinaryMetadataValue::from_bytes(value));
            return Ok(());
        }
        let name = AsciiMetadataKey::from_bytes(name.as_bytes());
        let name = name.map_err(|_| bad("not a key of HTTP/2"))?;
        let is_plain = value.iter().all(|it| (b' '..=b'~').contains(it));
        let value = AsciiMetadataValue::try_from(value)
            .ok()
            .filter(|_| is_plain);
        let mut value = value.ok_or_else(|| bad("the value is not printable ASCII"))?;
        value.set_sensitive(name == AUTHORIZATION);
        if name == AUTHORIZATION || name == REQUEST_ID {
            self.0.remove(&name);
        }
        self.0.append(name, value);
        Ok(())
    }

    /// Sets the token, as a bearer's (RFC 6750).
    pub(crate) fn set_token(&mut self, token: &str) -> Result<(), String> {
        if token.is_empty() || !token.bytes().all(|it| it.is_ascii_graphic()) {
            return Err("the token is empty, or holds what is not printable ASCII".into());
        }
        self.add(AUTHORIZATION, format!("Bearer {token}").as_bytes())
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.0.contains_key(AUTHORIZATION)
    }

    pub(crate) fn headers(&self) -> http::HeaderMap {
        self.0.clone().into_headers()
    }

    /// The caller's own id, or a new one.
    pub(crate) fn request_id(&self) -> String {
        let new = || format!("{:016x}", fastrand::u64(..));
        request_id(&self.0).unwrap_or_else(new)
    }

    /// The metadata of a call with this id.
    pub(crate) fn of_call(&self, request_id: &str) -> MetadataMap {
        let mut metadata = self.0.clone();
        if let Ok(mut id) = AsciiMetadataValue::try_from(request_id) {
            // Every id is new, so it is not worth a place in HPACK's table.
            id.set_sensitive(true);
            metadata.insert(REQUEST_ID, id);
        }
        #[cfg(feature = "opentelemetry")]
        trace::add_current(&mut metadata);
        metadata
    }
}

/// The caller's trace, as the W3C's Trace Context has it (<https://www.w3.org/TR/trace-context/>).
#[cfg(feature = "opentelemetry")]
mod trace {
    use opentelemetry::{Context, trace::TraceContextExt as _};
    use tonic::metadata::{AsciiMetadataValue, MetadataMap};

    /// Adds the span of the current context, if there is one, unless the caller has set another.
    pub(super) fn add_current(metadata: &mut MetadataMap) {
        let context = Context::current();
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() || metadata.contains_key("traceparent") {
            return;
        }
        let (trace, parent) = (span.trace_id(), span.span_id());
        let flags = span.trace_flags().to_u8();
        let parent = format!("00-{trace}-{parent}-{flags:02x}");
        for (key, value) in [
            ("traceparent", parent),
            ("tracestate", span.trace_state().header()),
        ] {
            if let Ok(mut value) = AsciiMetadataValue::try_from(value)
                && !value.is_empty()
            {
                value.set_sensitive(true);
                metadata.insert(key, value);
            }
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.keys().map(|key| match key {
            KeyRef::Ascii(key) => key.as_str(),
            KeyRef::Binary(key) => key.as_str(),
        });
        f.debug_list().entries(keys).finish()
    }
}

/// The id that a server, or a proxy, answers with.
pub(crate) fn request_id(metadata: &MetadataMap) -> Option<String> {
    let id = metadata.get(REQUEST_ID)?.to_str().ok()?;
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_cannot_carry_is_refused_without_its_value() {
        let mut metadata = Metadata::default();
        for (key, reason) in [
            ("grpc-timeout", "gRPC sets"),
            ("TE", "gRPC sets"),
            ("a b", "not a key"),
            ("", "not a key"),
            ("a b-bin", "not a key"),
            ("Transfer-Encoding", "HTTP/1"),
            ("host", "HTTP/1"),
            ("x-team", "printable"),
            ("x-é", "not a key"),
        ] {
            let error = metadata.add(key, "secret é".as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        for token in ["", "sec ret", "secret\n"] {
            let error = metadata.set_token(token).unwrap_err();
            assert!(!error.contains("sec"), "{error}");
        }
        assert!(metadata.0.is_empty());
    }

    #[test]
    fn values_are_not_printed() {
        let mut metadata = Metadata::default();
        metadata.add("X-Api-Key", b"secret").unwrap();
        metadata.set_token("first").unwrap();
        metadata.set_token("secret").unwrap();
        assert_eq!(format!("{metadata:?}"), r#"["x-api-key", "authorization"]"#);
        assert!(format!("{:?}", metadata.0).contains("Sensitive"));
        let tokens: Vec<_> = metadata.0.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(tokens, ["Bearer secret"]);
    }

    #[cfg(feature = "opentelemetry")]
    #[test]
    fn calls_continue_the_current_trace() {
        use opentelemetry::Context;
        use opentelemetry::trace::{
            SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        };
        let mut metadata = Metadata::default();
        assert!(!metadata.of_call("1").contains_key("traceparent"));
        let span = SpanContext::new(
            TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
            SpanId::from(0x00f0_67aa_0ba9_02b7),
            TraceFlags::SAMPLED,
            false,
            TraceState::from_key_value([("vendor", "x")]).unwrap(),
        );
        let context = Context::new().with_remote_span_context(span);
        let _current = context.attach();
        let sent = metadata.of_call("1");
        assert_eq!(
            sent.get("traceparent").unwrap(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        );
        assert_eq!(sent.get("tracestate").unwrap(), "vendor=x");
        metadata.add("traceparent", b"mine").unwrap();
        assert_eq!(metadata.of_call("1").get("traceparent").unwrap(), "mine");
    }

    #[test]
    fn a_callers_own_id_stays() {
        let mut metadata = Metadata::default();
        assert_ne!(metadata.request_id(), metadata.request_id());
        metadata.add("x-request-id", b"first").unwrap();
        metadata.add("x-request-id", b"mine").unwrap();
        assert_eq!(metadata.request_id(), "mine");
        let sent = metadata.of_call("mine");
        assert_eq!(sent.get_all(REQUEST_ID).iter().count(), 1);
    }
}
