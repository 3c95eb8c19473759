//! MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey levels, light ink on dark ground.
//!
//! LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
//! Proceedings of the IEEE 86(11), 1998.

use std::fmt;
use std::path::Path;

use crate::{DataError, DataErrorKind, idx, place};

#[cfg(all(feature = "download", test))]
pub(crate) use download::PUBLISHED;
#[cfg(feature = "download")]
pub use download::{MIRRORS, ensure, ensure_from};

/// Width and height of an image in pixels.
pub const SIDE: usize = 28;
/// Bytes per image.
pub const PIXELS: usize = SIDE * SIDE;
/// The digits.
pub const CLASSES: usize = 10;

const FOLDER: &str = "mnist";
const SOURCE: &str = "https://ossci-datasets.s3.amazonaws.com/mnist/";

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
    let find = |name| place::find(data_dir, FOLDER, name, SOURCE);
    let labels_path = find(labels_name)?;
    let images = idx::read_images(&find(images_name)?, SIDE as u32)?;
    let labels = idx::read_labels(&labels_path)?;
    let error = |kind| Err(DataError::new(&labels_path, kind));
    let wrong = labels
        .iter()
        .position(|&label| usize::from(label) >= CLASSES);
    if let Some(index) = wrong {
        let found = labels[index];
        return error(DataErrorKind::Label { index, found });
    }
    let digits = Digits { images, labels };
    let (images, labels) = (digits.images.len() / PIXELS, digits.labels.len());
    if images != labels {
        return error(DataErrorKind::Count { labels, images });
    }
    Ok(digits)
}

#[cfg(feature = "download")]
mod download {
    use super::{FOLDER, Path};
    use crate::DataError;
    use crate::download::{self, Content, Progress, Published, PublishedFile};

    /// Where MNIST is published; tried in this order.
    pub const MIRRORS: [&str; 2] = [
        super::SOURCE,
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ];

    const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> PublishedFile {
        let content = Content::Unpacked;
        PublishedFile {
            name,
            content,
            bytes,
            sha256,
        }
    }

    pub(crate) const PUBLISHED: Published = Published {
        folder: FOLDER,
        files: &[
            file(
                "train-images-idx3-ubyte",
                47_040_016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            file(
                "train-labels-idx1-ubyte",
                60_008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            file(
                "t10k-images-idx3-ubyte",
                7_840_016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            file(
                "t10k-labels-idx1-ubyte",
                10_008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ],
    };

    /// Fetches into `data_dir/mnist/` every file that [`super::load`] would not find.
    ///
    /// A file appears under its name only whole and with the published content. Files that are
    /// there are not changed.
    pub fn ensure(data_dir: &Path, progress: Progress) -> Result<(), DataError> {
        ensure_from(data_dir, &MIRRORS, progress)
    }

    /// As [`ensure`], from other sources: `mirrors` are addresses to which `<file>.gz` is appended.
    pub fn ensure_from(
        data_dir: &Path,
        mirrors: &[&str],
        progress: Progress,
    ) -> Result<(), DataError> {
        download::ensure(&PUBLISHED, data_dir, mirrors, progress)
    }
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
        // 47 million pixels would fill the output of a failing test.
        let (images, labels) = (self.images.len() / PIXELS, self.labels.len());
        write!(f, "Digits({images} images, {labels} labels)")
    }
}
