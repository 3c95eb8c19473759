//! The model repository: every version of every model, its state, and which one a request means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quintet_bundle::{Bundle, BundleError, Manifest, discover_readable};

use crate::clip::clip;
use crate::error::ServeError;
use crate::model::Model;

/// How high a model stands among those that could be a task's default; nothing for one that should
/// not be it.
pub type Rank = fn(&Manifest) -> Option<f64>;

/// Every model version found at start. Versions come and go only with the process.
#[derive(Debug)]
pub struct Repository {
    models: BTreeMap<String, Versions>,
    /// The models for requests that name none, by task, where they are configured.
    defaults: BTreeMap<&'static str, String>,
    /// Which models come first among those that could be a task's default.
    preferences: BTreeMap<&'static str, Rank>,
    /// Models without which the server is not ready.
    required: BTreeSet<String>,
}

/// Those of one model, oldest first.
type Versions = BTreeMap<u32, ModelVersion>;

/// One version of a model.
#[derive(Debug)]
pub struct ModelVersion {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Where its bundle lies.
    pub path: PathBuf,
    /// What its manifest says, before the bundle is verified; none if it cannot be read.
    announced: Option<Manifest>,
    state: RwLock<State>,
}

/// The state of a version.
#[derive(Debug, Clone)]
pub enum State {
    /// Being read, verified and warmed up, or waiting for that.
    Loading,
    /// It can be called.
    Ready(Arc<Model>),
    /// It cannot, for this reason.
    Unavailable(String),
}

/// How long a caller should wait before it asks a loading model again.
const LOADING_RETRY: Duration = Duration::from_millis(500);

impl Repository {
    /// Finds the bundles below `models_dir`; loads none. Without the models of `required` the
    /// server is not ready; empty means every one that is there.
    ///
    /// A folder in it that cannot be read is passed over with a line in the log.
    ///
    /// # Errors
    /// `models_dir` itself cannot be read.
    pub fn find(models_dir: &std::path::Path, required: &[String]) -> Result<Self, BundleError> {
        let mut models: BTreeMap<String, Versions> = BTreeMap::new();
        let unreadable = |error: BundleError| {
            tracing::warn!(%error, "a folder in the repository cannot be read");
        };
        for found in discover_readable(models_dir, unreadable)? {
            let versions = models.entry(found.name.clone()).or_default();
            let version = ModelVersion {
                name: found.name,
                version: found.version,
                announced: Bundle::announced(&found.path).ok(),
                path: found.path,
                state: RwLock::new(State::Loading),
            };
            versions.insert(found.version, version);
        }
        let required = if required.is_empty() {
            models.keys().cloned().collect()
        } else {
            required.iter().cloned().collect()
        };
        Ok(Self {
            models,
            defaults: BTreeMap::new(),
            preferences: BTreeMap::new(),
            required,
        })
    }

    /// Gives this model to requests of the task that name none.
    pub fn set_default(&mut self, task: &'static str, name: String) {
        self.defaults.insert(task, name);
    }

    /// Where no default is configured, makes the model of the highest rank the task's default, and
    /// one without a rank only if none has one.
    pub fn prefer(&mut self, task: &'static str, rank: Rank) {
        self.preferences.insert(task, rank);
    }

