//! What the classes of tokenisers make of a file, and the settings that they make it of.

use super::*;

/// A tokeniser of RoBERTa's for the same network.
fn bytes() -> Value {
    let mut file = tokenizer();
    file["normalizer"] = Value::Null;
    file["pre_tokenizer"] = json!({"type": "ByteLevel", "add_prefix_space": false,
        "trim_offsets": true, "use_regex": true});
    file["post_processor"] = json!({"type": "RobertaProcessing", "sep": ["</s>", 2],
        "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": false});
    file["model"] = json!({"type": "BPE", "dropout": null, "unk_token": null,
        "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
        "byte_fallback": false, "merges": [],
        "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "Ġ": 4, "a": 5}});
    file["added_tokens"] = json!([pad("<s>", 0), pad("<pad>", 1), pad("</s>", 2)]);
    file
}

fn of_class(file: &Value, class: &str) -> Result<Imported, String> {
    let settings = match class {
        "" => json!({}),
        class => json!({"tokenizer_class": class}),
    };
    read(file, &settings, "Bert")
}

/// The file with one value changed.
fn with(mut file: Value, pointer: &str, value: Value) -> Value {
    *file.pointer_mut(pointer).unwrap() = value;
    file
}

#[test]
fn an_absent_key_is_the_default_of_the_class() {
    let cased = with(tokenizer(), "/normalizer/lowercase", false.into());
    let words = "normalizer.lowercase is false; tokenizer_class BertTokenizer of transformers 5 \
                 makes true where tokenizer_config.json has no do_lower_case; tokenizer_class Pre";
    let error = of_class(&cased, "").unwrap_err();
    assert!(error.contains(words), "{error}");
    for (file, settings, words) in [
        (
            &cased,
            json!({"tokenizer_class": "ElectraTokenizer"}),
            "normalizer.lowercase is false",
        ),
        (
            &tokenizer(),
            json!({"do_lower_case": false}),
            "normalizer.lowercase is true; tokenizer_class BertTokenizer of transformers 5 makes \
             false of do_lower_case in tokenizer_config.json",
        ),
        (
            &with(tokenizer(), "/normalizer/strip_accents", false.into()),
            json!({"strip_accents": null}),
            "normalizer.strip_accents is false; tokenizer_class BertTokenizer of",
        ),
        (
            &tokenizer(),
            json!({"strip_accents": false}),
            "normalizer.strip_accents is true; tok",
        ),
        (
            &with(
                tokenizer(),
                "/normalizer/handle_chinese_chars",
                false.into(),
            ),
            json!({}),
            "makes true where tokenizer_config.json has no tokenize_chinese_chars",
        ),
        (
            &with(bytes(), "/pre_tokenizer/add_prefix_space", true.into()),
            json!({"tokenizer_class": "LongformerTokenizerFast"}),
            "pre_tokenizer.add_prefix_space is true; tokenizer_class LongformerTokenizer of",
        ),
    ] {
        let error = read(file, &settings, "Bert").unwrap_err();
        assert!(error.contains(words), "{error}");
        // Such a key has no meaning for a class that takes the file as it is.
        let mut generic = generic();
        for (key, value) in settings.as_object().unwrap() {
            if key != "tokenizer_class" {
                generic[key] = value.clone();
            }
        }
        read(file, &generic, "Bert").unwrap();
    }
    read(&cased, &json!({"do_lower_case": false}), "Bert").unwrap();
    let accents = with(tokenizer(), "/normalizer/strip_accents", true.into());
    read(&accents, &json!({}), "Bert").unwrap();
}

#[test]
fn a_file_that_its_class_would_not_make_is_refused() {
    let (bert, bytes) = (tokenizer(), bytes());
    for class in [
        "",
        "BertTokenizer",
        "BertTokenizerFast",
        "DistilBertTokenizer",
    ] {
        of_class(&bert, class).unwrap();
    }
    of_class(&bytes, "RobertaTokenizerFast").unwrap();
    let mut old = (bert.clone(), bytes.clone());
    for file in [&mut old.0, &mut old.1] {
        file["model"].as_object_mut().unwrap().remove("type");
    }
    of_class(&old.0, "").unwrap();
    of_class(&old.1, "RobertaTokenizer").unwrap();
    let change = |pointer, value| with(tokenizer(), pointer, value);
    let processing = json!({"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1],
        "trim_offsets": true, "add_prefix_space": false});
    for (file, class, words) in [
        (
            change("/normalizer", json!({"type": "Lowercase"})),
            "BertTokenizerFast",
            "normalizer.type is \"Lowercase\"; tokenizer_class BertTokenizer of transformers 5 \
             makes \"BertNormalizer\" whatever the files say",
        ),
        (
            change("/pre_tokenizer", json!({"type": "WhitespaceSplit"})),
            "DistilBertTokenizer",
            "pre_tokenizer.type is \"WhitespaceSplit\"",
        ),
        (bert, "RobertaTokenizerFast", "model.type is \"WordPiece\""),
        (bytes, "BertTokenizer", "model.type is \"BPE\""),
        (
            change("/normalizer/clean_text", false.into()),
            "",
            "normalizer.clean_text is false",
        ),
        (
            change("/model/max_input_chars_per_word", 20.into()),
            "",
            "model.max_input_chars_per_word is 20",
        ),
        (
            change("/model/continuing_subword_prefix", "@@".into()),
            "",
            "model.continuing_subword_prefix is \"@@\"",
        ),
        (
            change("/post_processor", processing),
            "",
            "post_processor is [CLS]:0 $A:0 [SEP]:0 | [CLS]:0 $A:0 [SEP]:0 [SEP]:0 $B:0 [SEP]:0; \
             tokenizer_class BertTokenizer of transformers 5 makes [CLS]:0 $A:0 [SEP]:0 | \
             [CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1 whatever",
        ),
        (
            change("/post_processor", Value::Null),
            "",
            "post_processor is null; tok",
        ),
        (
            change("/post_processor/special_tokens/[CLS]/ids", json!([3])),
            "",
            "post_processor: the number of `[CLS]` is 3; tokenizer_class BertTokenizer of \
             transformers 5 makes 1",
        ),
    ] {
        let error = of_class(&file, class).unwrap_err();
        assert!(error.contains(words), "{error}");
        let imported = of_class(&file, "PreTrainedTokenizerFast");
        assert!(
            imported.is_ok() || words.contains("is null"),
            "{imported:?}"
        );
    }
}

#[test]
fn special_tokens_are_those_of_the_settings() {
    for (key, words) in [
        (
            "unk_token",
            "model.unk_token is \"[UNK]\"; tokenizer_class BertTokenizer of",
        ),
        (
            "cls_token",
            "makes [PAD]:0 $A:0 [SEP]:0 | [PAD]:0 $A:0 [SEP]:0 $B:1 [SEP]:1 of cls_tok",
        ),
        (
            "sep_token",
            "makes [CLS]:0 $A:0 [PAD]:0 | [CLS]:0 $A:0 [PAD]:0 $B:1 [PAD]:1 of sep_tok",
        ),
    ] {
        for token in [
            json!("[PAD]"),
            json!({"__type": "AddedToken", "content": "[PAD]"}),
        ] {
            let error = read(&tokenizer(), &json!({key: token}), "Bert").unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
    let error = read(&tokenizer(), &json!({"unk_token": null}), "Bert").unwrap_err();
    assert!(error.contains("makes null of unk_token"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    write(TOKENIZER, tokenizer());
    write("special_tokens_map.json", json!({"unk_token": "[PAD]"}));
    let error = import(folder.path(), &config("Bert"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("of unk_token in special_tokens_map.json"),
        "{error}"
    );
    // It is not read with this key.
    write(TOKENIZER_CONFIG, json!({"added_tokens_decoder": {}}));
    import(folder.path(), &config("Bert")).unwrap();
}

#[test]
fn a_class_that_is_not_known_is_refused_by_name() {
    for class in [
        "MPNetTokenizerFast",
        "FunnelTokenizer",
        "BertJapaneseTokenizer",
        "MyTokenizer",
    ] {
        let error = of_class(&tokenizer(), class).unwrap_err();
        let words =
            format!("tokenizer_config.json: tokenizer_class is {class}; BertTokenizer, Dis");
        assert!(error.contains(&words), "{error}");
    }
    let config = config_with("Bert", &json!({"tokenizer_class": "BertweetTokenizer"}));
    let error = read_for(&config, &tokenizer(), &json!({})).unwrap_err();
    assert!(
        error.contains("config.json: tokenizer_class is BertweetTokenizer"),
        "{error}"
    );
    read_for(
        &config,
        &tokenizer(),
        &json!({"tokenizer_class": "BertTokenizer"}),
    )
    .unwrap();
}

#[test]
fn the_version_that_saved_a_checkpoint_decides() {
    let old = config_with("Bert", &json!({"transformers_version": "4.57.3"}));
    let new = config_with("Bert", &json!({"transformers_version": "5.24.0"}));
    let generic = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
    let mut later = generic.clone();
    later["backend"] = "tokenizers".into();
    for (config, settings, has_types) in [
        (&old, &generic, true),
        (
            &old,
            &json!({"tokenizer_class": "DistilBertTokenizer"}),
            false,
        ),
        (&old, &later, false),
        (&new, &generic, false),
        (&config("Bert"), &generic, false),
    ] {
        let imported = read_for(config, &tokenizer(), settings).unwrap();
        assert_eq!(imported.has_token_types, has_types, "{settings}");
    }
    // Version 4 keeps what version 5 makes anew.
    let file = with(tokenizer(), "/normalizer/clean_text", false.into());
    read_for(&old, &file, &json!({})).unwrap();
    read_for(&new, &file, &json!({})).unwrap_err();
    // It sets the space before a text of any class.
    let file = with(bytes(), "/pre_tokenizer/add_prefix_space", true.into());
    let error = read_for(&old, &file, &generic).unwrap_err();
    let words =
        "add_prefix_space is true; tokenizer_class PreTrainedTokenizerFast of transformers 4";
    assert!(error.contains(words), "{error}");
    read_for(&new, &file, &generic).unwrap();
    let none = with(tokenizer(), "/normalizer", Value::Null);
    let error = read_for(&old, &none, &json!({})).unwrap_err();
    assert!(error.contains("normalizer.type is null"), "{error}");
    read_for(&old, &none, &generic).unwrap();
}
