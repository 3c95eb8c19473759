//! What a caller wants drawn, checked.

use std::fmt;

use quintet_proto::v1;

use super::Limits;
use crate::error::{ServeError, Violation};

/// The least confidence in a digit that was asked for, if the caller does not say.
const USUAL_CONFIDENCE: f32 = 0.9;

/// How the images are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In one answer.
    Whole,
    /// Some a message.
    Stream,
}

/// A request that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// How many images; at least one.
    pub(super) count: u64,
    /// Decides every image; `None`: any will do.
    pub(super) seed: Option<u64>,
    /// Which are wanted.
    pub(super) filter: Filter,
    /// The most candidates to draw.
    pub(super) limit: u64,
    /// How a picture is written.
    pub(super) format: v1::ImageFormat,
    /// Whether all images come on one sheet, rather than each as a picture.
    pub(super) is_sheet: bool,
}

/// Which candidates are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filter {
    digit: Option<u32>,
    /// In `[0, 1]`.
    min_confidence: f32,
}

impl Plan {
    /// The plan of a request.
    ///
    /// # Errors
    /// All that is wrong, by field.
    pub(super) fn new(
        request: &v1::GenerateDigitsRequest,
        delivery: Delivery,
        limits: Limits,
    ) -> Result<Self, ServeError> {
        let mut violations = Vec::new();
        let mut refuse = |field: &str, description: String| {
            violations.push(Violation::new(field, description));
        };
        let (format, layout) = (request.format(), request.layout());
        let is_format = v1::ImageFormat::try_from(request.format).is_ok();
        let is_layout = v1::Layout::try_from(request.layout).is_ok();
        let formats = "IMAGE_FORMAT_PNG (1) and IMAGE_FORMAT_RAW (2)";
        let layouts = "LAYOUT_SEPARATE (1) and LAYOUT_GRID (2)";
        for (field, value, is_known, allowed) in [
            ("format", request.format, is_format, formats),
            ("layout", request.layout, is_layout, layouts),
        ] {
            if !is_known {
                refuse(field, format!("is {value}; {allowed} are allowed"));
            }
        }
        let count = request.count;
        let (limit, option) = match delivery {
            Delivery::Whole => (
                limits.max_images_per_generation,
                "max_images_per_generation",
            ),
            Delivery::Stream => (
                limits.max_images_per_generation_stream,
                "max_images_per_generation_stream",
            ),
        };
        if !(1..=limit).contains(&(count as usize)) {
            let description = format!("is {count}; 1 to {limit} are allowed ({option})");
            refuse("count", description);
        }
        if let Some(digit) = request.digit.filter(|digit| *digit > 9) {
            refuse("digit", format!("is {digit}; 0 to 9 are allowed"));
        }
        // NaN is in no range.
        let confidence = request.min_confidence;
        if let Some(confidence) = confidence.filter(|it| !(0.0..=1.0).contains(it)) {
            let description = format!("is {confidence}; 0 to 1 are allowed");
            refuse("min_confidence", description);
        }
        if (delivery, layout) == (Delivery::Stream, v1::Layout::Grid) {
            let description =
                "is LAYOUT_GRID (2); a stream has no sheet, LAYOUT_SEPARATE (1) is allowed";
            refuse("layout", description.to_owned());
        }
        ServeError::check(violations)?;
        let count = u64::from(count);
        let usual = request.digit.map_or(0.0, |_| USUAL_CONFIDENCE);
        Ok(Self {
            count,
            seed: request.seed,
            filter: Filter {
                digit: request.digit,
                min_confidence: confidence.unwrap_or(usual),
            },
            limit: count.saturating_mul(limits.max_candidates_per_image as u64),
            format,
            is_sheet: layout == v1::Layout::Grid,
        })
    }
}

impl Filter {
    /// Whether an image that the classifier gives this digit and confidence is wanted.
    pub(super) fn keeps(self, (digit, confidence): (u32, f32)) -> bool {
        self.digit.is_none_or(|wanted| wanted == digit) && confidence >= self.min_confidence
    }

    /// Whether a confidence above 0 is asked for.
    pub(super) fn asks_for_confidence(self) -> bool {
        self.min_confidence > 0.0
    }

    /// The share of candidates that it is expected to keep. `by_copies`: of those that the
    /// classifier is sure of, copies are judged, too.
    pub(super) fn usual_share(self, by_copies: bool) -> f64 {
        let of_sure = match (self.asks_for_confidence(), by_copies) {
            (false, _) => 1.0,
            (true, false) => 0.9,
            (true, true) => 0.6,
        };
        self.digit.map_or(of_sure, |_| 0.1 * of_sure)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.digit {
            Some(digit) => write!(f, "a {digit}")?,
            None => f.write_str("any digit")?,
        }
        write!(f, " with a confidence of at least {}", self.min_confidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_images_per_generation: 8,
        max_images_per_generation_stream: 20,
        max_candidates_per_image: 16,
    };

    fn asked() -> v1::GenerateDigitsRequest {
        v1::GenerateDigitsRequest {
            count: 4,
            ..Default::default()
        }
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let plan = |request: v1::GenerateDigitsRequest| {
            Plan::new(&request, Delivery::Whole, LIMITS).unwrap()
        };
        let open = plan(asked());
        assert_eq!((open.count, open.limit), (4, 64));
        assert!(open.filter.keeps((3, 0.0)));
        for (digit, min_confidence, least) in [
            (Some(7), None, 0.9),
            (Some(7), Some(0.0), 0.0),
            (None, Some(0.5), 0.5),
        ] {
            let filter = plan(v1::GenerateDigitsRequest {
                digit,
                min_confidence,
                ..asked()
            })
            .filter;
            assert!(filter.keeps((7, least)), "{filter}");
            assert!(!filter.keeps((7, least - 0.01)), "{filter}");
            assert_eq!(filter.keeps((6, 1.0)), digit.is_none(), "{filter}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let wrong = v1::GenerateDigitsRequest {
            count: 21,
            digit: Some(10),
            min_confidence: Some(f32::NAN),
            layout: v1::Layout::Grid.into(),
            ..asked()
        };
        let fields = |delivery| -> Vec<String> {
            match Plan::new(&wrong, delivery, LIMITS) {
                Err(ServeError::InvalidArgument { violations }) => {
                    violations.into_iter().map(|it| it.field).collect()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            fields(Delivery::Stream),
            ["count", "digit", "min_confidence", "layout"]
        );
        assert_eq!(
            fields(Delivery::Whole),
            ["count", "digit", "min_confidence"]
        );
    }

    #[test]
    fn each_delivery_has_its_own_bound() {
        for (count, whole, stream) in [(0, false, false), (8, true, true), (9, false, true)] {
            let request = v1::GenerateDigitsRequest { count, ..asked() };
            for (delivery, allowed) in [(Delivery::Whole, whole), (Delivery::Stream, stream)] {
                let outcome = Plan::new(&request, delivery, LIMITS);
                assert_eq!(outcome.is_ok(), allowed, "{count} {delivery:?}");
            }
        }
    }
}
