//! Tokenisers as files have them, and what is refused of them.

use quintet_bundle::text::Side;
use serde_json::json;

use super::*;

mod added;
mod classes;
mod padding;

use self::padding::pad;

fn config(class: &str) -> Config {
    config_with(class, &json!({}))
}

fn config_with(class: &str, changes: &Value) -> Config {
    let mut json = json!({
        "architectures": [format!("{class}ForSequenceClassification")],
        "vocab_size": 6, "max_position_embeddings": 12, "hidden_size": 12
    });
    for (key, value) in changes.as_object().unwrap() {
        json[key] = value.clone();
    }
    Config::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
}

/// A tokeniser of BERT's that pads to eight tokens and cuts at four, as files of the hub do.
fn tokenizer() -> Value {
    let special = |id: &str, type_id: i64| json!({"SpecialToken": {"id": id, "type_id": type_id}});
    let sequence = |id: &str, type_id: i64| json!({"Sequence": {"id": id, "type_id": type_id}});
    let single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)];
    let second = [sequence("B", 1), special("[SEP]", 1)];
    let pair = [&single[..], &second[..]].concat();
    let token = |id: &str, number: i64| json!({"id": id, "ids": [number], "tokens": [id]});
    json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single,
            "pair": pair,
            "special_tokens": {"[CLS]": token("[CLS]", 1), "[SEP]": token("[SEP]", 2)}},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "good": 4, "bad": 5}}
    })
}

/// Settings whose class takes the file as it is, and gives its types.
fn generic() -> Value {
    json!({"tokenizer_class": "TokenizersBackend",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]})
}

fn read(file: &Value, settings: &Value, class: &str) -> Result<Imported, String> {
    read_for(&config(class), file, settings)
}

fn read_for(config: &Config, file: &Value, settings: &Value) -> Result<Imported, String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    write(TOKENIZER, file);
    write(TOKENIZER_CONFIG, settings);
    import(folder.path(), config).map_err(|error| error.to_string())
}

#[test]
fn the_files_own_truncation_and_padding_do_not_count() {
    let imported = read(&tokenizer(), &json!({"model_max_length": 1e30}), "Bert").unwrap();
    let text = "Good bad good bad good bad good bad good bad good bad";
    let encoded = imported.tokenizer.encode(text, &imported.spec).unwrap();
    assert_eq!(encoded.tokens, [1, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 2]);
    let encoded = imported.tokenizer.encode("good", &imported.spec).unwrap();
    assert_eq!(encoded.tokens, [1, 4, 2]);
    let settings = json!({"model_max_length": 5, "truncation_side": "left"});
    let imported = read(&tokenizer(), &settings, "Bert").unwrap();
    assert_eq!(imported.spec.max_tokens, 5);
    assert_eq!(imported.spec.truncation_side, Side::Left);
}

#[test]
fn old_names_of_settings_count() {
    for (settings, longest) in [
        (json!({"max_len": 5}), 5),
        (json!({"max_len": 5, "model_max_length": 6}), 6),
        // Null is no limit, and there nevertheless.
        (json!({"max_len": 5, "model_max_length": null}), 12),
    ] {
        let imported = read(&tokenizer(), &settings, "Bert").unwrap();
        assert_eq!(imported.spec.max_tokens, longest, "{settings}");
    }
    let error = read(&tokenizer(), &json!({"max_len": 0}), "Bert").unwrap_err();
    assert!(error.contains("max_len is 0; at least 1"), "{error}");
}

#[test]
fn the_file_says_which_end_is_cut_where_its_settings_do_not() {
    let mut file = tokenizer();
    file["truncation"]["direction"] = "Left".into();
    for (settings, side) in [
        (json!({}), Side::Left),
        (json!({"truncation_side": "right"}), Side::Right),
    ] {
        let imported = read(&file, &settings, "Bert").unwrap();
        assert_eq!(imported.spec.truncation_side, side, "{settings}");
    }
}

