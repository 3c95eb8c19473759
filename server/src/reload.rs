//! Files that are read again when they change: certificates and tokens.
//!
//! The contents are compared every second. That notices every way of replacing a file, such as
//! the `..data` link of a Kubernetes secret, on every file system.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::ConfigError;
use crate::metrics::Metrics;

/// How often files are compared with what was read of them.
const INTERVAL: Duration = Duration::from_secs(1);

/// The most bytes of one file. A certificate chain takes some thousand.
const MAX_BYTES: u64 = 1 << 20;

/// A value that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Current<T>(RwLock<Arc<T>>);

/// A file that an option names.
#[derive(Debug, Clone)]
pub(crate) struct OptionFile {
    pub(crate) option: &'static str,
    pub(crate) path: PathBuf,
}

/// The bytes of some files, in their order.
pub(crate) type Contents = Vec<Vec<u8>>;

/// Makes the value in use from the contents of its files, or leaves the old one in use.
type Apply = Box<dyn Fn(&Contents) -> Result<(), ConfigError> + Send>;

/// Some files that are valid together only, such as a certificate and its key.
pub(crate) struct Source {
    /// Names it in the log and the metrics.
    name: &'static str,
    files: Vec<OptionFile>,
    apply: Apply,
    /// Of the contents that were last applied, or refused.
    applied: Fingerprint,
    /// Of the contents when they were last compared.
    seen: Fingerprint,
}

/// A hash of all files; `None`: some file cannot be read.
type Fingerprint = Option<[u8; 32]>;

impl<T> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl OptionFile {
    pub(crate) fn new(option: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            option,
            path: path.into(),
        }
    }

    /// What is wrong with this file.
    pub(crate) fn error(&self, problem: impl fmt::Display) -> ConfigError {
        ConfigError::new(self.option, format!("{}: {problem}", self.path.display()))
    }

    /// # Errors
    /// The file cannot be read, is no regular file, or is larger than a mebibyte.
    pub(crate) fn read(&self) -> Result<Vec<u8>, ConfigError> {
        let read = || -> io::Result<Vec<u8>> {
            // Opening a pipe would wait for its other end.
            if !std::fs::metadata(&self.path)?.is_file() {
                return Err(io::Error::other("is not a regular file"));
            }
            let mut bytes = Vec::new();
            let file = File::open(&self.path)?;
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > MAX_BYTES {
                return Err(io::Error::other("is larger than 1 MiB"));
            }
            Ok(bytes)
        };
        read().map_err(|error| self.error(error))
    }
}

/// Reads every file.
///
/// # Errors
/// Those of [`OptionFile::read`].
pub(crate) fn read_all(files: &[OptionFile]) -> Result<Contents, ConfigError> {
    files.iter().map(OptionFile::read).collect()
}

impl Source {
    /// Watches `files`, whose `contents` are in use already.
    pub(crate) fn new(
        name: &'static str,
        files: Vec<OptionFile>,
        contents: &Contents,
        apply: impl Fn(&Contents) -> Result<(), ConfigError> + Send + 'static,
    ) -> Self {
        let applied = Some(fingerprint(contents));
        Self {
            name,
            files,
            apply: Box::new(apply),
            applied,
            seen: applied,
        }
    }

