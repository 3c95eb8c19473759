//! The proof of an import: the bundle's graph gives what the original gives.

use std::collections::BTreeMap;

use quintet_bundle::Tensor;

use crate::error::Error;
use crate::progress;
use crate::verify::{LoadedModel, Tensors};

/// Largest difference that counts as agreement, relative to an output's largest number, or to 1
/// where all are smaller.
const TOLERANCE: f32 = 1e-4;
/// Rows that run together, up to the most that a server takes where it is not told otherwise.
const BATCH_SIZES: [usize; 6] = [1, 2, 5, 8, 16, 32];

/// What may be wrong where rows that run together differ.
const HINT: &str = ". Does the graph use other rows, or padding? `max_batch_size` in the manifest \
                    bounds how many rows run together";

/// What was proved.
#[derive(Debug)]
pub(super) struct Proof {
    /// The outputs of the bundle's graph for the samples, each row alone.
    pub outputs: Tensors,
    /// The largest difference from the file, relative to the output's largest number or 1.
    pub difference: f32,
    /// The largest absolute difference that counts as agreement, in the outputs' own units.
    pub tolerance: f32,
    /// The batch sizes that were tried.
    pub batch_sizes: Vec<usize>,
}

impl Proof {
    /// Takes the differences of another proof of the same graph along.
    pub(super) fn include(&mut self, other: &Self) {
        self.difference = self.difference.max(other.difference);
        self.tolerance = self.tolerance.max(other.tolerance);
    }
}

/// Runs the samples through the original and the bundle's graph, alone and in batches; all must
/// agree. `original` gives the bundle's outputs for rows of its inputs.
pub(super) fn prove(
    mut original: impl FnMut(&Tensors) -> Result<Tensors, Error>,
    bundle: &mut LoadedModel,
    samples: &Tensors,
    max_batch_size: Option<usize>,
) -> Result<Proof, Error> {
    let rows = samples.values().next().map_or(0, |it| it.shape()[0]);
    let most = max_batch_size.unwrap_or(usize::MAX);
    let sizes = BATCH_SIZES.into_iter().filter(|&size| size <= most);
    let sizes: Vec<usize> = sizes.collect();
    let alone = batches(&mut original, samples, 1)?;
    let (mut of_bundle, mut difference, mut tolerance) = (None, 0.0_f32, TOLERANCE);
    for &size in &sizes {
        progress::line(&format!(
            "running the file and the bundle's graph, {size} rows together"
        ));
        // Batches larger than the samples repeat them.
        let full = cycled(samples, rows.max(size))?;
        let expected = cycled(&alone, rows.max(size))?;
        let in_file = match size {
            1 => None,
            _ => Some(batches(&mut original, &full, size)?),
        };
        let outputs = batches(&mut |rows| bundle.run(rows), &full, size)?;
        for (name, expected) in &expected {
            let scale = largest(expected).max(1.0);
            tolerance = tolerance.max(TOLERANCE * scale);
            let in_file = in_file.iter().map(|it| ("the file in batches", it));
            for (what, found) in in_file.chain([("the bundle", &outputs)]) {
                let place = format!("output `{name}` of {what} of {size}");
                let found = found
                    .get(name)
                    .ok_or_else(|| parity(&place, "is missing"))?;
                let relative = distance(expected, found, &place)? / scale;
                if relative.is_nan() || relative > TOLERANCE {
                    let problem = format!(
                        "differs from the file's row alone by {relative:e} of its largest number \
                         or 1; at most {TOLERANCE:e} is allowed{}",
                        if size == 1 { "" } else { HINT }
                    );
                    return Err(parity(&place, &problem));
                }
                difference = difference.max(relative);
            }
        }
        of_bundle.get_or_insert(outputs);
    }
    Ok(Proof {
        outputs: slice(&of_bundle.unwrap_or_default(), 0, rows)?,
        difference,
        tolerance,
        batch_sizes: sizes,
    })
}

/// Runs texts as long as they are; the bundle must give what it gives for the same texts with
/// padding behind them. `outputs` are those, a row for each of `texts`.
pub(super) fn prove_without_padding(
    bundle: &mut LoadedModel,
    texts: &[Tensors],
    outputs: &Tensors,
) -> Result<(), Error> {
    for (row, text) in texts.iter().enumerate() {
        let found = bundle.run(text)?;
        for (name, expected) in &slice(outputs, row, row + 1)? {
            let place = format!("output `{name}` of a text without padding");
            let found = found
                .get(name)
                .ok_or_else(|| parity(&place, "is missing"))?;
            let relative = distance(expected, found, &place)? / largest(expected).max(1.0);
            if relative > TOLERANCE {
                let problem = format!(
                    "differs from that of the text with padding by {relative:e} of its largest \
                     number or 1; at most {TOLERANCE:e} is allowed. Does the graph use the padding?"
                );
                return Err(parity(&place, &problem));
            }
        }
    }
    Ok(())
}