#[test]
fn a_network_without_token_types_reads_pairs_without_them() {
    let none = json!({});
    let imported = read(&tokenizer(), &none, "Bert").unwrap();
    assert!(imported.has_token_types);
    let imported = read(&tokenizer(), &none, "DistilBert").unwrap();
    assert_eq!(imported.tokenizer.pairs(), Pairs::Untyped);
    assert!(!imported.has_token_types);
    let pair = imported
        .tokenizer
        .encode_pair("good", "bad", &imported.spec);
    assert_eq!(pair.unwrap().tokens, [1, 4, 2, 5, 2]);
}

#[test]
fn special_tokens_of_a_models_own_are_told() {
    let token = |id: i64, content: &str| json!({"id": id, "content": content, "special": true});
    let mut file = tokenizer();
    file["added_tokens"] = json!([token(1, "[CLS]"), token(4, "[ENT]"), token(5, "[/ENT]")]);
    assert_eq!(own_special_tokens(&file), ["[ENT]", "[/ENT]"]);
}

#[test]
fn types_that_the_network_would_not_get_are_refused() {
    // RoBERTa has two types where its configuration does not say otherwise.
    let error = read(&tokenizer(), &generic(), "Roberta").unwrap_err();
    assert!(error.contains("types are only read of BERT"), "{error}");
    let mut file = tokenizer();
    clear_types(&mut file["post_processor"]);
    file["added_tokens"] = json!([pad("[PAD]", 0)]);
    let config = config_with("Roberta", &json!({"pad_token_id": 0}));
    let settings = json!({"pad_token": "[PAD]", "tokenizer_class": "TokenizersBackend"});
    read_for(&config, &file, &settings).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let refusal = |change: fn(&mut Value), settings: Value| {
        let mut file = tokenizer();
        change(&mut file);
        read(&file, &settings, "Bert").unwrap_err()
    };
    for (error, words) in [
        (
            refusal(|it| it["model"]["vocab"]["more"] = 6.into(), json!({})),
            "has tokens up to 6; the network has an embedding of 6, for 0 to 5",
        ),
        (
            refusal(|it| it["post_processor"] = Value::Null, generic()),
            "adds no special tokens",
        ),
        (
            refusal(|_| {}, json!({"truncation_side": "middle"})),
            "truncation_side is middle; left and right",
        ),
        (
            refusal(|_| {}, json!({"model_max_length": 2})),
            "the network reads 2, which leaves none",
        ),
        (
            refusal(
                |it| it["post_processor"]["special_tokens"]["[CLS]"]["ids"] = json!([9999]),
                generic(),
            ),
            "adds the token `[CLS]` as 9999; 0 to 5 are allowed, as the network",
        ),
        (
            refusal(
                |it| it["post_processor"]["pair"][3]["Sequence"]["type_id"] = 7.into(),
                generic(),
            ),
            "has type_id 7; 0 to 1 are allowed, as the network has 2 types",
        ),
        (
            refusal(|it| it["model"]["dropout"] = 0.1.into(), json!({})),
            "tokenizer.json: model.dropout: is 0.1",
        ),
        (
            refusal(|it| it["model"]["type"] = "Psychic".into(), generic()),
            "tokenizer.json: tokenizer.json: ",
        ),
    ] {
        assert!(error.contains(words), "{error}");
    }
}

