//! Image files from the command line: all are read before anything is sent, then grouped into
//! requests.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::failure::Failure;

/// The largest file taken; no server takes a larger one, and `/dev/zero` has an end.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How much one request holds: well inside gRPC's usual 4 MiB.
pub(crate) const REQUEST_LIMIT: RequestLimit = RequestLimit {
    items: 16,
    bytes: 3 << 20,
};

/// An image as the user named it, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct ImageFile {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// The most that one request holds. A single larger item goes alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimit {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Reads every file, or fails naming the first that cannot be read.
pub(crate) fn read_images(paths: &[PathBuf]) -> Result<Vec<ImageFile>, Failure> {
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::new("stdin (-) can be read only once"));
    }
    paths.iter().map(|path| read_image(path)).collect()
}

fn read_image(path: &Path) -> Result<ImageFile, Failure> {
    let bytes = if is_stdin(path) {
        read_bounded(io::stdin().lock())
    } else {
        File::open(path).and_then(read_bounded)
    };
    let name = path.display().to_string();
    let bytes = bytes.map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    if bytes.is_empty() {
        return Err(Failure::new(format!("{name} is empty")));
    }
    Ok(ImageFile {
        name,
        bytes: bytes.into(),
    })
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_bounded(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES >> 20;
        return Err(io::Error::other(format!("larger than {limit} MiB")));
    }
    Ok(bytes)
}

impl RequestLimit {
    /// Cuts items of these sizes, in order, into ranges that each fit.
    pub(crate) fn split(self, sizes: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
        let mut requests = Vec::new();
        let (mut start, mut end, mut bytes) = (0, 0, 0);
        for size in sizes {
            if end > start && (end - start == self.items || bytes + size > self.bytes) {
                requests.push(start..end);
                (start, bytes) = (end, 0);
            }
            end += 1;
            bytes += size;
        }
        if end > start {
            requests.push(start..end);
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_cut_by_count_and_by_bytes() {
        let limit = RequestLimit {
            items: 3,
            bytes: 10,
        };
        for (sizes, requests) in [
            (vec![], vec![]),
            (vec![1; 7], vec![0..3, 3..6, 6..7]),
            (vec![6, 6, 4], vec![0..1, 1..3]),
            (vec![1, 99, 1], vec![0..1, 1..2, 2..3]),
        ] {
            assert_eq!(limit.split(sizes.clone()), requests, "{sizes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_item_is_sent_once_and_in_order(
            sizes in proptest::collection::vec(0_usize..50, 0..40),
            items in 1_usize..6, bytes in 1_usize..60,
        ) {
            let requests = RequestLimit { items, bytes }.split(sizes.clone());
            prop_assert!(requests.iter().cloned().flatten().eq(0..sizes.len()));
            for request in requests {
                prop_assert!(request.len() <= items);
                let total: usize = sizes[request.clone()].iter().sum();
                prop_assert!(request.len() == 1 || total <= bytes);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.png");
        std::fs::write(&empty, "").unwrap();
        for path in [dir.path().join("missing.png"), dir.path().to_owned(), empty] {
            let failure = read_images(std::slice::from_ref(&path)).unwrap_err();
            assert!(format!("{failure:?}").contains(&path.display().to_string()));
        }
        assert!(read_images(&["-".into(), "-".into()]).is_err());
    }
}
