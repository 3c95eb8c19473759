//! The values that a recipe may have.

use std::fmt;

use super::{Adversarial, Recipe, RecipeError};
use crate::data::text::TokenizerSettings;
use crate::models::Architecture;

impl Recipe {
    /// Checks every value against what is allowed for `architecture`.
    pub fn validate(&self, architecture: &Architecture) -> Result<(), RecipeError> {
        let (epochs, batch_size) = (self.epochs as usize, self.batch_size);
        let TokenizerSettings {
            vocabulary_size,
            max_tokens,
        } = self.tokenizer();
        for (field, value, range) in [
            ("epochs", epochs, 1..=10_000),
            ("batch_size", batch_size, 1..=60_000),
            ("tokenizer.vocabulary_size", vocabulary_size, 4..=1_000_000),
            ("tokenizer.max_tokens", max_tokens, 1..=65_536),
        ] {
            let allowed = format!("{} to {}", range.start(), range.end());
            check(field, value, range.contains(&value), &allowed)?;
        }
        // TOML has no larger integers.
        let fits = i64::try_from(self.seed).is_ok();
        check("seed", self.seed, fits, "0 to 9223372036854775807")?;
        let fraction = self.validation_fraction;
        let (fits, allowed) = if architecture.task.holds_out_samples() {
            (
                fraction > 0.0 && fraction < 1.0,
                "above 0, below 1".to_owned(),
            )
        } else {
            (fraction.abs() <= 0.0, format!("0 for {architecture}"))
        };
        check("validation_fraction", fraction, fits, &allowed)?;
        if let Some(norm) = self.optimizer.clip_norm {
            let is_norm = norm > 0.0 && norm.is_finite();
            check("optimizer.clip_norm", norm, is_norm, "above 0")?;
        }
        let mut parts = vec![("optimizer.learning_rate", self.optimizer.learning_rate)];
        parts.extend(self.adversarial.iter().flat_map(Adversarial::parts));
        for (field, part) in parts {
            let is_part = part > 0.0 && part <= 1.0;
            check(field, part, is_part, "above 0, up to 1")?;
        }
        for (table, is_there) in [
            ("loss", self.loss.is_some()),
            ("augmentation", self.augmentation.is_some()),
            ("tokenizer", self.tokenizer.is_some()),
            ("crop", self.crop.is_some()),
            ("sequence_dropout", self.sequence_dropout.is_some()),
            ("embedding", self.embedding.is_some()),
            ("adversarial", self.adversarial.is_some()),
        ] {
            let is_allowed = !is_there || architecture.tables.contains(&table);
            let allowed = format!("no such table for {architecture}");
            check(table, "there", is_allowed, &allowed)?;
        }
        for (field, value, largest) in self.limits() {
            // NaN is in no range.
            let is_allowed = (0.0..=largest).contains(&value);
            check(field, value, is_allowed, &format!("0 to {largest}"))?;
        }
        Ok(())
    }

    // Key, value and largest value; the smallest is 0.
    fn limits(&self) -> Vec<(&'static str, f64, f64)> {
        let mut limits = vec![
            ("optimizer.weight_decay", self.optimizer.weight_decay, 1.0),
            ("optimizer.beta1", self.optimizer.beta1, 0.999),
        ];
        if let Some(it) = &self.schedule {
            limits.push(("schedule.warmup_fraction", it.warmup_fraction, 1.0));
            limits.push(("schedule.final_fraction", it.final_fraction, 1.0));
        }
        if let Some(it) = &self.loss {
            limits.push(("loss.label_smoothing", it.label_smoothing, 0.9));
        }
        if let Some(it) = &self.averaging {
            limits.push(("averaging.decay", it.decay, 0.999_99));
        }
        if let Some(it) = &self.augmentation {
            limits.push(("augmentation.rotation_degrees", it.rotation_degrees, 180.0));
            limits.push(("augmentation.scale", it.scale, 0.9));
            limits.push(("augmentation.shear_degrees", it.shear_degrees, 80.0));
            limits.push(("augmentation.shift_pixels", it.shift_pixels, 28.0));
            limits.push(("augmentation.elastic_pixels", it.elastic_pixels, 28.0));
        }
        if let Some(it) = &self.crop {
            limits.push(("crop.chance", it.chance, 1.0));
        }
        if let Some(it) = &self.sequence_dropout {
            limits.push(("sequence_dropout.words", it.words, 0.9));
            limits.push(("sequence_dropout.features", it.features, 0.9));
            limits.push(("sequence_dropout.state", it.state, 0.9));
        }
        if let Some(it) = &self.embedding {
            limits.push(("embedding.naive_bayes", it.naive_bayes, 10.0));
        }
        limits.extend(self.adversarial.iter().flat_map(Adversarial::limits));
        limits
    }
}

fn check(
    field: &'static str,
    value: impl fmt::Display + Copy,
    is_allowed: bool,
    allowed: &str,
) -> Result<(), RecipeError> {
    if is_allowed {
        return Ok(());
    }
    Err(RecipeError::Value {
        field,
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}