/// The types are those of `transformers` 5.24 for the same files.
#[test]
fn types_are_given_where_transformers_gives_them() {
    let names = json!(["input_ids", "attention_mask"]);
    let typed = json!(["input_ids", "token_type_ids", "attention_mask"]);
    for (settings, expected) in [
        (json!({}), true),
        (json!({"tokenizer_class": ""}), false),
        (json!({"tokenizer_class": "BertTokenizerFast"}), true),
        (json!({"tokenizer_class": "PreTrainedTokenizerFast"}), false),
        (json!({"tokenizer_class": "TokenizersBackend"}), false),
        (json!({"tokenizer_class": "DistilBertTokenizer"}), false),
        (
            json!({"tokenizer_class": "BertTokenizer", "model_input_names": names}),
            false,
        ),
        (
            json!({"tokenizer_class": "TokenizersBackend", "model_input_names": typed}),
            true,
        ),
    ] {
        let template = tokenizer();
        let mut bert = tokenizer();
        let [sep, cls] = [json!(["[SEP]", 2]), json!(["[CLS]", 1])];
        bert["post_processor"] = json!({"type": "BertProcessing", "sep": sep, "cls": cls});
        for file in [template, bert] {
            let imported = read(&file, &settings, "Bert").unwrap();
            assert_eq!(imported.has_token_types, expected, "{settings}");
            let pair = imported
                .tokenizer
                .encode_pair("good", "bad", &imported.spec);
            let pair = pair.unwrap();
            assert_eq!(pair.tokens, [1, 4, 2, 5, 2]);
            let types: &[i64] = if expected { &[0, 0, 0, 1, 1] } else { &[] };
            assert_eq!(pair.token_type_ids, types, "{settings}");
        }
    }
}

#[test]
fn roberta_and_its_tokeniser_must_pad_alike() {
    let mut file = tokenizer();
    clear_types(&mut file["post_processor"]);
    let class = "TokenizersBackend";
    let settings = |pad: Value| json!({"pad_token": pad, "tokenizer_class": class});
    // Its configuration has 1 where it does not say otherwise.
    for pad in [json!("[PAD]"), json!({"content": "[PAD]"})] {
        let error = read(&file, &settings(pad), "Roberta").unwrap_err();
        let words = "the token `[PAD]` for padding as 0; pad_token_id of config.json is 1";
        assert!(error.contains(words), "{error}");
    }
    let error = read(&file, &settings(json!("[CLS]")), "Roberta").unwrap_err();
    assert!(
        error.contains("pad_token_id is 1, the token `[CLS]`"),
        "{error}"
    );
    read(&file, &settings(json!("[PAD]")), "Bert").unwrap();
}

#[test]
fn a_link_to_nothing_is_no_absent_file() {
    for target in ["nowhere", TOKENIZER_CONFIG] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(TOKENIZER), tokenizer().to_string()).unwrap();
        std::os::unix::fs::symlink(target, folder.path().join(TOKENIZER_CONFIG)).unwrap();
        let error = import(folder.path(), &config("Bert"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("tokenizer_config.json: "), "{error}");
    }
}

#[test]
fn byte_order_marks_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), format!("\u{feff}{text}")).unwrap();
    };
    write(TOKENIZER, tokenizer().to_string());
    write(TOKENIZER_CONFIG, json!({"model_max_length": 5}).to_string());
    let imported = import(folder.path(), &config("Bert")).unwrap();
    assert_eq!(imported.spec.max_tokens, 5);
}

#[test]
fn types_of_single_texts_are_given_and_those_of_no_pairs_are_not() {
    let mut file = tokenizer();
    // Nothing stands between two texts, so they are no pair.
    let sequence = |id: &str, type_id: i64| json!({"Sequence": {"id": id, "type_id": type_id}});
    file["post_processor"]["pair"] = json!([sequence("A", 0), sequence("B", 1)]);
    let imported = read(&file, &generic(), "Bert").unwrap();
    assert_eq!(imported.tokenizer.pairs(), Pairs::None);
    assert!(!imported.has_token_types);
    file["post_processor"]["single"][1]["Sequence"]["type_id"] = 1.into();
    let imported = read(&file, &generic(), "Bert").unwrap();
    assert!(imported.has_token_types);
    let encoded = imported.tokenizer.encode("good", &imported.spec).unwrap();
    assert_eq!(encoded.token_type_ids, [0, 1, 0]);
}
