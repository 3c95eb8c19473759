//! MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey levels, light ink on dark ground.
//!
//! LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
//! Proceedings of the IEEE 86(11), 1998.

use std::fmt;
use std::path::Path;

use crate::published::{Published, PublishedFile};
use crate::{DataError, DataErrorKind, idx};

/// Width and height of an image in pixels.
pub const SIDE: usize = 28;
/// Bytes per image.
pub const PIXELS: usize = SIDE * SIDE;
/// The digits.
pub const CLASSES: usize = 10;

const NAMES: [[&str; 2]; 2] = [
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
    ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
];

/// The files as published. They lie in `mnist/`, or in the data folder itself.
pub const PUBLISHED: Published = Published {
    folder: "mnist",
    is_shared: true,
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    suffix: ".gz",
    files: &files([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
};

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
    read(&PUBLISHED, data_dir, split)
}

/// Reads one split of a data set whose files have MNIST's names and format.
pub(crate) fn read(
    published: &Published,
    data_dir: &Path,
    split: Split,
) -> Result<Digits, DataError> {
    let [images_name, labels_name] = NAMES[split as usize];
    let labels_path = published.find(data_dir, labels_name)?;
    let images_path = published.find(data_dir, images_name)?;
    let images = idx::read_images(&images_path, SIDE as u32)?;
    let labels = idx::read_labels(&labels_path)?;
    let refuse = |reason| {
        let kind = DataErrorKind::Content(reason);
        Err(DataError::new(&labels_path, kind))
    };
    let mut indexed = labels.iter().enumerate();
    if let Some((index, label)) = indexed.find(|(_, label)| usize::from(**label) >= CLASSES) {
        return refuse(format!("label {index} is {label}, must be 0 to 9"));
    }
    let (count, labelled) = (images.len() / PIXELS, labels.len());
    if count != labelled {
        return refuse(format!("holds {labelled} labels for {count} images"));
    }
    Ok(Digits { images, labels })
}

/// The four files: images and labels to learn from, then those to measure with. The SHA-256 are of
/// the unpacked files.
pub(crate) const fn files(sha256: [&'static str; 4]) -> [PublishedFile; 4] {
    let [[images, labels], [test_images, test_labels]] = NAMES;
    [
        file(images, 47_040_016, sha256[0]),
        file(labels, 60_008, sha256[1]),
        file(test_images, 7_840_016, sha256[2]),
        file(test_labels, 10_008, sha256[3]),
    ]
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> PublishedFile {
    let is_of_packed = false;
    PublishedFile {
        name,
        bytes,
        sha256,
        is_of_packed,
    }
}

impl Split {
    /// Both splits.
    pub const ALL: [Self; 2] = [Self::Train, Self::Test];
}

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
