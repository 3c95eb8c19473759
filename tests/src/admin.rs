//! The HTTP endpoints as Prometheus and a load balancer see them: pages over TCP, and metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Such as 200.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The text below the headers.
    pub body: String,
}

/// The series of one `/metrics` page: name and labels as written there, and the value.
#[derive(Debug, Clone)]
pub struct Scrape(BTreeMap<String, f64>);

/// Fetches one page over a connection of its own.
pub async fn get(address: SocketAddr, path: &str) -> Page {
    let stream = TcpStream::connect(address).await;
    get_over(stream.expect("the admin port answers"), path, "").await
}

/// Fetches one page over this connection, with these further header lines.
pub async fn get_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    headers: &str,
) -> Page {
    let lost = "the admin port answers";
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect(lost);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect(lost);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Page {
        status: status.expect("a status line"),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

impl Scrape {
    /// Reads the exposition format.
    pub fn parse(text: &str) -> Self {
        let series = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').expect("a series and its value");
                (series.to_owned(), value.parse().expect("a number"))
            });
        Self(series.collect())
    }

    /// The value of the series of this name with exactly these labels, in any order, as a whole
    /// number; `None` when there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let mut wanted: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        wanted.sort();
        self.0
            .iter()
            .find(|(series, _)| {
                let (found, labels) = series
                    .strip_suffix('}')
                    .and_then(|series| series.split_once('{'))
                    .unwrap_or((series, ""));
                let mut labels: Vec<&str> =
                    labels.split(',').filter(|text| !text.is_empty()).collect();
                labels.sort_unstable();
                found == name && labels == wanted
            })
            .map(|(_, value)| value.round() as u64)
    }

    /// The value of a series, 0 where there is none yet.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.get(name, labels).unwrap_or(0)
    }

    /// The sum over all series of this name, whatever their labels.
    pub fn total(&self, name: &str) -> f64 {
        self.0
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .map(|(_, value)| value)
            .sum()
    }

    /// The name and labels of every series.
    pub fn series(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
