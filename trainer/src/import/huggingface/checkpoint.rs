//! `model.safetensors`: the weights, in one file or several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle::sha256_hex;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::import::target::{is_there, json, read};

pub(super) const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Files that other libraries write weights to.
const OTHERS: [&str; 5] = [
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.ckpt.index",
    "tf_model.h5",
    "flax_model.msgpack",
];

/// What `torch.save` writes starts so: a zip archive, or a pickle of old.
const PICKLED: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];

/// The largest file of weights: what a bundle can hold.
const MOST_BYTES: u64 = 1 << 31;
const MOST_INDEX_BYTES: u64 = 16 << 20;
/// Names that an error lists.
const LISTED: usize = 5;

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
        if is_there(&whole) {
            return Self::one(&whole);
        }
        if !is_there(&index) {
            return Err(Error::file(&whole)(missing(folder)));
        }
        let bytes = read(&index, MOST_INDEX_BYTES)?;
        let Index { weight_map } = json(&bytes).map_err(Error::file(&index))?;
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

    /// Reads one file of weights.
    ///
    /// # Errors
    /// It cannot be read, or is larger than a bundle can be.
    pub(crate) fn one(path: &Path) -> Result<Self, Error> {
        Ok(Self(vec![(path.to_owned(), read(path, MOST_BYTES)?)]))
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
            if PICKLED.iter().any(|start| content.starts_with(start)) {
                return Err(refuse(
                    "is pickled, and reading it would run code that it holds; \
                     `safetensors.torch.save_file(model.state_dict(), FILE)` writes what can be \
                     read"
                        .to_owned(),
                ));
            }
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
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many numbers there are.
    pub(crate) fn elements(&self) -> u128 {
        let elements = |view: &TensorView<'_>| view.shape().iter().map(|it| *it as u128).product();
        self.0.values().map(|view| -> u128 { elements(view) }).sum()
    }

    /// The lengths of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(TensorView::shape)
    }

    /// Where a tensor is there with something before its name: what to do about it.
    pub(crate) fn prefix_hint(&self, missing: &str) -> String {
        let prefix = |name| str::strip_suffix(name, missing).filter(|it| it.ends_with('.'));
        let found = self.names().find_map(prefix);
        found.map_or(String::new(), |prefix| {
            format!("; `{prefix}{missing}` is there: take `{prefix}` off the names of the tensors")
        })
    }

    /// Copies tensors to weights. Gives the types that they have.
    ///
    /// `names` are those that a weight may have here, and `is_unused` tells tensors that `network`
    /// has no use for.
    ///
    /// # Errors
    /// Tensors that are missing, of another shape or type, or of no use.
    pub(crate) fn copy_to(
        &self,
        weights: Vec<(String, Tensor)>,
        names: impl Fn(&str) -> Vec<String>,
        is_unused: impl Fn(&str) -> bool,
        network: &str,
    ) -> Result<Vec<Kind>, String> {
        let (mut used, mut missing, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for (ours, mut weight) in weights {
            let names = names(&ours);
            let size = weight.size();
            let found = names
                .iter()
                .find_map(|name| Some((self.tensor(name, &size)?, name)));
            let Some((found, name)) = found else {
                missing.extend(names.into_iter().next());
                continue;
            };
            let (kind, values) = found?;
            kinds.push(kind);
            tch::no_grad(|| weight.copy_(&values));
            used.push(name.clone());
        }
        if !missing.is_empty() {
            let hint = self.prefix_hint(&missing[0]);
            return Err(format!("lacks {}{hint}", list(&missing)));
        }
        let is_useless = |name: &&str| !used.iter().any(|it| it == name) && !is_unused(name);
        let useless: Vec<_> = self.names().filter(is_useless).map(str::to_owned).collect();
        if useless.is_empty() {
            return Ok(kinds);
        }
        Err(format!("has what {network} has not: {}", list(&useless)))
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
                "tensor {name} is {found:?}; {shape:?} is needed"
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

/// The first of the tensors, and how many more there are.
fn list(names: &[String]) -> String {
    let (listed, more) = names.split_at(names.len().min(LISTED));
    let listed = listed.join(", ");
    match more.len() {
        0 => format!("tensor {listed}"),
        more => format!("tensor {listed} and {more} more"),
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
