//! MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey levels, light ink on dark ground.
//!
//! LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
//! Proceedings of the IEEE 86(11), 1998.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{DataError, DataErrorKind, idx};

#[cfg(feature = "download")]
pub use crate::download::{MIRRORS, ensure, ensure_from};

/// Width and height of an image in pixels.
pub const SIDE: usize = 28;
/// Bytes per image.
pub const PIXELS: usize = SIDE * SIDE;
/// The digits.
pub const CLASSES: usize = 10;

/// Which part of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// 60,000 digits to learn from.
    Train,
    /// 10,000 digits by other writers, to measure with.
    Test,
}

/// Images and their labels.
#[derive(Clone, PartialEq, Eq)]
pub struct Digits {
    /// Grey levels, 784 bytes per image, row by row.
    pub images: Vec<u8>,
    /// The digit on each image, 0 to 9.
    pub labels: Vec<u8>,
}

/// Reads one split from `data_dir/mnist/` or `data_dir/`, packed (`.gz`) or not.
///
/// Magic numbers, image size, counts and labels are checked; the error names the file.
pub fn load(data_dir: &Path, split: Split) -> Result<Digits, DataError> {
    let [images_name, labels_name] = split.files();
    let labels_path = find(data_dir, labels_name)?;
    let images = idx::read_images(&find(data_dir, images_name)?, SIDE as u32)?;
    let labels = idx::read_labels(&labels_path)?;
    let error = |kind| Err(DataError::new(&labels_path, kind));
    if let Some((index, &found)) = labels
        .iter()
        .enumerate()
        .find(|&(_, &label)| usize::from(label) >= CLASSES)
    {
        return error(DataErrorKind::Label { index, found });
    }
    let digits = Digits { images, labels };
    let (images, labels) = (digits.images.len() / PIXELS, digits.labels.len());
    if images != labels {
        return error(DataErrorKind::Count { labels, images });
    }
    Ok(digits)
}

/// The places where a file may lie, the usual one first.
pub(crate) fn candidates(data_dir: &Path, name: &str) -> [PathBuf; 4] {
    let packed = format!("{name}.gz");
    let folder = data_dir.join("mnist");
    [
        folder.join(&packed),
        folder.join(name),
        data_dir.join(&packed),
        data_dir.join(name),
    ]
}

fn find(data_dir: &Path, name: &str) -> Result<PathBuf, DataError> {
    let [usual, others @ ..] = candidates(data_dir, name);
    if let Some(found) = [&usual]
        .into_iter()
        .chain(&others)
        .find(|path| path.is_file())
    {
        return Ok(found.clone());
    }
    let others = others.map(|path| path.display().to_string()).join(", ");
    Err(DataError::new(usual, DataErrorKind::Missing { others }))
}

// === impl Split ===

impl Split {
    /// Both splits.
    pub const ALL: [Self; 2] = [Self::Train, Self::Test];

    /// The published file names of images and labels, without `.gz`.
    pub const fn files(self) -> [&'static str; 2] {
        match self {
            Self::Train => ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
            Self::Test => ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
        }
    }
}

// === impl Digits ===

impl Digits {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The 784 grey levels of one image.
    ///
    /// # Panics
    ///
    /// Where `index` is not below [`Digits::len`], as slices do.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * PIXELS..][..PIXELS]
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 47 million pixels would drown every failing test.
        write!(
            f,
            "Digits({} images, {} labels)",
            self.images.len() / PIXELS,
            self.labels.len()
        )
    }
}
