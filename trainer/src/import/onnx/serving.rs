//! What the server asks of a model, so that an import says so before its proof.
//!
//! The rules are those of `server/src/runtime/signature.rs` and `server/src/task/text/`.

use quintet_bundle::image::ImageInput;
use quintet_bundle::text::TextSpec;
use quintet_bundle::{Dim, Manifest, ManifestError, ProblemType, Role, TensorSpec, task};

/// Whether the server can serve the model: its rows, and what its own tasks need.
pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    if manifest.task == task::TEXT_CLASSIFICATION {
        check_text_inputs(manifest)?;
    }
    check_rows(manifest)?;
    let needs = |fits: bool, allowed: &str| {
        let error = ManifestError::field("outputs", "without the task's role", allowed);
        fits.then_some(()).ok_or(error)
    };
    let has = |role| manifest.output(role).is_some();
    match manifest.task.as_str() {
        task::IMAGE_CLASSIFICATION => {
            ImageInput::of(manifest)?;
            if manifest.problem_type == ProblemType::Regression {
                let allowed = "single_label_classification or multi_label_classification of images";
                let error = ManifestError::field("problem_type", "regression", allowed);
                return Err(error);
            }
            let fits = has(Role::Probabilities) || has(Role::Logits);
            needs(fits, "one of probabilities or logits")?;
        }
        task::TEXT_CLASSIFICATION => {
            manifest.spec::<TextSpec>()?;
            if manifest.problem_type == ProblemType::Regression {
                needs(has(Role::Logits), "logits, as problem_type is regression")?;
            }
            let fits = has(Role::Probabilities) || has(Role::Logits) || has(Role::Score);
            needs(fits, "one of probabilities, logits or score")?;
        }
        _ => return Ok(()),
    }
    check_labels(manifest)
}

/// Rows are batched: only the batch may be open, and of inputs the length of a text.
fn check_rows(manifest: &Manifest) -> Result<(), ManifestError> {
    let is_open = |dim: Option<&Dim>| matches!(dim, Some(Dim::Symbol(_)));
    for (side, specs, fixed) in [
        ("inputs", &manifest.inputs, 2),
        ("outputs", &manifest.outputs, 1),
    ] {
        for spec in specs {
            if spec.shape.iter().skip(fixed).any(|dim| is_open(Some(dim))) {
                let field = format!("{side}.{}.shape", spec.name);
                let allowed = "open in the batch, and of an input in the dimension after it, alone";
                return Err(ManifestError::field(field, spec.shape_text(), allowed));
            }
        }
    }
    let sequence = |spec: &&TensorSpec| is_open(spec.shape.get(1));
    let mut sequences = manifest.inputs.iter().filter(sequence);
    let Some(first) = sequences.next() else {
        return Ok(());
    };
    let place = |spec: &TensorSpec| format!("inputs.{}.shape", spec.name);
    if let Some(other) = sequences.find(|spec| spec.shape.get(1) != first.shape.get(1)) {
        let length = first.shape_text();
        let allowed = format!(
            "as open as {length} of {}, with the same symbol",
            first.name
        );
        return Err(ManifestError::field(
            place(other),
            other.shape_text(),
            allowed,
        ));
    }
    let has = |role| manifest.input(role).is_some();
    if !has(Role::Lengths) && !has(Role::AttentionMask) {
        let allowed = "beside an input of role lengths or attention_mask, which tells texts from \
                       their padding in a batch";
        // What a text is made of has no fixed length.
        let or_fixed = match first.role {
            Some(role) if role.is_sequence() => "",
            _ => ", or of a fixed length",
        };
        return Err(ManifestError::field(
            place(first),
            first.shape_text(),
            format!("{allowed}{or_fixed}"),
        ));
    }
    manifest.spec::<TextSpec>().map(|_| ())
}

/// All inputs must be made of a text.
fn check_text_inputs(manifest: &Manifest) -> Result<(), ManifestError> {
    let of_text = |role: Role| role.is_sequence() || role == Role::Lengths;
    let mut inputs = manifest.inputs.iter();
    if let Some(spec) = inputs.find(|spec| !spec.role.is_some_and(of_text)) {
        let found = spec.role.map_or("none".to_owned(), |role| role.to_string());
        let allowed = "tokens, attention_mask, token_type_ids or lengths";
        let field = format!("inputs.{}.role", spec.name);
        return Err(ManifestError::field(field, found, allowed));
    }
    let has = manifest.input(Role::Tokens).is_some();
    let allowed = "a list with one of role tokens";
    let error = || ManifestError::field("inputs", "without role tokens", allowed);
    has.then_some(()).ok_or_else(error)
}

/// One label, or none but one of two, would make every answer the same.
fn check_labels(manifest: &Manifest) -> Result<(), ManifestError> {
    let labels = manifest.labels.len();
    if manifest.output(Role::Score).is_some() && labels != 2 {
        let allowed = "a list of 2, as an output of role score is the probability of the second";
        return Err(ManifestError::field(
            "labels",
            format!("a list of {labels}"),
            allowed,
        ));
    }
    let is_single = manifest.problem_type == ProblemType::SingleLabelClassification;
    if is_single && labels == 1 {
        let found = "single_label_classification with one label, which every input would have";
        let allowed = "regression or multi_label_classification";
        return Err(ManifestError::field("problem_type", found, allowed));
    }
    Ok(())
}
