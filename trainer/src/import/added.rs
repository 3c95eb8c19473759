//! What the file of a tokeniser adds to texts by itself, and whether it reads a text the same each
//! time.

use serde_json::{Value, json};

/// The special tokens and the types of a `tokenizer.json`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added<'f> {
    /// The special tokens that its post-processor adds, and their numbers.
    pub tokens: Vec<(&'f str, i64)>,
    /// The types that it gives.
    pub types: Vec<i64>,
}

impl<'f> Added<'f> {
    /// Of a whole file.
    pub(super) fn of(file: &'f Value) -> Self {
        let mut added = Self::default();
        added.read(&file["post_processor"]);
        added
    }

    fn read(&mut self, value: &'f Value) {
        match value {
            Value::Array(parts) => parts.iter().for_each(|it| self.read(it)),
            Value::Object(object) => {
                if object.get("type").is_some_and(|it| it == "BertProcessing") {
                    self.types.extend([0, 1]);
                }
                for (key, value) in object {
                    match (key.as_str(), value) {
                        ("type_id", type_id) => self.types.extend(type_id.as_i64()),
                        ("special_tokens", Value::Object(tokens)) => {
                            for (name, token) in tokens {
                                let numbers = token["ids"].as_array().into_iter().flatten();
                                let numbers = numbers.filter_map(Value::as_i64);
                                self.tokens.extend(numbers.map(|it| (name.as_str(), it)));
                            }
                        }
                        ("sep" | "cls", pair) => {
                            let token = pair[0].as_str().zip(pair[1].as_i64());
                            self.tokens.extend(token);
                        }
                        (_, value) => self.read(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Checks that all special tokens are below `tokens`, which `holder` explains.
    ///
    /// # Errors
    /// The first that is not, and what is allowed.
    pub(super) fn check_tokens(&self, tokens: i64, holder: &str) -> Result<(), String> {
        let is_unknown = |(_, number): &&(&str, i64)| !(0..tokens).contains(number);
        let Some((name, number)) = self.tokens.iter().find(is_unknown) else {
            return Ok(());
        };
        let last = tokens - 1;
        Err(format!(
            "post_processor: adds the token `{name}` as {number}; 0 to {last} are allowed, as \
             {holder}"
        ))
    }

    /// Checks that the network has all types.
    ///
    /// # Errors
    /// The first that it has not, and what is allowed.
    pub(super) fn check_types(&self, types: i64) -> Result<(), String> {
        let found = self.types.iter().find(|it| !(0..types).contains(*it));
        found.map_or(Ok(()), |found| {
            let last = types - 1;
            Err(format!(
                "post_processor: has type_id {found}; 0 to {last} are allowed, as the network has \
                 {types} types of tokens"
            ))
        })
    }
}

/// Refuses the dropout of byte pair encoding: a text would be read otherwise each time.
pub(super) fn check_dropout(file: &Value) -> Result<(), String> {
    match file["model"]["dropout"].as_f64() {
        Some(dropout) if dropout > 0.0 => Err(format!(
            "model.dropout: is {dropout}, with which the same text gives other tokens each time; \
             null is allowed"
        )),
        _ => Ok(()),
    }
}

/// Sets each type of a post-processor to 0.
pub(super) fn clear_types(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("type").is_some_and(|it| it == "BertProcessing") {
                *value = template(&value["cls"], &value["sep"]);
                return;
            }
            for (key, value) in object {
                match key.as_str() {
                    "type_id" => *value = 0.into(),
                    _ => clear_types(value),
                }
            }
        }
        Value::Array(array) => array.iter_mut().for_each(clear_types),
        _ => {}
    }
}

/// What `BertProcessing` of these tokens does, but for its types.
fn template(cls: &Value, sep: &Value) -> Value {
    let token = |of: &Value| json!({"SpecialToken": {"id": of[0], "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let single = [token(cls), text("A"), token(sep)];
    let pair = [&single[..], &[text("B"), token(sep)]].concat();
    let number = |of: &Value| json!({"id": of[0], "ids": [of[1]], "tokens": [of[0]]});
    let mut tokens = serde_json::Map::new();
    for of in [cls, sep] {
        tokens.insert(of[0].as_str().unwrap_or_default().to_owned(), number(of));
    }
    json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bert() -> Value {
        json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
    }

    #[test]
    fn tokens_and_types_are_found_in_every_kind_of_post_processor() {
        let file = json!({"post_processor": bert()});
        let added = Added::of(&file);
        assert_eq!(added.tokens, [("[CLS]", 2), ("[SEP]", 3)]);
        assert_eq!(added.types, [0, 1]);

        let processors = json!([template(&json!(["[CLS]", 2]), &json!(["[SEP]", 3]))]);
        let file = json!({"post_processor": {"type": "Sequence", "processors": processors}});
        let added = Added::of(&file);
        assert_eq!(added.tokens, [("[CLS]", 2), ("[SEP]", 3)]);
        assert_eq!(added.types, [0; 8]);
        assert_eq!(Added::of(&json!({})), Added::default());

        added.check_tokens(4, "it has 4").unwrap();
        let error = added.check_tokens(3, "it has 3").unwrap_err();
        assert!(
            error.contains("adds the token `[SEP]` as 3; 0 to 2 are allowed"),
            "{error}"
        );
    }

    #[test]
    fn types_are_cleared_in_every_kind_of_post_processor() {
        let mut file = json!({"post_processor": {"type": "Sequence", "processors": [bert()]}});
        clear_types(&mut file["post_processor"]);
        let added = Added::of(&file);
        assert_eq!(added.tokens, [("[CLS]", 2), ("[SEP]", 3)]);
        added.check_types(1).unwrap();
        let file = json!({"post_processor": bert()});
        let error = Added::of(&file).check_types(1).unwrap_err();
        assert!(
            error.contains("has type_id 1; 0 to 0 are allowed"),
            "{error}"
        );
    }

    #[test]
    fn dropout_is_refused() {
        for allowed in [json!({}), json!({"dropout": null}), json!({"dropout": 0.0})] {
            check_dropout(&json!({"model": allowed})).unwrap();
        }
        let error = check_dropout(&json!({"model": {"dropout": 0.1}})).unwrap_err();
        assert!(error.starts_with("model.dropout: is 0.1"), "{error}");
    }
}
