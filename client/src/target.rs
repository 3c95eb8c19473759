//! Where a client's calls go: one server, several, or a name with an address for each.

use std::fmt::{self, Display};

use tonic::transport::Uri;

/// What stands before a name whose addresses are each a server, as in gRPC's own names.
const DNS: &str = "dns:///";

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The URLs of servers.
    Addresses(Vec<String>),
    /// `host:port`, looked up again and again.
    Name(String),
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix(DNS) {
            if name.contains(',') || name.contains("://") {
                return Err(format!("bad server address {text:?}: {DNS} takes one name"));
            }
            url(name)?;
            return Ok(Self::Name(name.to_owned()));
        }
        let addresses = text.split(',').map(|it| url(it.trim()));
        Ok(Self::Addresses(addresses.collect::<Result<_, _>>()?))
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => f.write_str(&addresses.join(",")),
            Self::Name(name) => write!(f, "{DNS}{name}"),
        }
    }
}

/// The server's URL: `http://host[:port]`, or `host:port` for short.
fn url(server: &str) -> Result<String, String> {
    let bad = |why: &dyn Display| {
        format!("bad server address {server:?}: {why}; write http://host:port or host:port")
    };
    let server_url = match server.split_once("://") {
        Some(("http", _)) => server.to_owned(),
        Some(("https", _)) => {
            return Err(bad(&"TLS is not built in, a proxy can add it"));
        }
        Some((scheme, _)) => return Err(bad(&format_args!("unknown scheme {scheme:?}"))),
        None => format!("http://{server}"),
    };
    let uri: Uri = server_url.parse().map_err(|error| bad(&error))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad(&"no host"));
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
            ("localhost:50051", "http://localhost:50051"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("a:1, http://b:2", "http://a:1,http://b:2"),
            ("dns:///models.example:50051", "dns:///models.example:50051"),
        ] {
            let target = Target::parse(given).unwrap();
            assert_eq!(target.to_string(), taken);
        }
        assert_eq!(
            Target::parse("dns:///a:1").unwrap(),
            Target::Name("a:1".to_owned())
        );
    }
}
