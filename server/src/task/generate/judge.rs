//! The classifier that names the digits.

use std::sync::Arc;

use quintet_bundle::image::{Channels, Framing, ImageSpec, Pixels};

use super::Size;
use crate::call::Call;
use crate::error::ServeError;
use crate::model::Model;
use crate::runtime::{Row, Rows};
use crate::task::classify::{self, Classifier};

/// A classifier that knows exactly the ten digits.
#[derive(Debug)]
pub(super) struct Judge {
    /// The classifier.
    pub(super) model: Arc<Model>,
    pub(super) classifier: Arc<Classifier>,
    /// The digit of each of its outputs.
    pub(super) digits: [u8; 10],
}

impl Judge {
    /// The classifier that a request means: the one that it asks for by `name`. Without a name it
    /// is the default classifier, or the first ready one by name if that one does not know the ten
    /// digits.
    ///
    /// # Errors
    /// There is no such classifier, or it does not know the ten digits.
    pub(super) fn find(call: &Call, name: &str) -> Result<Self, ServeError> {
        let models = call.repository();
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
        match digits(&model.manifest.labels) {
            Some(digits) => Ok(Self {
                classifier: model.state()?,
                model,
                digits,
            }),
            None => Err(ServeError::NoDigits {
                model: model.name.to_string(),
                labels: model.manifest.labels.join(", "),
            }),
        }
    }
}

impl Judge {
    /// Generated pictures as the classifier's input: as they are, where it takes grey pixels of
    /// their size.
    pub(super) fn rows(&self, frames: &Rows, size: Size) -> Rows {
        let input = &self.classifier.input;
        let ImageSpec {
            width,
            height,
            channels,
            ..
        } = input.spec;
        let same = (width, height, channels) == (size.width, size.height, Channels::Grey);
        if same && input.is_plain() {
            return frames.clone();
        }
        let (width, height) = (size.width as u32, size.height as u32);
        let row = |frame: &Row| {
            let grey = Pixels::of((width, height), 1, &frame[0], channels);
            // The runtime has checked the size of each output row.
            grey.map(|pixels| input.row(pixels, Framing::None).into())
                .into_iter()
                .collect()
        };
        frames.iter().map(row).collect()
    }
}

/// The digit of each label, if they are exactly the ten digits.
fn digits(labels: &[String]) -> Option<[u8; 10]> {
    let digit = |label: &String| match label.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    };
    let digits: Vec<u8> = labels.iter().map(digit).collect::<Option<_>>()?;
    let digits: [u8; 10] = digits.try_into().ok()?;
    (0..10)
        .all(|digit| digits.contains(&digit))
        .then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_digits_in_any_order_or_none() {
        let labels = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(
            digits(&labels("0 1 2 3 4 5 6 7 8 9")),
            Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        );
        assert_eq!(
            digits(&labels("9 1 2 3 4 5 6 7 8 0")),
            Some([9, 1, 2, 3, 4, 5, 6, 7, 8, 0])
        );
        for other in [
            "0 1 2 3 4 5 6 7 8",
            "0 1 2 3 4 5 6 7 8 9 a",
            "0 1 2 3 4 5 6 7 8 8",
            "0 1 2 3 4 5 6 7 8 nine",
            "00 1 2 3 4 5 6 7 8 9",
        ] {
            assert_eq!(digits(&labels(other)), None, "{other}");
        }
    }
}
