//! What a caller wants drawn: unchecked and checked.

use std::fmt;

use super::Limits;
use super::finish::{Form, Layout};
use crate::error::Violation;

/// The least confidence in a digit that was asked for, if the caller does not say.
const USUAL_CONFIDENCE: f32 = 0.9;

/// What a caller wants drawn, unchecked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    /// How many images.
    pub(super) count: u32,
    /// Decides every image; `None`: any will do.
    pub(super) seed: Option<u64>,
    /// Only images of this digit.
    pub(super) digit: Option<u32>,
    /// How sure the classifier must be.
    pub(super) min_confidence: Option<f32>,
    /// How the images come.
    pub(super) form: Form,
}

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
    /// How the images come.
    pub(super) form: Form,
}

/// Which candidates are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filter {
    digit: Option<u8>,
    /// In `[0, 1]`.
    min_confidence: f32,
}

// === impl Wish ===

impl Wish {
    /// Checks every field.
    ///
    /// # Errors
    /// All that is wrong, by field.
    pub(super) fn check(self, delivery: Delivery, limits: Limits) -> Result<Plan, Vec<Violation>> {
        let mut violations = Vec::new();
        let mut refuse = |field: &str, description: String| {
            violations.push(Violation::new(field, description));
        };
        let (count, confidence) = (self.count, self.min_confidence);
        let (limit, option) = match delivery {
            Delivery::Whole => (limits.max_images, "max_images_per_generation"),
            Delivery::Stream => (
                limits.max_images_per_stream,
                "max_images_per_generation_stream",
            ),
        };
        if !(1..=limit).contains(&(count as usize)) {
            refuse(
                "count",
                format!("is {count}; 1 to {limit} are allowed ({option})"),
            );
        }
        if let Some(digit) = self.digit.filter(|digit| *digit > 9) {
            refuse("digit", format!("is {digit}; 0 to 9 are allowed"));
        }
        // Not a number is in no range.
        if let Some(confidence) = confidence.filter(|it| !(0.0..=1.0).contains(it)) {
            let description = format!("is {confidence}; 0 to 1 are allowed");
            refuse("min_confidence", description);
        }
        if (delivery, self.form.layout) == (Delivery::Stream, Layout::Grid) {
            let description =
                "is LAYOUT_GRID (2); a stream has no sheet, LAYOUT_SEPARATE (1) is allowed";
            refuse("layout", description.to_owned());
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let filter = Filter {
            digit: self.digit.map(|digit| digit as u8),
            min_confidence: match (confidence, self.digit) {
                (Some(confidence), _) => confidence,
                (None, Some(_)) => USUAL_CONFIDENCE,
                (None, None) => 0.0,
            },
        };
        let count = u64::from(count);
        Ok(Plan {
            count,
            seed: self.seed,
            filter,
            limit: count.saturating_mul(limits.max_candidates_per_image as u64),
            form: self.form,
        })
    }
}

// === impl Filter ===

impl Filter {
    /// Whether an image of this digit, with this confidence, is wanted.
    pub(super) fn keeps(self, digit: u8, confidence: f32) -> bool {
        self.digit.is_none_or(|wanted| wanted == digit) && confidence >= self.min_confidence
    }

    /// The share of candidates that it is expected to keep.
    pub(super) fn usual_share(self) -> f64 {
        match self.digit {
            Some(_) => 0.1,
            None if self.min_confidence > 0.0 => 0.9,
            None => 1.0,
        }
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
    use crate::encode::Format;

    const LIMITS: Limits = Limits {
        max_images: 8,
        max_images_per_stream: 20,
        max_candidates_per_image: 16,
    };

    fn asked() -> Wish {
        Wish {
            count: 4,
            seed: None,
            digit: None,
            min_confidence: None,
            form: Form {
                format: Format::Png,
                layout: Layout::Separate,
            },
        }
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let plan = |request: Wish| request.check(Delivery::Whole, LIMITS).unwrap();
        let open = plan(asked());
        assert_eq!((open.count, open.limit), (4, 64));
        assert!(open.filter.keeps(3, 0.0));
        for (digit, min_confidence, least) in [
            (Some(7), None, 0.9),
            (Some(7), Some(0.0), 0.0),
            (None, Some(0.5), 0.5),
        ] {
            let filter = plan(Wish {
                digit,
                min_confidence,
                ..asked()
            })
            .filter;
            assert!(filter.keeps(7, least), "{filter}");
            assert!(!filter.keeps(7, least - 0.01), "{filter}");
            assert_eq!(filter.keeps(6, 1.0), digit.is_none(), "{filter}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let wrong = Wish {
            count: 21,
            digit: Some(10),
            min_confidence: Some(f32::NAN),
            form: Form {
                format: Format::Png,
                layout: Layout::Grid,
            },
            ..asked()
        };
        let fields = |delivery| -> Vec<String> {
            let violations = wrong.clone().check(delivery, LIMITS).unwrap_err();
            violations.into_iter().map(|it| it.field).collect()
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
            let request = Wish { count, ..asked() };
            for (delivery, allowed) in [(Delivery::Whole, whole), (Delivery::Stream, stream)] {
                let outcome = request.clone().check(delivery, LIMITS);
                assert_eq!(outcome.is_ok(), allowed, "{count} {delivery:?}");
            }
        }
    }
}
