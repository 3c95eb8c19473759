//! Which compression the messages of a call have (gRPC, "Compression").

use http::{HeaderMap, HeaderName, HeaderValue};

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// A compression of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// DEFLATE in the format of zlib, RFC 1950.
    Deflate,
}

/// When answers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseCompression {
    /// To callers whose requests are compressed, in the same way.
    #[default]
    Requested,
    /// To all callers that accept it.
    Accepted,
    /// Not at all.
    Never,
}

/// What the messages of a call may be compressed with; `None`: they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Encodings {
    pub(crate) request: Option<Encoding>,
    pub(crate) response: Option<Encoding>,
}

/// A request has a compression that is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotOffered<'a>(pub(crate) &'a [u8]);

impl Encoding {
    /// In the order of preference.
    pub(super) const ALL: [Self; 2] = [Self::Gzip, Self::Deflate];
    /// The value of `grpc-accept-encoding`.
    pub(crate) const OFFERED: &'static str = "identity,deflate,gzip";

    /// The value of `grpc-encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Says in the headers of an answer that its messages may be compressed.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(self.name()));
    }
}

impl Encodings {
    /// Removes what the headers of a request say, for a service that is given its messages without
    /// compression.
    pub(crate) fn remove(headers: &mut HeaderMap) {
        headers.remove(GRPC_ENCODING);
        headers.remove(GRPC_ACCEPT_ENCODING);
    }

    /// What the headers of a request say.
    ///
    /// # Errors
    /// [`NotOffered`].
    pub(crate) fn agree(
        headers: &HeaderMap,
        when: ResponseCompression,
    ) -> Result<Self, NotOffered<'_>> {
        let request = match headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => None,
            Some(name) => {
                let known = Encoding::ALL.into_iter();
                let mut known = known.filter(|encoding| encoding.name().as_bytes() == name);
                Some(known.next().ok_or(NotOffered(name))?)
            }
        };
        let response = match when {
            ResponseCompression::Never => None,
            ResponseCompression::Requested => request.filter(|it| accepts(headers, *it, true)),
            ResponseCompression::Accepted => {
                let all = request.into_iter().chain(Encoding::ALL);
                let mut accepted = all.filter(|it| accepts(headers, *it, request == Some(*it)));
                accepted.next()
            }
        };
        Ok(Self { request, response })
    }
}

/// Whether a caller takes messages of this encoding. Without a word of it, it is `presumed`.
fn accepts(headers: &HeaderMap, encoding: Encoding, presumed: bool) -> bool {
    let mut values = headers.get_all(GRPC_ACCEPT_ENCODING).iter().peekable();
    if values.peek().is_none() {
        return presumed;
    }
    let mut names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == encoding.name().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::Encoding::{Deflate, Gzip};
    use super::ResponseCompression::{Accepted, Never, Requested};
    use super::*;

    #[test]
    fn what_is_agreed_on() {
        let none = None;
        for (encoding, accepted, when, request, response) in [
            (None, None, Requested, none, none),
            (None, Some("gzip"), Requested, none, none),
            (None, None, Accepted, none, none),
            (None, Some("deflate, gzip"), Accepted, none, Some(Gzip)),
            (
                None,
                Some("identity,deflate"),
                Accepted,
                none,
                Some(Deflate),
            ),
            (None, Some("snappy"), Accepted, none, none),
            (Some("identity"), Some("gzip"), Requested, none, none),
            (Some("gzip"), None, Requested, Some(Gzip), Some(Gzip)),
            (
                Some("deflate"),
                Some("gzip"),
                Requested,
                Some(Deflate),
                none,
            ),
            (
                Some("deflate"),
                Some("gzip"),
                Accepted,
                Some(Deflate),
                Some(Gzip),
            ),
            (
                Some("deflate"),
                Some("gzip,deflate"),
                Accepted,
                Some(Deflate),
                Some(Deflate),
            ),
            (Some("gzip"), Some("gzip"), Never, Some(Gzip), none),
        ] {
            let mut headers = HeaderMap::new();
            let mut insert = |name, value: Option<&'static str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_static(value)));
            };
            insert(GRPC_ENCODING, encoding);
            insert(GRPC_ACCEPT_ENCODING, accepted);
            let expected = Encodings { request, response };
            assert_eq!(
                Encodings::agree(&headers, when),
                Ok(expected),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn what_is_not_offered() {
        for name in ["lzma", "GZIP", "gzip,deflate", ""] {
            let name = HeaderValue::from_static(name);
            let headers = HeaderMap::from_iter([(GRPC_ENCODING, name.clone())]);
            let refused = Encodings::agree(&headers, Requested);
            assert_eq!(refused, Err(NotOffered(name.as_bytes())));
        }
    }

    #[test]
    fn all_of_them_are_offered() {
        let mut names: Vec<_> = Encoding::ALL.map(Encoding::name).into();
        names.push("identity");
        names.reverse();
        assert_eq!(names, Encoding::OFFERED.split(',').collect::<Vec<_>>());
    }
}
