//! `model.safetensors`: the weights, in one file or several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle::sha256_hex;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::import::target::read;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Files that other libraries write weights to.
const OTHERS: [&str; 5] = [
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.ckpt.index",
    "tf_model.h5",
    "flax_model.msgpack",
];

/// The largest file of weights: what a bundle can hold.
const MOST_BYTES: u64 = 1 << 31;
const MOST_INDEX_BYTES: u64 = 16 << 20;

/// The files with the weights, in memory.
#[derive(Debug)]
pub(crate) struct Files(Vec<(PathBuf, Vec<u8>)>);

/// The tensors of all files, by name.
#[derive(Debug)]
pub(crate) struct Checkpoint<'f>(BTreeMap<String, TensorView<'f>>);

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Files {
    /// Reads the weights of a folder.
    ///
    /// # Errors
    /// There are none, or only such as cannot be read safely.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let (whole, index) = (folder.join(WEIGHTS), folder.join(INDEX));
        if whole.exists() {
            let content = read(&whole, MOST_BYTES)?;
            return Ok(Self(vec![(whole, content)]));
        }
        if !index.exists() {
            return Err(Error::file(&whole)(missing(folder)));
        }
        let json = read(&index, MOST_INDEX_BYTES)?;
        let Index { weight_map } = serde_json::from_slice(&json).map_err(Error::file(&index))?;
        let mut names: Vec<_> = weight_map.into_values().collect();
        names.sort();
        names.dedup();
        let (mut files, mut left) = (Vec::new(), MOST_BYTES);
        for name in names {
            if Path::new(&name).components().count() != 1 || name.starts_with('.') {
                let problem = format!("names {name:?}; only files of its own folder are allowed");
                return Err(Error::file(&index)(problem));
            }
            let path = folder.join(name);
            let content = read(&path, left)?;
            left -= content.len() as u64;
            files.push((path, content));
        }
        Ok(Self(files))
    }

    /// The SHA-256 of the file; of several, that of what `sha256sum` prints of them in the order of
    /// their names.
    pub(crate) fn sha256(&self) -> String {
        if let [(_, content)] = &self.0[..] {
            return sha256_hex(content);
        }
        let line = |(path, content): &(PathBuf, Vec<u8>)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{}  {name}\n", sha256_hex(content))
        };
        let lines: String = self.0.iter().map(line).collect();
        sha256_hex(lines.as_bytes())
    }

    /// The tensors in the files.
    ///
    /// # Errors
    /// A file is no safetensors file, or two have a tensor of the same name.
    pub(crate) fn tensors(&self) -> Result<Checkpoint<'_>, Error> {
        let mut tensors = BTreeMap::new();
        for (path, content) in &self.0 {
            let refuse = |problem: String| Error::file(path)(problem);
            let file = SafeTensors::deserialize(content)
                .map_err(|error| refuse(format!("not a safetensors file: {error}")))?;
            for (name, view) in file.iter() {
                let shape = view.shape().to_vec();
                let view = TensorView::new(view.dtype(), shape, view.data())
                    .map_err(|error| refuse(format!("tensor {name}: {error}")))?;
                if tensors.insert(name.to_owned(), view).is_some() {
                    return Err(refuse(format!("tensor {name} is in another file, too")));
                }
            }
        }
        Ok(Checkpoint(tensors))
    }
}

impl Checkpoint<'_> {
    /// The names of all tensors.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many numbers there are.
    pub(super) fn elements(&self) -> u128 {
        let elements = |view: &TensorView<'_>| view.shape().iter().map(|it| *it as u128).product();
        self.0.values().map(|view| -> u128 { elements(view) }).sum()
    }

    /// The type and shape of a tensor, and its numbers as float32.
    ///
    /// # Errors
    /// The tensor is not of this shape, or of a type that is not read, or one of its numbers is not
    /// finite. `None`: there is no tensor of this name.
    pub(crate) fn tensor(
        &self,
        name: &str,
        shape: &[i64],
    ) -> Option<Result<(Kind, Tensor), String>> {
        let view = self.0.get(name)?;
        let found: Vec<i64> = view.shape().iter().map(|it| *it as i64).collect();
        if found != shape {
            return Some(Err(format!(
                "tensor {name} is {found:?}; {shape:?} is needed, as config.json says"
            )));
        }
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            other => {
                let allowed = "F32, F16 and BF16 are allowed";
                return Some(Err(format!("tensor {name} is {other:?}; {allowed}")));
            }
        };
        let tensor = Tensor::from_data_size(view.data(), shape, kind).to_kind(Kind::Float);
        let finite = tensor.isfinite().all().int64_value(&[]) == 1;
        Some(if finite {
            Ok((kind, tensor))
        } else {
            Err(format!("tensor {name} holds a number that is not finite"))
        })
    }
}

/// Why there are no weights in the folder.
fn missing(folder: &Path) -> String {
    let other = OTHERS.iter().find(|name| folder.join(name).exists());
    match other {
        Some(name) if name.starts_with("pytorch") => format!(
            "is missing, and {name} is not read: it is pickled, and reading it would run code that \
             it holds; `AutoModelForSequenceClassification.from_pretrained(FOLDER)\
             .save_pretrained(OTHER)` of transformers writes {WEIGHTS}"
        ),
        Some(name) => format!("is missing, and {name} is not read; {WEIGHTS} is needed"),
        None => format!("is missing, and so is {INDEX}"),
    }
}
