//! Vocabularies of a small tokeniser, cut to several sizes.

use serde_json::json;

use super::*;
use crate::import::huggingface::config::Config;
use crate::import::huggingface::tokenizer::import;

/// A tokeniser of BERT's kind.
fn imported(model: &str) -> Imported {
    let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let template =
        json!([special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")]);
    let token = |id: &str, number: i64| json!({"id": id, "ids": [number], "tokens": [id]});
    let added = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .iter()
        .zip([0, 2, 3, 4, 5]);
    let added = added.map(|(content, id)| {
        json!({"id": id, "content": content, "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false})
    });
    let words = json!({"[PAD]": 0, "[unused]": 1, "[UNK]": 2, "[CLS]": 3, "[SEP]": 4, "[MASK]": 5,
        "g": 6, "##o": 7, "##d": 8, "good": 9, "goods": 10, "##s": 11, "film": 12, "##ish": 13});
    let mut model = json!({"type": model, "unk_token": "[UNK]", "vocab": words});
    if model["type"] == "WordPiece" {
        model["continuing_subword_prefix"] = "##".into();
        model["max_input_chars_per_word"] = 100.into();
    }
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
        "post_processor": {"type": "TemplateProcessing", "single": template, "pair": template,
            "special_tokens": {"[CLS]": token("[CLS]", 3), "[SEP]": token("[SEP]", 4)}},
        "model": model
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
    let settings = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
    let path = folder.path().join("tokenizer_config.json");
    std::fs::write(path, settings.to_string()).unwrap();
    let config = json!({"model_type": "bert", "vocab_size": 14, "type_vocab_size": 1});
    let config = Config::of_encoder(config.to_string().as_bytes()).unwrap();
    import(folder.path(), &config).unwrap()
}

const TEXTS: [&str; 2] = ["film goods film goods film", "good"];

fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let encoded = tokenizer.encode(text, &TextSpec::end_of(100)).unwrap();
    let tokens = encoded.tokens.into_iter();
    tokens.map(|it| tokenizer.spelling(it).unwrap()).collect()
}

#[test]
fn the_commonest_tokens_stay_and_others_are_spelled() {
    let whole = imported("WordPiece");
    // Four special tokens, four characters, and one more.
    let cut = cut(&whole, &TEXTS, 9).unwrap();
    assert_eq!(cut.vocabulary_size(), 9);
    assert_eq!(
        tokens(&whole.tokenizer, "film goods")[1..3],
        ["film", "goods"]
    );
    let expected = ["[CLS]", "film", "g", "##o", "##o", "##d", "##s", "[SEP]"];
    assert_eq!(tokens(&cut, "film goods"), expected);
    assert_eq!(tokens(&cut, "xyz"), ["[CLS]", "[UNK]", "[SEP]"]);
    assert_eq!(cut.token("[PAD]"), Some(0));
    assert_eq!(
        rows(&whole.tokenizer, &cut).unwrap(),
        [0, 2, 3, 4, 6, 7, 8, 11, 12]
    );
}

#[test]
fn a_small_enough_vocabulary_stays_whole() {
    let whole = imported("WordPiece");
    let same = cut(&whole, &TEXTS, 14).unwrap();
    assert_eq!(
        same.to_bytes().unwrap(),
        whole.tokenizer.to_bytes().unwrap()
    );
    assert_eq!(
        rows(&whole.tokenizer, &same).unwrap(),
        (0..14).collect::<Vec<_>>()
    );
}

#[test]
fn only_word_pieces_can_be_cut() {
    let problem = cut(&imported("WordLevel"), &TEXTS, 9).unwrap_err();
    assert!(problem.contains("WordLevel\" with 14 tokens"), "{problem}");
}
