//! Golden inputs: what the user gives, or random ones of the right kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};
use quintet_bundle::image::{Framing, ImageInput, Pixels};
use quintet_bundle::text::{TextSpec, Tokenizer};
use quintet_bundle::{DataType, Dim, Manifest, Role, Tensor, TensorSpec, noise};

use crate::error::Error;
use crate::verify::Tensors;

/// Samples of a bundle: enough for batches of several sizes, and few enough to be proved quickly.
const RANDOM: usize = 8;
/// The most that are taken of a folder.
const MOST: usize = 32;
/// Random texts up to the longest that a model reads: attention makes these slow.
const FEW: usize = 4;
/// The longest of them in tokens: the memory of attention grows with its square.
const LONGEST_PROVED: usize = 2048;
/// The longest random text of a bundle's samples, in tokens: a server runs them at each start.
const LONGEST_RANDOM: usize = 64;

/// The samples in `folder`: pictures for a model of pixels, text files for one of tokens.
pub(super) fn read(
    folder: &Path,
    manifest: &Manifest,
    tokenizer: Option<&Tokenizer>,
) -> Result<Tensors, Error> {
    let paths = files(folder)?;
    if let Ok(spec) = manifest.spec::<TextSpec>() {
        let missing = || Error::Usage("tokenizer: is missing; texts need one".to_owned());
        let tokenizer = tokenizer.ok_or_else(missing)?;
        let tokens = paths.iter().map(|path| {
            let text = fs::read_to_string(path).map_err(Error::file(path))?;
            Ok(tokenizer.encode(text.trim_end(), &spec)?.tokens)
        });
        return texts(&tokens.collect::<Result<Vec<_>, Error>>()?, manifest, &spec);
    }
    let input = ImageInput::of(manifest).map_err(|error| Error::Usage(error.to_string()))?;
    let rows = paths.iter().map(|path| picture(path, &input));
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    let spec = &manifest.inputs[0];
    let shape: Vec<usize> = std::iter::once(rows.len())
        .chain(row_shape(spec)?)
        .collect();
    let tensor = Tensor::from_bytes(spec.datatype, shape, rows.concat())?;
    Ok(BTreeMap::from([(spec.name.clone(), tensor)]))
}

/// Random samples, the same for the same signature.
pub(super) fn random(manifest: &Manifest, tokenizer: Option<&Tokenizer>) -> Result<Tensors, Error> {
    let rows = RANDOM;
    if let Ok(spec) = manifest.spec::<TextSpec>() {
        let longest = spec.max_tokens.min(LONGEST_RANDOM);
        return texts(&random_tokens(rows, longest, tokenizer), manifest, &spec);
    }
    let tensor = |spec: &TensorSpec| {
        let row: Vec<usize> = row_shape(spec)?.collect();
        let shape: Vec<usize> = std::iter::once(rows).chain(row).collect();
        let count = shape.iter().product();
        let tensor = match (spec.datatype, spec.role) {
            (DataType::Uint8, _) => Tensor::new(shape, levels(count).collect::<Vec<u8>>())?,
            (DataType::Float32, Some(Role::Pixels)) => {
                Tensor::new(shape, levels(count).map(f32::from).collect::<Vec<_>>())?
            }
            (DataType::Float32, _) => {
                let mut numbers = vec![0.0; count];
                noise::fill(0, 0, &mut numbers);
                Tensor::new(shape, numbers)?
            }
            // What they mean is not known: 0 and 1 are in most tables.
            (DataType::Int32, _) => Tensor::new(shape, bits(count).collect::<Vec<i32>>())?,
            (DataType::Int64, _) => {
                Tensor::new(shape, bits(count).map(i64::from).collect::<Vec<_>>())?
            }
        };
        Ok((spec.name.clone(), tensor))
    };
    manifest.inputs.iter().map(tensor).collect()
}

/// Random texts from one token to the most that a model reads, or 2048: together, padded to the
/// longest, and each as long as it is. `None`: the model reads no texts.
pub(super) fn random_texts(
    manifest: &Manifest,
    tokenizer: Option<&Tokenizer>,
) -> Result<Option<(Tensors, Vec<Tensors>)>, Error> {
    let Ok(spec) = manifest.spec::<TextSpec>() else {
        return Ok(None);
    };
    let rows = random_tokens(FEW, spec.max_tokens.min(LONGEST_PROVED), tokenizer);
    let alone = rows
        .iter()
        .map(|row| texts(std::slice::from_ref(row), manifest, &spec));
    let alone = alone.collect::<Result<_, _>>()?;
    Ok(Some((texts(&rows, manifest, &spec)?, alone)))
}

/// One text of one token, of this type.
pub(super) fn one_token(
    manifest: &Manifest,
    spec: &TextSpec,
    (token, type_id): (i64, i64),
) -> Result<Tensors, Error> {
    texts_of_type(type_id, &[vec![token]], manifest, spec)
}

