//! A graph and what is known of it, on their way to a bundle: samples, proof, files.

use std::io::Write;
use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, TextSpec, Tokenizer};
use quintet_bundle::{
    BundleContents, Dim, Golden, GoldenSamples, Manifest, NoProbabilities, Role, Tensor, TensorSpec,
};

use super::proof::Proof;
use super::{proof, samples, texts, write};
use crate::error::Error;
use crate::verify::{LoadedModel, Runtime, Tensors};

/// The most of the longest texts that run together in a proof: they take long.
const LONG_TEXTS: usize = 8;

/// A bundle that is not proved yet.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    /// Its manifest, whose `golden` and `metrics` are [not known yet](not_yet).
    pub manifest: Manifest,
    /// Its graph.
    pub graph: Vec<u8>,
    /// Its tokeniser, where it reads texts.
    pub tokenizer: Option<Vec<u8>>,
    /// The folder to take golden samples from; without one they are random.
    pub samples: Option<&'a Path>,
    /// Where bundles go.
    pub models_dir: &'a Path,
}

/// Golden samples that are not known yet.
pub(super) const fn not_yet() -> Golden {
    Golden {
        samples: 1,
        tolerance: 0.0,
        self_made: false,
    }
}

impl Candidate<'_> {
    /// Proves that the graph gives what `original` gives for the same rows, writes the bundle and
    /// says so on `out`.
    pub(super) fn prove_and_write(
        self,
        mut original: impl FnMut(&Tensors) -> Result<Tensors, Error>,
        runtime: &Runtime,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let Self {
            mut manifest,
            graph,
            tokenizer,
            ..
        } = self;
        let parsed = tokenizer.as_deref().map(Tokenizer::from_bytes);
        let parsed = parsed.transpose()?;
        if let Ok(spec) = manifest.spec::<TextSpec>() {
            let files = tokenizer.as_deref().zip(parsed.as_ref());
            texts::check(&manifest, &spec, files, &mut original)?;
        }
        let inputs = match self.samples {
            Some(folder) => samples::read(folder, &manifest, parsed.as_ref())?,
            None => samples::random(&manifest, parsed.as_ref())?,
        };
        let mut loaded = runtime.model(&graph)?;
        let proved = prove(
            &manifest,
            (&mut original, &mut loaded),
            (&inputs, parsed.as_ref(), self.samples.is_some()),
        );
        let proof = proved.map_err(|error| texts::too_long(&manifest, error))?;
        check_outputs(&manifest, &proof.outputs)?;
        let samples = inputs.values().next().map_or(0, |it| it.shape()[0]);
        manifest.golden = Golden {
            samples,
            tolerance: proof.tolerance,
            self_made: self.samples.is_none(),
        };
        let difference = f64::from(proof.difference);
        let metric = "onnxruntime_difference".to_owned();
        manifest.metrics.insert(metric, difference);
        let extra = tokenizer.map(|it| (TOKENIZER_FILE.to_owned(), it));
        let contents = BundleContents {
            manifest,
            model: graph,
            golden: GoldenSamples {
                inputs,
                outputs: proof.outputs,
            },
            extra: extra.into_iter().collect(),
        };
        let written = write(self.models_dir, contents)?;
        let sizes: Vec<String> = proof.batch_sizes.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "{}\n{samples} samples through the file and the bundle, {} rows together: they differ \
             by at most {difference:.1e} of the output's largest number or 1",
            written.display(),
            sizes.join(", "),
        )?;
        Ok(())
    }
}

/// Proves the samples, random rows and long texts.
fn prove(
    manifest: &Manifest,
    (original, loaded): (
        &mut impl FnMut(&Tensors) -> Result<Tensors, Error>,
        &mut LoadedModel,
    ),
    (inputs, tokenizer, are_given): (&Tensors, Option<&Tokenizer>, bool),
) -> Result<Proof, Error> {
    let most = manifest.max_batch_size;
    let mut proof = proof::prove(&mut *original, loaded, inputs, most)?;
    // The user's samples may all be alike, and texts may be longer than all of them.
    if are_given {
        let random = samples::random(manifest, tokenizer)?;
        proof.include(&proof::prove(&mut *original, loaded, &random, most)?);
    }
    if let Some((texts, alone)) = samples::random_texts(manifest, tokenizer)? {
        let most = Some(most.unwrap_or(LONG_TEXTS).min(LONG_TEXTS));
        let long = proof::prove(&mut *original, loaded, &texts, most)?;
        proof::prove_without_padding(loaded, &alone, &long.outputs)?;
        proof.include(&long);
    }
    Ok(proof)
}

/// That probabilities are some: the server gives no answer of other numbers.
fn check_outputs(manifest: &Manifest, outputs: &Tensors) -> Result<(), Error> {
    let probabilities = |spec: &&TensorSpec| spec.role == Some(Role::Probabilities);
    for spec in manifest.outputs.iter().filter(probabilities) {
        let name = &spec.name;
        let numbers = outputs.get(name).and_then(Tensor::to_vec::<f32>);
        let (Some(numbers), [_, Dim::Fixed(labels)]) = (numbers, &spec.shape[..]) else {
            continue;
        };
        let refuse = |problem: NoProbabilities| {
            let hint = "are they logits, or labels that do not exclude each other (problem_type)?";
            let place = format!("output `{name}` of role probabilities");
            proof::parity(&place, &format!("{problem} for a sample; {hint}"))
        };
        for row in numbers.chunks_exact((*labels).max(1)) {
            let checked = manifest.problem_type.check_probabilities(row);
            checked.map_err(refuse)?;
        }
    }
    Ok(())
}
