//! Requests of images, as pictures of the domain API.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quintet_data::mnist::{PIXELS, SIDE};
use quintet_proto::v1::{ClassifyRequest, Framing, Image, RawImage, image::Source};

use super::{Payload, Rpc, groups};
use crate::{digits, failure::Failure, input};

/// Different random images; all of them fit into a core's cache.
const RANDOM_IMAGES: usize = 256;

/// Images of MNIST's size, at least one.
#[derive(Clone, Debug)]
pub(in super::super) struct Pixels(pub(super) Vec<Bytes>);

/// Pictures as files, at least one.
#[derive(Clone, Debug)]
pub(in super::super) struct Files(Vec<Bytes>);

impl Files {
    /// Every file in `folder`, by name.
    pub(in super::super) fn load(folder: &Path) -> Result<Self, Failure> {
        let unreadable = |error| Failure::new(format!("cannot read {}: {error}", folder.display()));
        let entries = fs::read_dir(folder).map_err(unreadable)?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(unreadable)?;
        paths.retain(|path| path.is_file());
        paths.sort();
        if paths.is_empty() {
            return Err(Failure::new(format!("{} holds no file", folder.display())));
        }
        let files = input::read_images(&paths)?.into_iter();
        Ok(Self(files.map(|file| file.bytes).collect()))
    }

    /// For Classify, or for ClassifyStream.
    pub(in super::super) fn classify(&self, rpc: Rpc, model: &str, rows: usize) -> Payload {
        let image = |bytes| Image {
            source: Some(Source::Encoded(bytes)),
        };
        let requests = groups(&self.0, rows).map(|files| ClassifyRequest {
            images: files.into_iter().map(image).collect(),
            model: model.to_owned(),
            ..ClassifyRequest::default()
        });
        Payload::new(rpc, rows, requests)
    }
}

impl Pixels {
    /// MNIST's test set, or without a folder noise.
    pub(in super::super) fn load(data_dir: Option<&Path>) -> Result<Self, Failure> {
        match data_dir {
            Some(data_dir) => Ok(Self(digits::load(data_dir)?.images)),
            None => Ok(Self::random()),
        }
    }

    /// Noise, always the same.
    pub(in super::super) fn random() -> Self {
        let mut random = fastrand::Rng::with_seed(0);
        let pixels = std::iter::repeat_with(|| random.u8(..));
        Self(digits::cut(pixels.take(RANDOM_IMAGES * PIXELS).collect()))
    }

    /// For Classify, or for ClassifyStream.
    pub(in super::super) fn classify(&self, rpc: Rpc, model: &str, rows: usize) -> Payload {
        let image = |data: Bytes| Image {
            source: Some(Source::Raw(RawImage {
                width: SIDE as u32,
                height: SIDE as u32,
                channels: 1,
                data,
            })),
        };
        let requests = groups(&self.0, rows).map(|images| ClassifyRequest {
            images: images.into_iter().map(image).collect(),
            model: model.to_owned(),
            // The pixels as they are, in the model's own size: no time goes into framing a digit.
            framing: Framing::None.into(),
            ..ClassifyRequest::default()
        });
        Payload::new(rpc, rows, requests)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn files_are_sent_as_they_are_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let load = || Files::load(folder.path());
        let refused = format!("{:?}", load().unwrap_err());
        assert!(refused.contains("holds no file"), "{refused}");
        fs::create_dir(folder.path().join("a")).unwrap();
        for (name, bytes) in [("c.jpg", "JPEG"), ("b.png", "PNG")] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let payload = load().unwrap().classify(Rpc::Classify, "resnet50", 2);
        let request = ClassifyRequest::decode(unframe(payload.next()).unwrap()).unwrap();
        let sent = request.images.into_iter().map(|it| match it.source {
            Some(Source::Encoded(bytes)) => bytes,
            other => panic!("{other:?}"),
        });
        assert_eq!(sent.collect::<Vec<_>>(), ["PNG", "JPEG"]);
    }

    #[test]
    fn every_image_is_sent_and_every_request_is_full() {
        let pixels = (0..5_u8).flat_map(|image| [image; PIXELS]).collect();
        let pixels = Pixels(digits::cut(pixels));
        let payload = pixels.classify(Rpc::Classify, "mlp", 2);
        let first_pixels = |body: Bytes| {
            let request = ClassifyRequest::decode(unframe(body).unwrap()).unwrap();
            assert_eq!(
                (request.model.as_str(), request.framing()),
                ("mlp", Framing::None)
            );
            let images = request.images.into_iter();
            let pixels = images.map(|it| match it.source {
                Some(Source::Raw(raw)) if raw.data.len() == PIXELS => raw.data[0],
                other => panic!("{other:?}"),
            });
            pixels.collect::<Vec<_>>()
        };
        let sent: Vec<_> = (0..4).map(|_| first_pixels(payload.next())).collect();
        assert_eq!(sent, [[0, 1], [2, 3], [4, 0], [0, 1]]);
    }
}
