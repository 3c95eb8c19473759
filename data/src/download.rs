//! Downloads of data files that are missing, from their public sources.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use flate2::bufread::GzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest as _, Sha256};

use crate::published::{Published, PublishedFile};
use crate::{DataError, DataErrorKind};

/// How long a source may take to answer, and then to send one file.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const FILE_TIMEOUT: Duration = Duration::from_mins(20);

/// Whether to show the progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar on standard error, when that is a terminal.
    Bar,
    /// Nothing.
    Hidden,
}

/// Why a source did not give a file.
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
    /// The source did not answer, or stopped answering.
    #[error("{0}")]
    Transport(String),
    /// The answer broke off, is not gzip, or could not be stored.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The answer is not the published file.
    #[error("sha256 is {actual}, must be {expected}")]
    Checksum {
        /// Checksum of the published data.
        expected: String,
        /// Checksum of what came.
        actual: String,
    },
    /// The answer is larger than the published file.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
}

impl Published {
    /// Fetches every file that is in none of its places under `data_dir`, into the data set's own
    /// folder.
    ///
    /// A file appears under its name only whole and with the published content. Files that are there
    /// are not changed.
    pub fn ensure(&self, data_dir: &Path, progress: Progress) -> Result<(), DataError> {
        self.ensure_from(data_dir, self.mirrors, progress)
    }

    /// As [`Published::ensure`], from other mirrors.
    pub fn ensure_from(
        &self,
        data_dir: &Path,
        mirrors: &[&str],
        progress: Progress,
    ) -> Result<(), DataError> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(FILE_TIMEOUT))
            .user_agent(concat!("quintet-data/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        for file in self.files {
            let places = self.places(data_dir, file.name);
            if places.iter().any(|path| path.is_file()) {
                continue;
            }
            let target = &places[0];
            let mut failures = Vec::new();
            for mirror in mirrors {
                let url = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
                match fetch(&agent, &url, target, file, progress) {
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
}

/// Fetches one file to a temporary one, verifies it, and renames it to `target`.
fn fetch(
    agent: &ureq::Agent,
    url: &str,
    target: &Path,
    file: &PublishedFile,
    progress: Progress,
) -> Result<(), DownloadFailureKind> {
    let mut response = agent.get(url).call().map_err(transport)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut part = tempfile::Builder::new()
        .prefix(".download-")
        .tempfile_in(folder)?;

    let bar = bar(progress, file.name, response.body().content_length());
    // Packing adds little even to data that cannot be compressed.
    let limit = file.bytes + file.bytes / 1000 + 1024;
    let body = response.body_mut().as_reader().take(limit + 1);
    let bytes = io::copy(&mut bar.wrap_read(body), part.as_file_mut())?;
    bar.finish_and_clear();
    if bytes > limit {
        return Err(DownloadFailureKind::TooLarge { limit });
    }

    let (actual, bytes) = sha256(part.path(), file)?;
    if actual != file.sha256 || bytes != file.bytes {
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

/// SHA-256 and size of the pinned content of `path`; reads little more than was published.
fn sha256(path: &Path, file: &PublishedFile) -> io::Result<(String, u64)> {
    let mut content: Box<dyn BufRead> = Box::new(BufReader::new(File::open(path)?));
    if !file.is_of_packed {
        content = Box::new(BufReader::new(GzDecoder::new(content)));
    }
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    while bytes <= file.bytes {
        let chunk = content.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            break;
        }
        hasher.update(chunk);
        bytes += length as u64;
        content.consume(length);
    }
    let hex = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok((hex, bytes))
}

fn bar(progress: Progress, name: &'static str, length: Option<u64>) -> ProgressBar {
    let target = match progress {
        // Draws nothing where standard error is not a terminal.
        Progress::Bar => ProgressDrawTarget::stderr(),
        Progress::Hidden => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    ProgressBar::with_draw_target(length, target)
        .with_style(style.expect("the template is well-formed"))
        .with_message(name)
}

/// All failures in one line.
pub(crate) fn describe(failures: &[DownloadFailure]) -> String {
    if failures.is_empty() {
        return "no source is given".to_owned();
    }
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    failures.join("; ")
}

#[cfg(test)]
mod tests;