    /// Every version, by name, then oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &ModelVersion> {
        self.models.values().flat_map(BTreeMap::values)
    }

    /// Every version that is ready, by name, then oldest first.
    pub fn ready(&self) -> impl Iterator<Item = Arc<Model>> {
        self.versions().filter_map(ModelVersion::ready)
    }

    /// The names of all models.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// Whether some version of the model can be called.
    pub fn is_model_ready(&self, name: &str) -> bool {
        self.newest_ready(name).is_some()
    }

    /// Whether every required model can be called. A repository without models is not ready.
    pub fn is_ready(&self) -> bool {
        !self.required.is_empty() && self.required.iter().all(|name| self.is_model_ready(name))
    }

    /// Why the server is not ready: one line per required model that is not.
    pub fn unready(&self) -> Vec<String> {
        if self.required.is_empty() {
            return vec!["there is no model in the repository".to_owned()];
        }
        let required = self.required.iter();
        let waiting = required.filter(|name| !self.is_model_ready(name));
        let reason = |name: &String| match self.models.get(name) {
            Some(versions) => not_ready(versions).to_string(),
            None => format!("required model `{name}` is not in the repository"),
        };
        waiting.map(reason).collect()
    }

    /// The version that a request of this task means by `name` and `version`. An empty name means
    /// the default model, an empty version the newest that is ready.
    ///
    /// # Errors
    /// There is no such model or version, it is not ready, or it has another task.
    pub fn resolve(&self, task: &str, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        let name = if name.is_empty() {
            self.default_for(task)?
        } else {
            name
        };
        let model = self.find_ready(name, version)?;
        if model.task() == task {
            return Ok(model);
        }
        Err(ServeError::WrongTask {
            model: name.to_owned(),
            does: model.task().to_owned(),
            needs: task.to_owned(),
        })
    }

    /// Whether requests that name no model get this one.
    pub fn is_default(&self, model: &Arc<Model>) -> bool {
        let default = self.resolve(model.task(), "", "");
        default.is_ok_and(|default| Arc::ptr_eq(&default, model))
    }

    /// The version that is meant by `name` and `version`, whatever its task. An empty version means
    /// the newest that is ready.
    ///
    /// # Errors
    /// There is no such model or version, or it is not ready.
    pub fn find_ready(&self, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        let Some(versions) = self.models.get(name) else {
            return Err(ServeError::ModelNotFound(format!(
                "there is no model `{}`; {}",
                clip(name),
                self.inventory()
            )));
        };
        if version.is_empty() {
            let newest = self.newest_ready(name);
            return newest.ok_or_else(|| not_ready(versions));
        }
        // Only the number's own spelling: `01` and `+1` name nothing.
        let mut known = versions.values();
        let Some(found) = known.find(|known| known.version.to_string() == version) else {
            let known = join(versions.keys());
            let text = format!(
                "model `{name}` has no version `{}`; it has {known}",
                clip(version)
            );
            return Err(ServeError::ModelNotFound(text));
        };
        found.ready().ok_or_else(|| found.not_ready())
    }

    /// The model for requests of this task that name none: the configured one, else that of the
    /// highest rank, else the first by name. It may still be loading: no other stands in for it.
    fn default_for(&self, task: &str) -> Result<&str, ServeError> {
        if let Some(name) = self.defaults.get(task) {
            return Ok(name);
        }
        let rank = self.preferences.get(task);
        let preferred = rank.and_then(|rank| self.best(task, rank));
        if let Some(name) = preferred.or_else(|| self.best(task, |_| Some(0.0))) {
            return Ok(name);
        }
        let mut unready = self.models.iter();
        Err(match unready.find(|(name, _)| !self.is_model_ready(name)) {
            Some((_, versions)) => not_ready(versions),
            None => {
                ServeError::ModelNotFound(format!("no model does {task}; {}", self.inventory()))
            }
        })
    }

    /// The model of the highest rank that does the task, or will when it is loaded; the first by
    /// name of several.
    fn best(&self, task: &str, rank: impl Fn(&Manifest) -> Option<f64>) -> Option<&str> {
        let ranked = self.models.iter().filter_map(|(name, versions)| {
            let ready = self.newest_ready(name);
            let manifest = match &ready {
                Some(model) => &model.manifest,
                None => versions.values().rev().find_map(ModelVersion::loading)?,
            };
            if manifest.task != task {
                return None;
            }
            Some((name.as_str(), rank(manifest)?))
        });
        // Of equal ones, `max_by` gives the last.
        let best = ranked
            .rev()
            .max_by(|left, right| left.1.total_cmp(&right.1));
        best.map(|(name, _)| name)
    }

    /// The newest ready version of each model of this task, by name.
    pub fn ready_for(&self, task: &str) -> impl Iterator<Item = Arc<Model>> {
        let models = self.names().filter_map(|name| self.newest_ready(name));
        models.filter(move |model| model.task() == task)
    }

    fn newest_ready(&self, name: &str) -> Option<Arc<Model>> {
        let mut newest_first = self.models.get(name)?.values().rev();
        newest_first.find_map(ModelVersion::ready)
    }

    fn inventory(&self) -> String {
        if self.models.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there is {}", join(self.names()))
        }
    }
}

impl ModelVersion {
    /// Its state now.
    pub fn state(&self) -> State {
        let state = self.state.read();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets its state, after an attempt to load it.
    pub fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn ready(&self) -> Option<Arc<Model>> {
        match self.state() {
            State::Ready(model) => Some(model),
            _ => None,
        }
    }

    /// What it will be when it is loaded, if it still is.
    fn loading(&self) -> Option<&Manifest> {
        let announced = self.announced.as_ref();
        announced.filter(|_| matches!(self.state(), State::Loading))
    }

    /// The error of a version that is not ready.
    fn not_ready(&self) -> ServeError {
        let (state, retry_after) = match self.state() {
            State::Unavailable(reason) => (format!("cannot be served: {reason}"), None),
            _ => ("is still loading".to_owned(), Some(LOADING_RETRY)),
        };
        ServeError::Unavailable {
            reason: format!("model `{}` {state}", self.name),
            retry_after,
        }
    }
}

/// The error of a model none of whose versions is ready: the newest one's.
fn not_ready(versions: &Versions) -> ServeError {
    let newest = versions.values().next_back();
    newest.expect("a model has a version").not_ready()
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}
