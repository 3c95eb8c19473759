//! A classifier of texts that another one learns from (Hinton et al. 2015, "Distilling the
//! knowledge in a neural network").

use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, TextSpec, Tokenizer};
use quintet_bundle::{Bundle, Role, discover};
use tch::{Kind, Tensor};

use crate::data::Samples;
use crate::data::text::Texts;
use crate::error::Error;
use crate::progress;
use crate::verify::Runtime;

const BATCH: usize = 64;

/// The bundle that was `asked` for, or the newest of the model `name` in `models_dir`.
///
/// # Errors
/// No such bundle exists. `purpose` says what it is needed for.
pub fn find(
    asked: Option<&Path>,
    models_dir: &Path,
    name: &str,
    purpose: &str,
) -> Result<Bundle, Error> {
    if let Some(path) = asked {
        return Ok(Bundle::open(path)?);
    }
    let mut bundles = if models_dir.is_dir() {
        discover(models_dir)?
    } else {
        Vec::new()
    };
    bundles.retain(|it| it.name == name);
    let newest = bundles.into_iter().max_by_key(|it| it.version);
    let none = || {
        Error::Usage(format!(
            "{purpose} by the model {name}, and there is none in {}: train it first, or name a \
             bundle with --judge",
            models_dir.display(),
        ))
    };
    let newest = newest.ok_or_else(none)?;
    Ok(Bundle::open(&newest.path)?)
}

/// The probabilities that `bundle` gives the second class of each text, float32 `[n]`.
///
/// # Errors
/// The bundle does not give one for tokens and lengths.
pub fn scores<T: AsRef<str>>(
    bundle: &Bundle,
    texts: &[T],
    runtime: &Runtime,
) -> Result<Tensor, Error> {
    let refuse = |problem: String| Error::file(bundle.path())(problem);
    let manifest = bundle.manifest();
    let inputs: Vec<_> = manifest.inputs.iter().map(|it| it.role).collect();
    let outputs: Vec<_> = manifest.outputs.iter().map(|it| it.role).collect();
    let (needed, given) = (
        [Some(Role::Tokens), Some(Role::Lengths)],
        [Some(Role::Score)],
    );
    if inputs != needed || outputs != given {
        let problem = "cannot teach; a model of tokens and lengths with one score can";
        return Err(refuse(problem.to_owned()));
    }
    let spec = manifest.spec::<TextSpec>();
    let spec = spec.map_err(|error| refuse(error.to_string()))?;
    let file = bundle.file(TOKENIZER_FILE).unwrap_or_default();
    let texts = Texts::encode(&Tokenizer::from_bytes(file)?, texts, &spec)?;
    let order = texts.lengths.argsort_stable(true, 0, false);
    let labels = Tensor::zeros_like(&texts.lengths);
    let samples = Samples::from_texts(texts, labels).by_length();

    let mut model = runtime.model(bundle.model())?;
    let bar = progress::bar("{msg} {bar:30} {pos}/{len}", samples.len() as u64);
    bar.set_message(manifest.name.clone());
    let mut scores = Vec::new();
    for start in (0..samples.len()).step_by(BATCH) {
        scores.push(model.output(&samples.slice(start, BATCH).inputs)?);
        bar.inc(BATCH as u64);
    }
    let sorted = Tensor::cat(&scores, 0).to_kind(Kind::Float);
    Ok(Tensor::zeros_like(&sorted).index_copy(0, &order, &sorted))
}
