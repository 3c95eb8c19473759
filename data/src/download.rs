//! Downloads of data files that are missing, from their public sources.

use std::fmt::Write as _;
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

impl Published {
    /// Fetches every file that is in none of its places under `data_dir`, into the data set's own
    /// folder.
    ///
    /// A file appears under its name only whole and with the published content. Files that are
    /// there are not changed.
    pub fn ensure(&self, data_dir: &Path) -> Result<(), DataError> {
        self.ensure_from(data_dir, self.mirrors)
    }

    /// As [`Published::ensure`], from other mirrors.
    pub fn ensure_from(&self, data_dir: &Path, mirrors: &[&str]) -> Result<(), DataError> {
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
            let target = &places[usize::from(self.suffix.is_empty())];
            let mut failures = Vec::new();
            for mirror in mirrors {
                let url = format!(
                    "{}/{}{}",
                    mirror.trim_end_matches('/'),
                    file.name,
                    self.suffix
                );
                match fetch(&agent, &url, target, file) {
                    Ok(()) => break,
                    Err(reason) => failures.push(format!("{url}: {reason}")),
                }
            }
            if failures.len() == mirrors.len() {
                let kind = DataErrorKind::Download(failures.join("; "));
                return Err(DataError::new(target, kind));
            }
        }
        Ok(())
    }
}

/// Fetches one file to a temporary one, verifies it, and renames it to `target`.
fn fetch(agent: &ureq::Agent, url: &str, target: &Path, file: &PublishedFile) -> io::Result<()> {
    let mut response = agent.get(url).call().map_err(ureq::Error::into_io)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut part = tempfile::Builder::new()
        .prefix(".download-")
        .tempfile_in(folder)?;

    // A bar draws nothing where standard error is not a terminal.
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    let terminal = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(response.body().content_length(), terminal)
        .with_style(style.expect("the template is well-formed"))
        .with_message(file.name);
    // Packing adds little even to data that cannot be compressed.
    let limit = file.bytes + file.bytes / 1000 + 1024;
    let body = response.body_mut().as_reader().take(limit + 1);
    let bytes = io::copy(&mut bar.wrap_read(body), part.as_file_mut())?;
    bar.finish_and_clear();
    if bytes > limit {
        return Err(io::Error::other(format!("more than {limit} bytes")));
    }

    let (actual, bytes) = sha256(part.path(), file)?;
    if actual != file.sha256 || bytes != file.bytes {
        let reason = format!("sha256 is {actual}, must be {}", file.sha256);
        return Err(io::Error::other(reason));
    }
    publish(part, target)
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
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Ok((hex, bytes))
}

#[cfg(test)]
mod tests;
