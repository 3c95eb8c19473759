//! What a class of tokenisers makes, compared with what `tokenizer.json` does.

use std::fmt::Display;

use serde_json::Value;

use super::added_tokens::number_of;
use super::classes::{Class, Kind, Version};
use super::config::Config;
use super::made::made;
use super::settings::{Settings, TOKENIZER_CONFIG};
use super::template::{joined, template};
use crate::import::added::Added;
use crate::progress;

/// How a tokeniser is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'s> {
    pub(super) class: &'s Class,
    pub(super) version: Version,
    pub(super) settings: &'s Settings,
    /// Whether the network gets the types of tokens.
    pub(super) has_types: bool,
}

impl<'s> Reading<'s> {
    /// By this version of `transformers`.
    pub(super) fn of(
        class: &'s Class,
        version: Version,
        settings: &'s Settings,
        config: &Config,
    ) -> Self {
        Self {
            class,
            version,
            settings,
            has_types: config.has_token_types() && class.gives_types(version, settings),
        }
    }

    /// Refuses a file whose settings are not those that the class makes.
    ///
    /// # Errors
    /// The first that differs, and what makes it so.
    pub(super) fn check(self, file: &Value) -> Result<(), String> {
        for made in made(file, self.class, self.version, self.settings) {
            let found = made.found(file);
            if found != made.value {
                return Err(self.refusal(made.path, found, &made.value, made.key));
            }
        }
        if self.class.rebuilds(self.version) {
            self.check_post_processor(file)?;
        }
        Ok(())
    }

    /// Whether the special tokens around texts are those of the settings.
    fn check_post_processor(self, file: &Value) -> Result<(), String> {
        let keys = ["cls_token", "sep_token"];
        let tokens = keys.map(|key| self.class.token(key, self.settings));
        let names = [&tokens[0], &tokens[1]].map(|token| token.as_str().unwrap_or_default());
        let made = joined(names, self.class.kind == Kind::Roberta);
        let made = template(&made, self.has_types).unwrap_or_default();
        let post_processor = &file["post_processor"];
        let found = template(post_processor, self.has_types);
        let found = found.unwrap_or_else(|| post_processor["type"].to_string());
        if found != made {
            let said = |key: &&str| self.settings.said(key).is_some();
            let key = keys.into_iter().find(said);
            return Err(self.refusal("post_processor", found, &made, key));
        }
        for (name, found) in Added::of(file).tokens {
            let made = match self.class.kind {
                Kind::Herbert if name == names[0] => Some(0),
                Kind::Herbert => Some(2),
                _ => number_of(file, name),
            };
            if made != Some(found) {
                let made = made.map_or("none".to_owned(), |made| made.to_string());
                let path = format!("post_processor: the number of `{name}`");
                return Err(self.refusal(&path, found, &made, None));
            }
        }
        Ok(())
    }

    /// Says where the other version would answer otherwise.
    pub(super) fn note_difference(self, other: Self, saved: Option<Version>, file: &Value) {
        let why = match saved {
            Some(_) => "which saved the checkpoint",
            None => "as no file has transformers_version",
        };
        let number = self.version.number();
        let why = format!("as transformers {number} does, {why}");
        let number = other.version.number();
        if let Err(problem) = other.check(file) {
            progress::line(&format!(
                "note: texts are read {why}; {number} does otherwise: {problem}"
            ));
        }
        let is_typed = || Added::of(file).types.iter().any(|it| *it != 0);
        if self.has_types != other.has_types && is_typed() {
            let gets = if self.has_types {
                "gets"
            } else {
                "does not get"
            };
            progress::line(&format!(
                "note: the network {gets} the types of two texts, {why}; {number} does otherwise, \
                 as {TOKENIZER_CONFIG} has no model_input_names"
            ));
        }
    }

    fn refusal(
        self,
        path: &str,
        found: impl Display,
        made: &impl Display,
        key: Option<&str>,
    ) -> String {
        let (name, number) = (self.class.name, self.version.number());
        let cause = match key.map(|key| (key, self.settings.said(key))) {
            None => "whatever the files say".to_owned(),
            Some((key, Some((_, file)))) => format!("of {key} in {file}"),
            Some((key, None)) => format!("where {TOKENIZER_CONFIG} has no {key}"),
        };
        let generic = match self.class.kind {
            Kind::Generic => "",
            _ => "; tokenizer_class PreTrainedTokenizerFast takes the file as it is",
        };
        format!(
            "{path} is {found}; tokenizer_class {name} of transformers {number} makes {made} \
             {cause}{generic}"
        )
    }
}