/// Runs all rows, `size` together; a shorter rest is run as it is.
fn batches(
    model: &mut impl FnMut(&Tensors) -> Result<Tensors, Error>,
    inputs: &Tensors,
    size: usize,
) -> Result<Tensors, Error> {
    let rows = inputs.values().next().map_or(0, |it| it.shape()[0]);
    let mut parts: BTreeMap<String, (Vec<usize>, Vec<u8>, _)> = BTreeMap::new();
    for start in (0..rows).step_by(size) {
        let end = rows.min(start + size);
        for (name, tensor) in model(&slice(inputs, start, end)?)? {
            if tensor.shape().first() != Some(&(end - start)) {
                let problem = format!("has shape {:?} for {} rows", tensor.shape(), end - start);
                return Err(parity(&name, &problem));
            }
            let fresh = || (tensor.shape().to_vec(), Vec::new(), tensor.datatype());
            let (shape, bytes, _) = parts.entry(name.clone()).or_insert_with(fresh);
            shape[0] = end;
            bytes.extend_from_slice(tensor.bytes());
        }
    }
    let tensor =
        |(name, (shape, bytes, datatype))| Ok((name, Tensor::from_bytes(datatype, shape, bytes)?));
    parts.into_iter().map(tensor).collect()
}

/// Rows of all tensors.
fn slice(tensors: &Tensors, start: usize, end: usize) -> Result<Tensors, Error> {
    let rows = |(name, tensor): (&String, &Tensor)| {
        let mut shape = tensor.shape().to_vec();
        let row = tensor.bytes().len() / shape[0].max(1);
        shape[0] = end - start;
        let bytes = tensor.bytes()[start * row..end * row].to_vec();
        Ok((
            name.clone(),
            Tensor::from_bytes(tensor.datatype(), shape, bytes)?,
        ))
    };
    tensors.iter().map(rows).collect()
}

/// The rows again and again, `count` in all.
fn cycled(tensors: &Tensors, count: usize) -> Result<Tensors, Error> {
    let repeated = |(name, tensor): (&String, &Tensor)| {
        let mut shape = tensor.shape().to_vec();
        let row = tensor.bytes().len() / shape[0].max(1);
        shape[0] = count;
        let bytes = tensor.bytes().iter().copied().cycle().take(count * row);
        let tensor = Tensor::from_bytes(tensor.datatype(), shape, bytes.collect())?;
        Ok((name.clone(), tensor))
    };
    tensors.iter().map(repeated).collect()
}

fn largest(tensor: &Tensor) -> f32 {
    numbers(tensor).map(f32::abs).fold(0.0, f32::max)
}

/// The largest absolute difference.
///
/// # Errors
/// Another shape or type, or a number that is NaN, which differs from everything.
fn distance(expected: &Tensor, found: &Tensor, place: &str) -> Result<f32, Error> {
    if (expected.shape(), expected.datatype()) != (found.shape(), found.datatype()) {
        let problem = format!(
            "has shape {:?} instead of {:?}",
            found.shape(),
            expected.shape()
        );
        return Err(parity(place, &problem));
    }
    if numbers(expected).chain(numbers(found)).any(f32::is_nan) {
        return Err(parity(place, "is NaN for a sample"));
    }
    let pairs = numbers(expected).zip(numbers(found));
    let worst = |worst: f32, (a, b): (f32, f32)| {
        let distance = (a - b).abs();
        if distance.is_nan() {
            f32::INFINITY
        } else {
            worst.max(distance)
        }
    };
    Ok(pairs.fold(0.0, worst))
}

fn numbers(tensor: &Tensor) -> impl Iterator<Item = f32> {
    let floats = tensor.to_vec::<f32>();
    let longs = tensor
        .to_vec::<i64>()
        .map(|it| it.iter().map(|&it| it as f32).collect());
    let ints = tensor
        .to_vec::<i32>()
        .map(|it| it.iter().map(|&it| it as f32).collect());
    let bytes = tensor
        .to_vec::<u8>()
        .map(|it| it.iter().map(|&it| it.into()).collect());
    floats
        .or(longs)
        .or(ints)
        .or(bytes)
        .unwrap_or_default()
        .into_iter()
}

/// The error of an output that differs.
pub(super) fn parity(place: &str, problem: &str) -> Error {
    Error::Parity(format!("{place}: {problem}"))
}
