//! Padding that texts may have.

use super::*;

/// A special token.
pub(super) fn pad(content: &str, id: i64) -> Value {
    json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false})
}

/// RoBERTa with this padding, named by its number and its content.
fn read_padded(file: &Value, number: i64, content: &str) -> Result<Imported, String> {
    let config = config_with("Roberta", &json!({"pad_token_id": number}));
    let mut file = file.clone();
    clear_types(&mut file["post_processor"]);
    let settings = json!({"pad_token": content, "tokenizer_class": "TokenizersBackend"});
    read_for(&config, &file, &settings)
}

#[test]
fn a_padding_that_texts_have_is_refused_of_roberta() {
    let mut file = tokenizer();
    file["added_tokens"] = json!([
        pad("[PAD]", 0),
        pad("[CLS]", 1),
        pad("[SEP]", 2),
        pad("[UNK]", 3),
        pad("good", 4)
    ]);
    read_padded(&file, 0, "[PAD]").unwrap();
    for (number, content, words) in [
        (1, "[CLS]", "which post_processor of tokenizer.json adds"),
        (2, "[SEP]", "which post_processor of tokenizer.json adds"),
        (
            3,
            "[UNK]",
            "which stands for unknown words (model.unk_token",
        ),
        (4, "good", "which is a word of texts, too"),
        (5, "bad", "which is no special token"),
    ] {
        let error = read_padded(&file, number, content).unwrap_err();
        let start = format!("config.json: pad_token_id is {number}, the token `{content}`, ");
        assert!(error.contains(&start), "{error}");
        assert!(error.contains(words), "{error}");
    }
    let config = config_with("Bert", &json!({"pad_token_id": 2}));
    read_for(&config, &file, &json!({})).unwrap();
}

#[test]
fn a_padding_of_byte_pairs_is_refused_where_they_make_it() {
    let mut file = tokenizer();
    file["normalizer"] = Value::Null;
    file["pre_tokenizer"] = json!({"type": "ByteLevel", "add_prefix_space": false,
        "trim_offsets": true, "use_regex": true});
    file["post_processor"]["special_tokens"] = json!({
        "[CLS]": {"id": "[CLS]", "ids": [0], "tokens": ["[CLS]"]},
        "[SEP]": {"id": "[SEP]", "ids": [0], "tokens": ["[SEP]"]}});
    file["model"] = json!({"type": "BPE", "dropout": null, "unk_token": null,
        "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
        "byte_fallback": false, "merges": ["Ġ a"],
        "vocab": {"[CLS]": 0, "<pad>": 1, "Ġ": 2, "a": 3, "Ġa": 4}});
    file["added_tokens"] = json!([pad("[CLS]", 0), pad("<pad>", 1), pad("a", 3), pad("Ġa", 4)]);
    read_padded(&file, 1, "<pad>").unwrap();
    for (number, content) in [(3, "a"), (4, "Ġa")] {
        let error = read_padded(&file, number, content).unwrap_err();
        assert!(error.contains("is a word of texts, too"), "{error}");
    }
    file["model"]["merges"] = json!([["Ġ", "a"]]);
    let error = read_padded(&file, 4, "Ġa").unwrap_err();
    assert!(error.contains("is a word of texts, too"), "{error}");
}
