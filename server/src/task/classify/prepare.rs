//! From pictures to rows.

use bytes::Bytes;
use quintet_bundle::image::{Channels, Framing, ImageInput};
use smallvec::SmallVec;

use super::Limits;
use crate::blocking::Lane;
use crate::error::{ServeError, Violation};
use crate::runtime::{Row, Rows};
use crate::task::picture::{INLINE_PIXELS, Picture, Wanted, decode, pixels};

/// The most pixels of a whole request, in images of the largest size.
const IMAGES_OF_FULL_SIZE: u64 = 4;

/// Decodes pictures and makes them fit the model: large ones on a blocking thread.
pub(super) async fn rows(
    call: (Lane<'_>, Limits),
    input: ImageInput,
    pictures: Vec<Picture>,
    framing: Framing,
) -> Result<Rows, ServeError> {
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
    let row = move |index, picture: Picture| at(index, row(&picture, &input, framing, max_pixels));
    blocking.each(is_short, pictures, row).await
}

/// A picture as the model's input row.
fn row(
    picture: &Picture,
    input: &ImageInput,
    framing: Framing,
    max_pixels: u64,
) -> Result<Row, Violation> {
    let spec = input.spec;
    if let Picture::Raw(raw) = picture
        && framing == Framing::None
        && spec.channels == Channels::Grey
        && (raw.width as usize, raw.height as usize, raw.channels) == (spec.width, spec.height, 1)
        && raw.data.len() == spec.bytes()
        && input.is_plain()
    {
        // The model's input already: the bytes go from the wire to the batch in one copy.
        return Ok(std::iter::once(raw.data.clone()).collect());
    }
    let pixels = decode(picture, Wanted::by(spec, framing), max_pixels)?;
    let row = Bytes::from(input.row(pixels, framing));
    Ok(std::iter::once(row).collect())
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
        let row = row(&picture, &input, Framing::None, 1_000).unwrap();
        assert_eq!(row[0].as_ptr(), data.as_ptr());
    }
}
