//! The classifier that names the digits.

use std::sync::Arc;

use quintet_bundle::image::{Channels, Framing, ImageInput, Pixels};

use crate::blocking::Lane;
use crate::call::Call;
use crate::clip::clip;
use crate::error::ServeError;
use crate::model::Model;
use crate::repository::Repository;
use crate::runtime::{Row, Rows};
use crate::task::classify::{self, Classifier};
use crate::task::picture::INLINE_PIXELS;

/// A classifier that knows exactly the ten digits.
#[derive(Debug)]
pub(super) struct Judge {
    /// The classifier.
    pub(super) model: Arc<Model>,
    pub(super) classifier: Arc<Classifier>,
    /// The digit of each of its outputs.
    pub(super) digits: [u32; 10],
}

impl Judge {
    /// The classifier that a request means: the one that it asks for by `name`. Without a name it
    /// is the default classifier, or the first ready one by name if that one does not know the ten
    /// digits.
    ///
    /// # Errors
    /// There is no such classifier, it does not know the ten digits, or the caller may not use it.
    pub(super) fn find(call: &Call, name: &str) -> Result<Self, ServeError> {
        let judge = Self::choose(call.repository(), name)?;
        call.check_model(&judge.model.name)?;
        Ok(judge)
    }

    fn choose(models: &Repository, name: &str) -> Result<Self, ServeError> {
        let judge = Self::of(models.resolve(classify::NAME, name, "")?);
        if !name.is_empty() {
            return judge;
        }
        judge.or_else(|refusal| {
            let mut others = models.ready_for(classify::NAME);
            others.find_map(|model| Self::of(model).ok()).ok_or(refusal)
        })
    }

    fn of(model: Arc<Model>) -> Result<Self, ServeError> {
        match classify::digits(&model.manifest.labels) {
            Some(digits) => Ok(Self {
                classifier: model.state()?,
                model,
                digits,
            }),
            None => Err(ServeError::NoDigits {
                model: model.name.to_string(),
                labels: clip(&model.manifest.labels.join(", ")).into_owned(),
            }),
        }
    }
}

/// Grey pictures of one size (width, height) as a classifier's input: as they are, where it takes
/// such, else made to fit, many on a blocking thread.
pub(super) async fn rows(
    blocking: Lane<'_>,
    input: ImageInput,
    frames: &Rows,
    [width, height]: [usize; 2],
) -> Result<Rows, ServeError> {
    let spec = input.spec;
    let same = (spec.width, spec.height, spec.channels) == (width, height, Channels::Grey);
    if same && input.is_plain() {
        return Ok(frames.clone());
    }
    let pixels = frames.len() * (width * height).max(spec.width * spec.height);
    let size = (width as u32, height as u32);
    let row = move |_, frame: Row| {
        let grey = Pixels::of(size, 1, &frame[0], spec.channels);
        // The runtime has checked the size of each output row.
        let row = grey.map(|pixels| input.row(pixels, Framing::None).into());
        Ok(row.into_iter().collect())
    };
    let is_short = pixels as u64 <= INLINE_PIXELS;
    blocking.each(is_short, frames.to_vec(), row).await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use quintet_bundle::Manifest;

    use super::*;

    #[tokio::test]
    async fn many_pixels_leave_the_io_thread() {
        let manifest = include_str!("../../../../bundle/tests/data/manifest_v2.toml");
        let input = ImageInput::of(&Manifest::from_toml(manifest).unwrap()).unwrap();
        // The only blocking thread is taken.
        let blocking = crate::blocking::Blocking::new(0);
        let lane = blocking.lane("cnn");
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let mut taken = std::pin::pin!(lane.run(move |_| Ok(ended.recv().is_ok())));
        assert!(taken.as_mut().now_or_never().is_none());
        let ready = |side: usize| {
            let frame = std::iter::once(Bytes::from(vec![9; side * side]));
            let frames: Rows = std::iter::once(frame.collect()).collect();
            let rows = rows(lane, input, &frames, [side, side]).now_or_never();
            rows.map(|rows| rows.unwrap()[0][0].len())
        };
        assert_eq!(ready(28), Some(28 * 28));
        assert_eq!(ready(100), Some(28 * 28));
        assert_eq!(ready(500), None);
        drop(end);
    }
}
