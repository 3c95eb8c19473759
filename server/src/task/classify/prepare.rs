//! From pictures to rows.

use bytes::Bytes;
use quintet_bundle::image::{Channels, Findings, Fit, Framing, ImageInput};
use smallvec::SmallVec;

use super::Limits;
use crate::blocking::Lane;
use crate::error::{ServeError, Violation};
use crate::runtime::Row;
use crate::task::picture::{INLINE_PIXELS, Picture, Wanted, decode, pixels};

/// The most pixels of a whole request, in images of the largest size.
const IMAGES_OF_FULL_SIZE: u64 = 4;

/// How a request wants its pictures read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) framing: Framing,
    /// Whether a picture in which there is nothing to read is an error.
    pub(super) refuse_unreadable: bool,
    /// Whether the answer says what became of each picture.
    pub(super) explain: bool,
}

/// A picture as the model reads it.
#[derive(Debug)]
pub(super) struct Reading {
    /// The model's input.
    pub(super) row: Row,
    /// Whether there is anything to read.
    pub(super) readable: bool,
    /// What became of the picture, if that is asked for.
    pub(super) seen: Option<Box<Seen>>,
}

/// What became of a picture.
#[derive(Debug)]
pub(super) struct Seen {
    /// The model's pixels, row by row, its channels interleaved.
    pub(super) pixels: Vec<u8>,
    /// What a search for a digit found, if there was one.
    pub(super) findings: Option<Findings>,
}

/// Decodes pictures and makes them fit the model: large ones on a blocking thread.
pub(super) async fn read(
    call: (Lane<'_>, Limits),
    input: ImageInput,
    pictures: Vec<Picture>,
    manner: Manner,
) -> Result<SmallVec<[Reading; 1]>, ServeError> {
    let (blocking, limits) = call;
    let max_pixels = limits.max_image_pixels;
    let sizes = pictures.iter().enumerate();
    let sizes = sizes.map(|(index, picture)| at(index, pixels(picture, max_pixels)));
    let pixels: u64 = ServeError::collect::<_, SmallVec<[u64; 8]>>(sizes)?
        .iter()
        .sum();
    let limit = max_pixels.saturating_mul(IMAGES_OF_FULL_SIZE);
    if pixels > limit {
        let description = format!("are {pixels} pixels together; at most {limit} are allowed");
        return Err(ServeError::invalid("images", description));
    }
    let is_short = pixels <= INLINE_PIXELS;
    let read = move |index, picture: Picture| {
        let reading = at(index, reading(&picture, &input, manner, max_pixels))?;
        if manner.refuse_unreadable && !reading.readable {
            let words = match (input.spec.fit, manner.framing) {
                (Fit::Digit, Framing::Auto) => "has nothing that can be read as one digit",
                _ => "is of one colour; there is nothing to read",
            };
            return Err(Violation::new(format!("images[{index}]"), words));
        }
        Ok(reading)
    };
    blocking.each(is_short, pictures, read).await
}

fn reading(
    picture: &Picture,
    input: &ImageInput,
    manner: Manner,
    max_pixels: u64,
) -> Result<Reading, Violation> {
    let (spec, framing) = (input.spec, manner.framing);
    if let Picture::Raw(raw) = picture
        && framing == Framing::None
        && !manner.explain
        && spec.channels == Channels::Grey
        && (raw.width as usize, raw.height as usize, raw.channels) == (spec.width, spec.height, 1)
        && raw.data.len() == spec.bytes()
        && input.is_plain()
    {
        // The model's input already: the bytes go from the wire to the batch in one copy.
        return Ok(Reading {
            row: std::iter::once(raw.data.clone()).collect(),
            readable: raw.data.iter().any(|level| *level != raw.data[0]),
            seen: None,
        });
    }
    let pixels = decode(picture, Wanted::by(spec, framing), max_pixels)?;
    let fitted = spec.fit(pixels, framing);
    let seen = manner.explain.then(|| Seen {
        pixels: fitted.pixels.clone(),
        findings: fitted.findings,
    });
    let row = Bytes::from(input.elements(fitted.pixels));
    Ok(Reading {
        row: std::iter::once(row).collect(),
        readable: fitted.readable,
        seen: seen.map(Box::new),
    })
}

/// Names the picture at `index` in a violation.
fn at<T>(index: usize, outcome: Result<T, Violation>) -> Result<T, Violation> {
    outcome.map_err(|Violation { field, description }| Violation {
        field: format!("images[{index}].{field}"),
        description,
    })
}

#[cfg(test)]
mod tests {
    use quintet_bundle::Manifest;

    use super::*;

    #[test]
    fn a_raw_frame_is_not_copied() {
        let data = Bytes::from(vec![9; 784]);
        let picture = Picture::Raw(quintet_proto::v1::RawImage {
            width: 28,
            height: 28,
            channels: 1,
            data: data.clone(),
        });
        let manifest = include_str!("../../../../bundle/tests/data/manifest_v2.toml");
        let input = ImageInput::of(&Manifest::from_toml(manifest).unwrap()).unwrap();
        let manner = Manner {
            framing: Framing::None,
            refuse_unreadable: false,
            explain: false,
        };
        let reading = reading(&picture, &input, manner, 1_000).unwrap();
        assert_eq!(reading.row[0].as_ptr(), data.as_ptr());
        assert!(!reading.readable, "it is of one colour");
    }
}
