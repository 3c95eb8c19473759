//! What the messages of several tasks share.

use quintet_proto::v1;

use crate::decode::Picture;
use crate::error::Violation;
use crate::flow::Spent;
use crate::model::Model;

/// An image of a request, the one at `index`.
pub(super) fn picture((index, image): (usize, v1::Image)) -> Result<Picture, Violation> {
    match image.source {
        Some(v1::image::Source::Encoded(file)) => Ok(Picture::Encoded(file)),
        Some(v1::image::Source::Raw(raw)) => Ok(Picture::Raw {
            width: raw.width,
            height: raw.height,
            channels: raw.channels,
            data: raw.data,
        }),
        None => Err(Violation::new(
            format!("images[{index}]"),
            "is empty; `encoded` or `raw` is needed",
        )),
    }
}

/// A picture for an answer.
pub(super) fn image(picture: Picture) -> v1::Image {
    let source = match picture {
        Picture::Encoded(file) => v1::image::Source::Encoded(file),
        Picture::Raw {
            width,
            height,
            channels,
            data,
        } => v1::image::Source::Raw(v1::RawImage {
            width,
            height,
            channels,
            data,
        }),
    };
    v1::Image {
        source: Some(source),
    }
}

/// Where a request's time went.
pub(super) fn timing(spent: &Spent) -> v1::Timing {
    v1::Timing {
        preprocess_us: spent.preprocess.as_micros() as u64,
        queue_us: spent.inside.queue.as_micros() as u64,
        compute_us: spent.inside.compute.as_micros() as u64,
        batch_size: spent.inside.batch_size as u32,
    }
}

/// The name of the model's class at `index`.
pub(super) fn label_name(model: &Model, index: usize) -> String {
    let label = model.manifest.labels.get(index);
    label.cloned().unwrap_or_default()
}
