//! What became of an image, as a response says it.

use quintet_bundle::image::{Channels, Findings, ImageSpec, Polarity, Thing};
use quintet_proto::v1;

use super::prepare::Seen;
use crate::task::picture::Picture;

/// The answer about an image that was read, without its labels.
pub(super) fn classification(
    spec: &ImageSpec,
    readable: bool,
    seen: Option<Box<Seen>>,
) -> v1::Classification {
    let mut answer = v1::Classification {
        readable: Some(readable),
        ..v1::Classification::default()
    };
    let Some(seen) = seen else {
        return answer;
    };
    let Seen { pixels, findings } = *seen;
    answer.frame = Some(frame(spec, pixels));
    if let Some(findings) = findings {
        let Findings {
            ink_found,
            polarity,
            dropped,
        } = findings;
        answer.ink_found = Some(ink_found);
        answer.set_polarity(match polarity {
            Polarity::DarkOnLight => v1::Polarity::DarkOnLight,
            Polarity::LightOnDark => v1::Polarity::LightOnDark,
        });
        answer.dropped = dropped.iter().map(entry).collect();
    }
    answer
}

fn frame(spec: &ImageSpec, mut pixels: Vec<u8>) -> v1::Image {
    if spec.channels == Channels::Bgr {
        for pixel in pixels.as_chunks_mut::<3>().0 {
            pixel.swap(0, 2);
        }
    }
    let pixels = v1::RawImage {
        width: spec.width as u32,
        height: spec.height as u32,
        channels: spec.channels.count() as u32,
        data: pixels.into(),
    };
    v1::Image {
        source: Some(Picture::Raw(pixels)),
    }
}

fn entry((thing, count): (Thing, u32)) -> v1::Dropped {
    let kind = match thing {
        Thing::Surroundings => v1::DroppedKind::Surroundings,
        Thing::Shadow => v1::DroppedKind::Shadow,
        Thing::Line => v1::DroppedKind::Line,
        Thing::AtEdge => v1::DroppedKind::AtEdge,
        Thing::Speck => v1::DroppedKind::Speck,
        Thing::Neighbour => v1::DroppedKind::Neighbour,
    };
    v1::Dropped {
        kind: kind.into(),
        count,
    }
}
