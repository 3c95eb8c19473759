//! A text to tokens, by the tokeniser of the committed models.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quintet_bundle::text::{TextSpec, Tokenizer};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let json = include_bytes!("../../models/lstm/1/tokenizer.json");
    Tokenizer::from_bytes(json).expect("it is committed")
});

fuzz_target!(|text: &str| {
    let spec = TextSpec::end_of(64);
    let encoded = TOKENIZER.encode(text, &spec).expect("every text has tokens");
    assert!((1..=64).contains(&encoded.tokens.len()));
});
