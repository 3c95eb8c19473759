//! A graph and what is known of it, on their way to a bundle: samples, proof, files.

use std::io::Write;
use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer};
use quintet_bundle::{BundleContents, Golden, GoldenSamples, Manifest, write_bundle};

use super::{proof, samples};
use crate::error::Error;
use crate::verify::{Runtime, Tensors};

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
        original: impl FnMut(&Tensors) -> Result<Tensors, Error>,
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
        let inputs = match self.samples {
            Some(folder) => samples::read(folder, &manifest, parsed.as_ref())?,
            None => samples::random(&manifest, parsed.as_ref())?,
        };
        let mut loaded = runtime.model(&graph)?;
        let proof = proof::prove(original, &mut loaded, &inputs, manifest.max_batch_size)?;
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
        let written = write_bundle(self.models_dir, contents)?;
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