    /// Applies the files if they have changed since they were last applied, or if `forced`.
    ///
    /// Changed files must look the same twice, so that a pair is not read while it is replaced.
    /// `None`: nothing was applied.
    pub(crate) fn check(&mut self, forced: bool) -> Option<Result<(), ConfigError>> {
        let contents = read_all(&self.files);
        let now = contents.as_ref().ok().map(fingerprint);
        let is_settled = std::mem::replace(&mut self.seen, now) == now;
        if !forced && (now == self.applied || !is_settled) {
            return None;
        }
        self.applied = now;
        Some(contents.and_then(|contents| (self.apply)(&contents)))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// Applies files that change, and all of them at each `hangup`. Runs until it is dropped.
///
/// # Errors
/// The operating system lets no handler be set.
pub(crate) fn watch(
    sources: Vec<Source>,
    metrics: Metrics,
) -> io::Result<impl Future<Output = ()>> {
    // From now on the signal does not end the process.
    let hangup = signal(SignalKind::hangup())?;
    Ok(run(sources, hangup, metrics))
}

async fn run(mut sources: Vec<Source>, mut hangup: Signal, metrics: Metrics) {
    for source in &sources {
        metrics.reload_ended(source.name, true);
    }
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        let forced = tokio::select! {
            _ = ticks.tick(), if !sources.is_empty() => false,
            _ = hangup.recv() => true,
        };
        let metrics = metrics.clone();
        let checked = tokio::task::spawn_blocking(move || {
            for source in &mut sources {
                if let Some(outcome) = source.check(forced) {
                    report(source.name, outcome, &metrics);
                }
            }
            sources
        });
        match checked.await {
            Ok(back) => sources = back,
            Err(panic) => {
                tracing::error!(%panic, "certificates and tokens are no longer read again");
                return;
            }
        }
    }
}

fn report(name: &'static str, outcome: Result<(), ConfigError>, metrics: &Metrics) {
    metrics.reload_ended(name, outcome.is_ok());
    match outcome {
        Ok(()) => tracing::info!(source = name, "reloaded"),
        Err(error) => tracing::error!(
            source = name,
            %error,
            "not reloaded: what was read before stays in use"
        ),
    }
}

fn fingerprint(contents: &Contents) -> [u8; 32] {
    let mut hash = Sha256::new();
    for content in contents {
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A source of one file, and what was applied of it. Contents of `bad` are refused.
    fn source(path: PathBuf) -> (Source, Arc<Current<Vec<u8>>>) {
        let files = vec![OptionFile::new("tokens", path)];
        let contents = read_all(&files).unwrap();
        let current = Arc::new(Current::new(contents[0].clone()));
        let (applied, file) = (Arc::clone(&current), files[0].clone());
        let apply = move |contents: &Contents| {
            if contents[0] == b"bad" {
                return Err(file.error("is bad"));
            }
            applied.set(contents[0].clone());
            Ok(())
        };
        (Source::new("tokens", files, &contents, apply), current)
    }

    #[test]
    fn a_change_is_applied_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let (mut source, current) = source(path.clone());
        assert_eq!(source.check(false), None);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(source.check(false), None);
        std::fs::write(&path, "three").unwrap();
        assert_eq!(source.check(false), None);
        assert_eq!(*current.get(), b"one");
        assert_eq!(source.check(false), Some(Ok(())));
        assert_eq!(*current.get(), b"three");
        assert_eq!(source.check(false), None);
    }

    #[test]
    fn a_bad_change_is_told_once_and_the_old_value_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let (mut source, current) = source(path.clone());
        std::fs::write(&path, "bad").unwrap();
        assert_eq!(source.check(false), None);
        let error = source.check(false).unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("tokens: {}: is bad", path.display())
        );
        assert_eq!(source.check(false), None);
        assert!(source.check(true).unwrap().is_err());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(source.check(false), None);
        assert!(source.check(false).unwrap().is_err());
        assert_eq!(source.check(false), None);
        assert_eq!(*current.get(), b"one");
        // The same contents as before are applied again.
        std::fs::write(&path, "one").unwrap();
        assert_eq!(source.check(false), None);
        assert_eq!(source.check(false), Some(Ok(())));
    }

    #[test]
    fn a_kubernetes_secret_switches_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("file"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/file", at("file")).unwrap();
        let (mut source, current) = source(at("file"));
        symlink("..2", at("..next")).unwrap();
        std::fs::rename(at("..next"), at("..data")).unwrap();
        assert_eq!(source.check(true), Some(Ok(())));
        assert_eq!(*current.get(), b"two");
    }

    #[test]
    fn only_short_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let error = OptionFile::new("tls_cert", folder.path()).read();
        assert!(
            error
                .unwrap_err()
                .problem
                .ends_with("is not a regular file")
        );
        let path = folder.path().join("large");
        std::fs::write(&path, vec![0; (MAX_BYTES + 1) as usize]).unwrap();
        let error = OptionFile::new("tls_cert", &path).read();
        assert!(error.unwrap_err().problem.ends_with("is larger than 1 MiB"));
        let error = OptionFile::new("tls_cert", folder.path().join("none")).read();
        assert!(error.unwrap_err().problem.contains("No such file"));
    }
}
