//! The values that a recipe may have.

use std::fmt;

use toml::Value;

use super::Recipe;
use crate::error::Error;
use crate::models::Architecture;

/// Key, least and greatest value, and whether the value must be above the least one.
type Range = (&'static str, f64, f64, bool);

/// The tables and keys that not every network has.
const TABLES: [&str; 12] = [
    "precision",
    "loss",
    "augmentation",
    "outliers",
    "tokenizer",
    "crop",
    "sentences",
    "sequence_dropout",
    "embedding",
    "encoder",
    "distillation",
    "adversarial",
];

const RANGES: &[Range] = &[
    ("epochs", 1.0, 1e4, false),
    ("parts", 1.0, 1e3, false),
    ("batch_size", 1.0, 6e4, false),
    ("max_batch_size", 1.0, 65_536.0, false),
    ("optimizer.learning_rate", 0.0, 1.0, true),
    ("optimizer.weight_decay", 0.0, 1.0, false),
    ("optimizer.clip_norm", 0.0, 1e9, true),
    ("optimizer.beta1", 0.0, 0.999, false),
    ("schedule.warmup_fraction", 0.0, 1.0, false),
    ("schedule.final_fraction", 0.0, 1.0, false),
    ("loss.label_smoothing", 0.0, 0.9, false),
    ("averaging.decay", 0.0, 0.999_99, false),
    ("augmentation.rotation_degrees", 0.0, 180.0, false),
    ("augmentation.scale", 0.0, 0.9, false),
    ("augmentation.shear_degrees", 0.0, 80.0, false),
    ("augmentation.shift_pixels", 0.0, 28.0, false),
    ("augmentation.elastic_pixels", 0.0, 28.0, false),
    ("augmentation.crop_pixels", 0.0, 28.0, false),
    ("augmentation.flip", 0.0, 1.0, false),
    ("augmentation.erasing", 0.0, 1.0, false),
    ("augmentation.erased_part", 0.0, 1.0, false),
    ("augmentation.undeformed_part", 0.0, 1.0, false),
    ("outliers.part", 0.0, 10.0, false),
    ("outliers.drawn_digits", 0.0, 10.0, false),
    ("outliers.unreadable", 0.0, 0.5, true),
    ("tokenizer.vocabulary_size", 4.0, 1e6, false),
    ("tokenizer.max_tokens", 1.0, 65_536.0, false),
    ("crop.chance", 0.0, 1.0, false),
    ("sentences.repeat", 1.0, 100.0, false),
    ("sequence_dropout.words", 0.0, 0.9, false),
    ("sequence_dropout.features", 0.0, 0.9, false),
    ("sequence_dropout.state", 0.0, 0.9, false),
    ("embedding.naive_bayes", 0.0, 10.0, false),
    ("distillation.part", 0.0, 1.0, false),
    ("distillation.whole_from_tokens", 1.0, 65_536.0, false),
    ("distillation.sentences", 0.0, 1e6, false),
    ("distillation.negations", 0.0, 1e6, false),
    ("encoder.hidden", 1.0, 4096.0, false),
    ("encoder.layers", 1.0, 48.0, false),
    ("encoder.heads", 1.0, 64.0, false),
    ("encoder.intermediate", 1.0, 16_384.0, false),
    ("adversarial.label_smoothing", 0.0, 0.9, false),
    ("adversarial.gradient_penalty", 0.0, 1e3, false),
    ("adversarial.learning_rate_ratio", 0.0, 1e3, false),
    ("adversarial.top_part", 0.0, 1.0, true),
    ("adversarial.typical_part", 0.0, 1.0, true),
    ("adversarial.tuning.part", 0.0, 1.0, true),
    ("adversarial.tuning.learning_rate", 0.0, 1.0, true),
    ("adversarial.tuning.typical_part", 0.0, 1.0, true),
    (
        "adversarial.tuning.feature_matching.classifiers",
        1.0,
        32.0,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.epochs",
        1.0,
        1e3,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.outliers",
        0.0,
        10.0,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.drawn_digits",
        0.0,
        10.0,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.weights.epochs",
        1.0,
        1e4,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.weights.distance",
        0.0,
        1e3,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.weights.entropy",
        0.0,
        1e3,
        false,
    ),
    (
        "adversarial.tuning.feature_matching.weights.shares",
        0.0,
        1e3,
        false,
    ),
];

impl Recipe {
    /// Checks every value against what is allowed for `architecture`.
    pub fn validate(&self, architecture: &Architecture) -> Result<(), Error> {
        // TOML has no larger integers.
        if i64::try_from(self.seed).is_err() {
            return Err(refused("seed", self.seed, "0 to 9223372036854775807"));
        }
        let values = Value::try_from(self).expect("a recipe is tables of plain values");
        for table in TABLES {
            if values.get(table).is_some() && !architecture.tables.contains(&table) {
                let allowed = format!("no such table for {architecture}");
                return Err(refused(table, "there", &allowed));
            }
        }
        for &(field, least, greatest, is_above) in RANGES {
            for number in numbers(&values, field) {
                // NaN is in no range.
                let is_in_range = (least..=greatest).contains(&number);
                if is_in_range && !(is_above && number <= least) {
                    continue;
                }
                let allowed = if is_above {
                    format!("above {least}, up to {greatest}")
                } else {
                    format!("{least} to {greatest}")
                };
                return Err(refused(field, number, &allowed));
            }
        }
        let tuning = self.adversarial.as_ref().and_then(|it| it.tuning.as_ref());
        let matching = tuning.and_then(|it| it.feature_matching.as_ref());
        if matching.is_some_and(|it| it.weights.is_empty()) {
            let field = "adversarial.tuning.feature_matching.weights";
            return Err(refused(field, "empty", "one table or more"));
        }
        if let Some(it) = self.encoder.filter(|it| it.hidden % it.heads != 0) {
            let allowed = format!("a multiple of the {} heads", it.heads);
            return Err(refused("encoder.hidden", it.hidden, &allowed));
        }
        let fraction = self.validation_fraction;
        let (is_allowed, allowed) = if architecture.task.holds_out_samples() {
            let is_part = fraction > 0.0 && fraction < 1.0;
            (is_part, "above 0, below 1".to_owned())
        } else {
            (fraction.abs() <= 0.0, format!("0 for {architecture}"))
        };
        if is_allowed {
            return Ok(());
        }
        Err(refused("validation_fraction", fraction, &allowed))
    }
}

/// The numbers of this name, such as `optimizer.beta1`: of an array of tables, one of each.
fn numbers(value: &Value, name: &str) -> Vec<f64> {
    if let Some(tables) = value.as_array() {
        return tables.iter().flat_map(|it| numbers(it, name)).collect();
    }
    if let Some((table, name)) = name.split_once('.') {
        return value
            .get(table)
            .map_or_else(Vec::new, |it| numbers(it, name));
    }
    let number = value.get(name);
    let number = number.and_then(|it| it.as_float().or(it.as_integer().map(|it| it as f64)));
    number.into_iter().collect()
}

fn refused(field: &str, value: impl fmt::Display, allowed: &str) -> Error {
    Error::value(&format!("recipe: {field}"), value, allowed)
}
