//! Fetching the MNIST files that are missing, from their public source.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::bufread::GzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest as _, Sha256};

use crate::mnist::candidates;
use crate::{DataError, DataErrorKind};

/// Where MNIST is published; tried in this order.
pub const MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

/// Largest packed file that is fetched, in bytes; the largest real one holds 9.9 million.
const MAX_PACKED: u64 = 32 << 20;

/// How long a source may take to answer, and then to give one file.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const FILE_TIMEOUT: Duration = Duration::from_mins(20);

/// The files, with the size and SHA-256 of their **unpacked** content. Sources pack the same data in
/// different ways, so a checksum of the packed file would tell good copies apart.
const FILES: [Published; 4] = [
    Published {
        name: "train-images-idx3-ubyte",
        bytes: 47_040_016,
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Published {
        name: "train-labels-idx1-ubyte",
        bytes: 60_008,
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    Published {
        name: "t10k-images-idx3-ubyte",
        bytes: 7_840_016,
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Published {
        name: "t10k-labels-idx1-ubyte",
        bytes: 10_008,
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Whether to show how far a download has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar on standard error, when that is a terminal.
    Bar,
    /// Nothing.
    Hidden,
}

/// Why one source did not give a file.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {kind}")]
pub struct DownloadFailure {
    /// The address asked.
    pub url: String,
    /// What went wrong.
    pub kind: DownloadFailureKind,
}

/// What went wrong with a download.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFailureKind {
    /// The source answered with an HTTP error.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The source could not be asked, or stopped answering.
    #[error("{0}")]
    Transport(String),
    /// The answer broke off, is not gzip, or could not be stored.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The answer is not the published file.
    #[error("unpacked sha256 is {actual}, must be {expected}")]
    Checksum {
        /// Checksum of the published data.
        expected: String,
        /// Checksum of what came.
        actual: String,
    },
    /// The answer is larger than any published file.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
}

/// A file as published.
#[derive(Debug, Clone, Copy)]
struct Published {
    name: &'static str,
    bytes: u64,
    sha256: &'static str,
}

/// Fetches into `data_dir/mnist/` every MNIST file that [`crate::mnist::load`] would not find.
///
/// A file appears under its name only whole and with the published content. Files that are there
/// are left alone.
pub fn ensure(data_dir: &Path, progress: Progress) -> Result<(), DataError> {
    ensure_from(data_dir, &MIRRORS, progress)
}

/// As [`ensure`], from other sources: `mirrors` are addresses to which `<file>.gz` is appended.
pub fn ensure_from(data_dir: &Path, mirrors: &[&str], progress: Progress) -> Result<(), DataError> {
    ensure_files(data_dir, mirrors, progress, &FILES)
}

fn ensure_files(
    data_dir: &Path,
    mirrors: &[&str],
    progress: Progress,
    files: &[Published],
) -> Result<(), DataError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(FILE_TIMEOUT))
        .user_agent(concat!("quintet-data/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    for file in files {
        let places = candidates(data_dir, file.name);
        if places.iter().any(|path| path.is_file()) {
            continue;
        }
        let target = &places[0];
        let mut failures = Vec::new();
        for mirror in mirrors {
            let url = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
            match fetch(&agent, &url, target, *file, progress) {
                Ok(()) => break,
                Err(kind) => failures.push(DownloadFailure { url, kind }),
            }
        }
        if failures.len() == mirrors.len() {
            return Err(DataError::new(target, DataErrorKind::Download(failures)));
        }
    }
    Ok(())
}

/// Fetches one file to a temporary one, verifies it, and renames it to `target`.
fn fetch(
    agent: &ureq::Agent,
    url: &str,
    target: &Path,
    file: Published,
    progress: Progress,
) -> Result<(), DownloadFailureKind> {
    let mut response = agent.get(url).call().map_err(transport)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut part = tempfile::Builder::new()
        .prefix(".download-")
        .tempfile_in(folder)?;

    let bar = bar(progress, file.name, response.body().content_length());
    let body = response.body_mut().as_reader().take(MAX_PACKED + 1);
    let bytes = io::copy(&mut bar.wrap_read(body), part.as_file_mut())?;
    bar.finish_and_clear();
    if bytes > MAX_PACKED {
        return Err(DownloadFailureKind::TooLarge { limit: MAX_PACKED });
    }

    let (actual, unpacked) = sha256_unpacked(part.path(), file.bytes)?;
    if actual != file.sha256 || unpacked != file.bytes {
        let expected = file.sha256.to_owned();
        return Err(DownloadFailureKind::Checksum { expected, actual });
    }
    publish(part, target)?;
    Ok(())
}

/// Makes a verified file readable by all, flushes it, and gives it its name.
fn publish(part: tempfile::NamedTempFile, target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        part.as_file().set_permissions(everyone)?;
    }
    part.as_file().sync_all()?;
    part.persist(target)?;
    Ok(())
}

fn transport(error: ureq::Error) -> DownloadFailureKind {
    match error {
        ureq::Error::StatusCode(status) => DownloadFailureKind::Status(status),
        ureq::Error::Io(error) => DownloadFailureKind::Io(error),
        other => DownloadFailureKind::Transport(other.to_string()),
    }
}

/// SHA-256 and size of the unpacked content; reads at most one byte more than `limit`.
fn sha256_unpacked(path: &Path, limit: u64) -> io::Result<(String, u64)> {
    let mut content = GzDecoder::new(BufReader::new(File::open(path)?)).take(limit + 1);
    let mut hasher = Hasher(Sha256::new());
    let bytes = io::copy(&mut content, &mut hasher)?;
    let digest = hasher.0.finalize();
    let hex = digest
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        });
    Ok((hex, bytes))
}

/// Lets [`io::copy`] feed a digest.
struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bar(progress: Progress, name: &'static str, length: Option<u64>) -> ProgressBar {
    let target = match progress {
        // Draws nothing where standard error is not a terminal.
        Progress::Bar => ProgressDrawTarget::stderr(),
        Progress::Hidden => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .expect("the template is a constant that a test parses");
    ProgressBar::with_draw_target(length, target)
        .with_style(style)
        .with_message(name)
}

/// All failures in one line.
pub(crate) fn describe(failures: &[DownloadFailure]) -> String {
    match failures {
        [] => "no source is given".to_owned(),
        failures => failures
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    }
}

#[cfg(test)]
mod tests;