/// Rows of tokens, from one to `longest`: random ones, and in the longest row the tokeniser's last,
/// which a graph lacks where it lacks any.
fn random_tokens(rows: usize, longest: usize, tokenizer: Option<&Tokenizer>) -> Vec<Vec<i64>> {
    let words = words(tokenizer);
    let tokens = (0..rows).map(|row| {
        let length = 1 + row * (longest - 1) / (rows - 1);
        if row + 1 == rows {
            return last_tokens(length, tokenizer);
        }
        let numbers = uniform(row as u64, length);
        numbers.map(|it| (it * words as f32) as i64).collect()
    });
    tokens.collect()
}

/// As many of the tokeniser's tokens, the last first.
fn last_tokens(count: usize, tokenizer: Option<&Tokenizer>) -> Vec<i64> {
    let numbers = (0..words(tokenizer) as i64).rev();
    numbers.cycle().take(count).collect()
}

fn words(tokenizer: Option<&Tokenizer>) -> usize {
    tokenizer.map_or(1, Tokenizer::vocabulary_size).max(1)
}

/// Visible files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let is_visible = !entry.file_name().to_string_lossy().starts_with('.');
        if is_visible && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    if !(1..=MOST).contains(&paths.len()) {
        let found = format!(
            "holds {} files; 1 to {MOST} samples are allowed",
            paths.len()
        );
        return Err(Error::file(folder)(found));
    }
    paths.sort();
    Ok(paths)
}

fn picture(path: &Path, input: &ImageInput) -> Result<Vec<u8>, Error> {
    let reader = ImageReader::open(path).map_err(Error::file(path))?;
    let reader = reader.with_guessed_format().map_err(Error::file(path))?;
    let mut decoder = reader.into_decoder().map_err(Error::file(path))?;
    let orientation = decoder.orientation();
    let mut image = DynamicImage::from_decoder(decoder).map_err(Error::file(path))?;
    if let Ok(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let rgba = image.into_rgba8();
    let size = (rgba.width(), rgba.height());
    let (colours, background) = (input.spec.colours(Framing::Auto), input.spec.background);
    let pixels = Pixels::over(background, size, 4, rgba.into_raw().into(), colours);
    let pixels = pixels.map_err(Error::file(path))?;
    Ok(input.row(pixels, Framing::Auto))
}

/// Rows of tokens as a text model's inputs.
fn texts(rows: &[Vec<i64>], manifest: &Manifest, text: &TextSpec) -> Result<Tensors, Error> {
    texts_of_type(0, rows, manifest, text)
}

fn texts_of_type(
    type_id: i64,
    rows: &[Vec<i64>],
    manifest: &Manifest,
    text: &TextSpec,
) -> Result<Tensors, Error> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(1);
    let padded = |of: &dyn Fn(i64) -> i64, padding: i64| -> Vec<i64> {
        let row = |row: &Vec<i64>| {
            let mut row: Vec<i64> = row.iter().map(|&token| of(token)).collect();
            row.resize(longest, padding);
            row
        };
        rows.iter().flat_map(row).collect()
    };
    let sequence = vec![rows.len(), longest];
    let tensor = |spec: &TensorSpec| {
        let (shape, numbers) = match spec.role {
            Some(Role::Tokens) => (sequence.clone(), padded(&|it| it, text.pad_token_id)),
            Some(Role::AttentionMask) => (sequence.clone(), padded(&|_| 1, 0)),
            Some(Role::TokenTypeIds) => (sequence.clone(), padded(&|_| type_id, 0)),
            Some(Role::Lengths) => {
                let lengths = rows.iter().map(|row| row.len() as i64);
                (vec![rows.len()], lengths.collect())
            }
            _ => {
                let allowed = "tokens, attention_mask, token_type_ids or lengths";
                let problem = format!("inputs.{}.role: is none; {allowed} is needed", spec.name);
                return Err(Error::Usage(problem));
            }
        };
        let tensor = match spec.datatype {
            DataType::Int32 => {
                let numbers: Vec<i32> = numbers.iter().map(|&it| it as i32).collect();
                Tensor::new(shape, numbers)?
            }
            _ => Tensor::new(shape, numbers)?,
        };
        Ok((spec.name.clone(), tensor))
    };
    manifest.inputs.iter().map(tensor).collect()
}

/// The lengths of a row, which must all be fixed.
fn row_shape(spec: &TensorSpec) -> Result<impl Iterator<Item = usize>, Error> {
    let dims = spec.shape[1..].iter().map(|dim| match dim {
        Dim::Fixed(size) => Ok(*size),
        Dim::Symbol(symbol) => Err(Error::Usage(format!(
            "inputs.{}.shape: is open in {symbol}; only inputs of texts may be",
            spec.name
        ))),
    });
    Ok(dims.collect::<Result<Vec<_>, Error>>()?.into_iter())
}

fn levels(count: usize) -> impl Iterator<Item = u8> {
    uniform(0, count).map(|it| (it * 256.0) as u8)
}

fn bits(count: usize) -> impl Iterator<Item = i32> {
    uniform(0, count).map(|it| i32::from(it >= 0.5))
}

/// Numbers from 0 to 1, 1 excluded: the fractions of normal ones, far out enough to be uniform.
fn uniform(seed: u64, count: usize) -> impl Iterator<Item = f32> {
    let mut numbers = vec![0.0; count];
    noise::fill(seed, 1, &mut numbers);
    numbers
        .into_iter()
        .map(|it| (it * 16.0).rem_euclid(1.0).min(0.999_999))
}
