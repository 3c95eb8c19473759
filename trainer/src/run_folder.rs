//! The folder of one training run: recipe, checkpoints, metrics, pictures.
//!
//! ```text
//! runs/mlp/
//!   recipe.toml         what was trained, with every flag applied
//!   metrics.jsonl       one line an epoch
//!   best.safetensors    weights of the best epoch so far
//!   last.safetensors    everything needed to go on after the last epoch
//!   curves.png  confusion.png  images.png    of a network that reads images
//!   curves.png  scores.png                   of one that reads texts
//!   curves.png  samples.png  samples/epoch-001.png …    of the GAN
//! ```

mod samples;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::models::Architecture;
use crate::recipe::Recipe;

const METRICS: &str = "metrics.jsonl";
const SAMPLES: &str = "samples";

/// The files of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// What one epoch gave; one line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: u32,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// What was measured, by name; the task says what.
    #[serde(flatten)]
    pub figures: Map<String, Value>,
    /// Where the epoch was trained; a resumed run may have moved.
    pub device: String,
    /// Threads that computed. Runs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// How long the epoch took, validation included.
    pub seconds: f64,
}

impl RunFolder {
    /// Starts a run: makes the folder and removes what an earlier run left in it.
    pub fn create(path: &Path, recipe: &Recipe) -> Result<Self, Error> {
        let run = Self {
            path: path.to_owned(),
        };
        fs::create_dir_all(path).map_err(Error::file(path))?;
        let samples = run.file(SAMPLES);
        if samples.is_dir() {
            fs::remove_dir_all(&samples).map_err(Error::file(&samples))?;
        }
        for entry in fs::read_dir(path).map_err(Error::file(path))?.flatten() {
            let old = entry.path();
            let extension = old.extension().and_then(OsStr::to_str);
            if let Some("safetensors" | "jsonl" | "png" | "tmp") = extension {
                fs::remove_file(&old).map_err(Error::file(&old))?;
            }
        }
        fs::write(run.file("recipe.toml"), recipe.to_toml())
            .map_err(|source| run.io("recipe.toml", source))?;
        Ok(run)
    }

    /// Whether an epoch was finished that a run by `recipe` can go on from. Its recipe must be the
    /// same.
    pub fn is_resumable(
        &self,
        architecture: &Architecture,
        recipe: &Recipe,
    ) -> Result<bool, Error> {
        if !self.last().exists() || self.recipe(architecture)? == *recipe {
            return Ok(self.last().exists());
        }
        Err(Error::Usage(format!(
            "{}: the run to resume has another recipe, give the same recipe and flags again, or \
             start anew without --resume",
            self.file("recipe.toml").display(),
        )))
    }

    /// Opens a run to read from.
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The recipe of the run, which must be one of `architecture`.
    pub fn recipe(&self, architecture: &Architecture) -> Result<Recipe, Error> {
        Recipe::read(&self.file("recipe.toml"), architecture)
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.file("best.safetensors")
    }

    /// The checkpoint of the last epoch.
    pub fn last(&self) -> PathBuf {
        self.file("last.safetensors")
    }

    /// Adds an epoch to `metrics.jsonl`.
    pub fn append_metrics(&self, metrics: &EpochMetrics) -> Result<(), Error> {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.file(METRICS))
            .and_then(|mut file| file.write_all(json_line(metrics).as_bytes()))
            .map_err(|source| self.io(METRICS, source))
    }

    /// The epochs so far.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>, Error> {
        let path = self.file(METRICS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(self.io(METRICS, source)),
        };
        // A kill can leave half a line at the end. Its epoch has no checkpoint yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |(index, line): (usize, &str)| {
            serde_json::from_str(line)
                .map_err(|error| Error::file(&path)(format!("line {}: {error}", index + 1)))
        };
        whole.lines().enumerate().map(parse).collect()
    }

    /// Removes the epochs after `epoch` from `metrics.jsonl`.
    pub fn rewind_metrics(&self, epoch: u32) -> Result<(), Error> {
        let mut kept = self.metrics()?;
        kept.retain(|metrics| metrics.epoch <= epoch);
        let lines: String = kept.iter().map(json_line).collect();
        // A kill leaves the old file or the new one, never less than the kept epochs.
        let temporary = self.file("metrics.jsonl.tmp");
        fs::write(&temporary, lines)
            .and_then(|()| fs::rename(&temporary, self.file(METRICS)))
            .map_err(|source| self.io(METRICS, source))
    }

    fn io(&self, file: &str, error: io::Error) -> Error {
        Error::file(&self.file(file))(error)
    }
}

fn json_line(metrics: &EpochMetrics) -> String {
    serde_json::to_string(metrics).expect("metrics are plain numbers and text") + "\n"
}

impl EpochMetrics {
    /// A figure by its name, such as `validation_loss`, or `quality.sure` for one within another;
    /// NaN if there is none.
    pub fn number(&self, name: &str) -> f64 {
        let mut keys = name.split('.');
        let first = keys.next().and_then(|key| self.figures.get(key));
        let found = keys.fold(first, |found, key| found?.get(key));
        found.and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::MLP;

    fn original() -> Recipe {
        MLP.original().unwrap()
    }

    fn metrics(epoch: u32) -> EpochMetrics {
        EpochMetrics {
            epoch,
            learning_rate: 1e-3,
            // A number that careless parsing changes in its last digit.
            figures: [("validation_accuracy".to_owned(), (4588.0 / 4800.0).into())]
                .into_iter()
                .collect(),
            device: "cpu".to_owned(),
            threads: Some(1),
            seconds: 1.5,
        }
    }

    #[test]
    fn metrics_survive_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path(), &original()).unwrap();
        for epoch in 1..=3 {
            run.append_metrics(&metrics(epoch)).unwrap();
        }
        let path = run.file("metrics.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"epoch\":4,\"lea")).unwrap();
        run.rewind_metrics(2).unwrap();
        assert_eq!(run.metrics().unwrap(), [metrics(1), metrics(2)]);
        run.append_metrics(&metrics(3)).unwrap();
        assert_eq!(run.metrics().unwrap(), [metrics(1), metrics(2), metrics(3)]);
    }

    #[test]
    fn a_foreign_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metrics.jsonl"), "{\"epoch\":1}\n").unwrap();
        let message = RunFolder::open(folder.path())
            .metrics()
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("metrics.jsonl: line 1: missing field"),
            "{message}"
        );
    }

    #[test]
    fn only_the_same_recipe_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = original();
        let run = RunFolder::open(folder.path());
        assert!(!run.is_resumable(&MLP, &recipe).unwrap());
        let run = RunFolder::create(folder.path(), &recipe).unwrap();
        fs::write(run.last(), "").unwrap();
        assert!(run.is_resumable(&MLP, &recipe).unwrap());
        let other = Recipe { seed: 2, ..recipe };
        let refused = run.is_resumable(&MLP, &other).unwrap_err();
        assert!(refused.to_string().contains("another recipe"), "{refused}");
    }
}
