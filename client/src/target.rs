//! Where a client's calls go: one server, several, or a name with an address for each.

use std::fmt::{self, Display};

use tonic::transport::Uri;

/// What stands before a name whose addresses are each a server, as in gRPC's own names.
const DNS: &str = "dns:///";
/// What stands before the path of a Unix socket, as in gRPC's own names.
const UNIX: &str = "unix://";

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The URLs of servers: `http://`, `https://` or `unix://`.
    Addresses(Vec<String>),
    /// The URL of a name that is looked up again and again: `http://host:port` or
    /// `https://host:port`.
    Name(String),
}

impl Target {
    /// With `tls`, an address without a scheme is one of TLS.
    pub(crate) fn parse(text: &str, tls: bool) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix(DNS) {
            if name.contains(',') || name.contains("://") {
                return Err(format!("bad server address {text:?}: {DNS} takes one name"));
            }
            return url(name, tls).map(Self::Name);
        }
        let addresses = text.split(',').map(|it| url(it.trim(), tls));
        Ok(Self::Addresses(addresses.collect::<Result<_, _>>()?))
    }

    fn urls(&self) -> &[String] {
        match self {
            Self::Addresses(addresses) => addresses,
            Self::Name(url) => std::slice::from_ref(url),
        }
    }

    /// Whether there is an address of TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.urls().iter().any(|url| url.starts_with("https://"))
    }

    /// The first address that sends in plain text to another machine.
    pub(crate) fn exposed(&self) -> Option<&str> {
        self.urls().iter().map(String::as_str).find(|url| {
            let host = url.parse().ok().and_then(|uri: Uri| {
                let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
                Some(host.to_owned())
            });
            let is_loopback = host.is_some_and(|host| match host.parse() {
                Ok(address) => std::net::IpAddr::is_loopback(&address),
                Err(_) => host.eq_ignore_ascii_case("localhost"),
            });
            url.starts_with("http://") && !is_loopback
        })
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => f.write_str(&addresses.join(",")),
            Self::Name(url) => {
                let name = url.split_once("://").map_or(url.as_str(), |it| it.1);
                write!(f, "{DNS}{name}")
            }
        }
    }
}

/// That an address has a user or a password, which may be a secret and is not repeated.
pub(crate) const USER_INFORMATION: &str = "bad server address: user information before an @ is \
     not allowed; a token goes by ClientBuilder::token(), and for the tool by --token-file or \
     QUINTET_TOKEN";

/// Whether an address has a user or a password.
pub(crate) fn has_user_information(text: &str) -> bool {
    text.split(',')
        .any(|address| address.contains('@') && !address.trim().starts_with(UNIX))
}

/// The server's URL: `http://host[:port]`, `https://host[:port]`, `unix:///path`, or `host:port`
/// for short.
fn url(server: &str, tls: bool) -> Result<String, String> {
    let bad = |why: &dyn Display| {
        let forms = "http://host:port, https://host:port, unix:///path or host:port";
        format!("bad server address {server:?}: {why}; write {forms}")
    };
    if let Some(path) = server.strip_prefix(UNIX) {
        if !path.starts_with('/') {
            return Err(bad(&"the path of a socket is absolute"));
        }
        if tls {
            return Err(bad(
                &"a socket is plain text, and there are settings for TLS",
            ));
        }
        return Ok(server.to_owned());
    }
    let server_url = match server.split_once("://") {
        Some(("http", _)) if tls => {
            return Err(bad(&"http is plain text, and there are settings for TLS"));
        }
        Some(("http" | "https", _)) => server.to_owned(),
        Some((scheme, _)) => return Err(bad(&format_args!("unknown scheme {scheme:?}"))),
        None if tls => format!("https://{server}"),
        None => format!("http://{server}"),
    };
    let uri: Uri = server_url.parse().map_err(|error| bad(&error))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad(&"no host"));
    }
    // The parser takes a colon without a port, and one with a port that is too large.
    let authority = uri.authority().map_or("", |it| it.as_str());
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    if after_host.contains(':') && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(bad(&"the port is not 1 to 65535"));
    }
    if !server.contains("://") && uri.port().is_none() {
        return Err(bad(&"no port"));
    }
    if uri.path_and_query().is_some_and(|it| it.as_str() != "/") {
        return Err(bad(&"a path is not allowed"));
    }
    Ok(server_url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_all_forms_are_taken() {
        for (given, taken) in [
            ("http://127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("http://models.example/", "http://models.example"),
            ("https://models.example", "https://models.example"),
            ("localhost:50051", "http://localhost:50051"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("a:1, https://b:2", "http://a:1,https://b:2"),
            ("unix:///run/quintet.sock", "unix:///run/quintet.sock"),
            ("dns:///models.example:50051", "dns:///models.example:50051"),
        ] {
            let target = Target::parse(given, false).unwrap();
            assert_eq!(target.to_string(), taken);
        }
    }

    #[test]
    fn a_port_is_one_where_there_is_a_colon() {
        for (given, why) in [
            ("https://localhost:", "the port is not 1 to 65535"),
            ("http://localhost:0", "the port is not 1 to 65535"),
            ("http://localhost:65536", "the port is not 1 to 65535"),
            ("http://[::1]:", "the port is not 1 to 65535"),
            ("localhost", "no port"),
            ("[::1]", "no port"),
            ("http://localhost:x", "the port is not 1 to 65535"),
        ] {
            let error = Target::parse(given, false).unwrap_err();
            let start = format!("bad server address {given:?}: {why}");
            assert!(error.starts_with(&start), "{error}");
        }
        for url in ["https://[::1]", "http://[::1]:65535"] {
            Target::parse(url, false).unwrap();
        }
    }

    #[test]
    fn tls_is_for_all_that_names_no_scheme() {
        for (given, tls, url) in [
            ("dns:///a:1", false, "http://a:1"),
            ("dns:///a:1", true, "https://a:1"),
        ] {
            let target = Target::parse(given, tls).unwrap();
            assert_eq!(target, Target::Name(url.to_owned()));
        }
        let target = Target::parse("a:1,https://b", true).unwrap();
        assert_eq!(target.to_string(), "https://a:1,https://b");
        for plain in ["http://a:1", "unix:///c"] {
            let error = Target::parse(plain, true).unwrap_err();
            assert!(
                error.contains("plain text, and there are settings for TLS"),
                "{error}"
            );
        }
    }

    #[test]
    fn plain_text_to_another_machine_is_exposed() {
        for (given, exposed) in [
            ("127.0.0.1:1,[::1]:1,localhost:1", None),
            ("dns:///localhost:1", None),
            ("unix:///socket,https://models.example", None),
            ("127.0.0.1:1,10.0.0.1:1", Some("http://10.0.0.1:1")),
            ("dns:///models.example:1", Some("http://models.example:1")),
            ("localhost.example:1", Some("http://localhost.example:1")),
        ] {
            let target = Target::parse(given, false).unwrap();
            assert_eq!(target.exposed(), exposed, "{given}");
        }
    }
}
