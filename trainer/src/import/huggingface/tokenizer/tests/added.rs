//! Tokens that another file than `tokenizer.json` adds.

use super::*;
use crate::import::huggingface::added_tokens::ADDED_TOKENS;

#[test]
fn tokens_that_another_file_adds_are_refused() {
    let mut file = tokenizer();
    file["added_tokens"] = json!([pad("[PAD]", 0)]);
    let named = |content: &str, special: bool| {
        let token = json!({"content": content, "special": special});
        json!({"added_tokens_decoder": {"5": token}})
    };
    for (content, special) in [("[PAD]", false), ("[PAD]", true), ("[CLS]", true)] {
        read(&file, &named(content, special), "Bert").unwrap();
    }
    for (content, special) in [("film", false), ("[ENT]", true), ("bad", false)] {
        let error = read(&file, &named(content, special), "Bert").unwrap_err();
        let words = format!("tokenizer_config.json: adds the token `{content}` as 5, which");
        assert!(error.contains(&words), "{error}");
    }

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    write(TOKENIZER, file.clone());
    write(ADDED_TOKENS, json!({"[PAD]": 0}));
    import(folder.path(), &config("Bert")).unwrap();
    write(ADDED_TOKENS, json!({"[PAD]": 0, "film": 6}));
    let error = import(folder.path(), &config("Bert")).unwrap_err();
    let words = "added_tokens.json: adds the token `film` as 6, which";
    assert!(error.to_string().contains(words), "{error}");
    // It is not read with the key.
    write(TOKENIZER_CONFIG, json!({"added_tokens_decoder": {}}));
    import(folder.path(), &config("Bert")).unwrap();
}

/// A word that is read from texts before they are split.
fn word(content: &str, id: i64, normalized: bool) -> Value {
    json!({"id": id, "content": content, "special": false, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": normalized})
}

#[test]
fn both_files_must_say_the_same_of_a_token() {
    let mut file = tokenizer();
    file["added_tokens"] = json!([pad("[PAD]", 0), word("good", 4, false)]);
    let listed = |token: Value| json!({"added_tokens_decoder": {"0": pad("[PAD]", 0), "4": token}});
    read(&file, &listed(word("good", 4, false)), "Bert").unwrap();
    let error = read(&file, &listed(word("good", 4, true)), "Bert").unwrap_err();
    let words = "normalized of the token `good` is true; added_tokens of tokenizer.json has false";
    assert!(error.contains(words), "{error}");
    // Flags of special tokens change nothing, as they are not read from texts.
    let mut padding = pad("[PAD]", 0);
    padding["lstrip"] = true.into();
    let settings = json!({"added_tokens_decoder": {"0": padding, "4": word("good", 4, false)}});
    read(&file, &settings, "Bert").unwrap();
}

#[test]
fn a_class_that_is_made_anew_has_the_tokens_of_the_settings_alone() {
    let mut file = tokenizer();
    file["added_tokens"] = json!([pad("[PAD]", 0), word("good", 4, false)]);
    let settings = json!({"added_tokens_decoder": {"0": pad("[PAD]", 0)}});
    let error = read(&file, &settings, "Bert").unwrap_err();
    let words = "added_tokens_decoder lacks the token \"good\" of tokenizer.json";
    assert!(error.contains(words), "{error}");
    let mut generic = generic();
    generic["added_tokens_decoder"] = settings["added_tokens_decoder"].clone();
    read(&file, &generic, "Bert").unwrap();
    let old = config_with("Bert", &json!({"transformers_version": "4.57.3"}));
    read_for(&old, &file, &settings).unwrap();
}
