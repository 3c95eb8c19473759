//! What the tokeniser does to reviews, and to what is none.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::text::{START, UNKNOWN};

const REVIEWS: [&str; 4] = [
    "A good film.<br /><br />Don't miss it! Good, good.",
    "It is not a good film, it is a BAD film",
    "don’t see it",
    "Ein sch\u{f6}ner Film",
];

fn trained() -> &'static Tokenizer {
    static TRAINED: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::train(REVIEWS, 100).unwrap());
    &TRAINED
}

#[track_caller]
fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<i64> {
    tokenizer
        .encode(text, &TextSpec::end_of(200))
        .unwrap()
        .tokens
}

#[test]
fn the_commonest_words_come_first_and_the_alphabet_breaks_ties() {
    let tokenizer = trained();
    // film, good and it: 4, a: 3, don't and is: 2.
    let words = "film good it a don't is";
    assert_eq!(tokens(tokenizer, words), [1, 3, 4, 5, 6, 7, 8]);
    let reversed = Tokenizer::train(REVIEWS.iter().rev(), 100).unwrap();
    assert_eq!(reversed.to_bytes().unwrap(), tokenizer.to_bytes().unwrap());
}

#[test]
fn padding_is_a_token_of_the_vocabulary() {
    let tokenizer = Tokenizer::train(["good film"], 5).unwrap();
    for (pad_token_id, fits) in [(0, true), (4, true), (5, false), (-1, false)] {
        let spec = TextSpec {
            pad_token_id,
            ..TextSpec::end_of(200)
        };
        let checked = tokenizer.check(&spec).map_err(|error| error.to_string());
        let words = "must be 0 to 4, as tokenizer.json has 5 tokens";
        let error = format!("preprocessing.pad_token_id is {pad_token_id}, {words}");
        assert_eq!(checked, if fits { Ok(()) } else { Err(error) });
    }
}

#[test]
fn spellings_of_the_same_words() {
    let tokenizer = trained();
    let expected = tokens(tokenizer, "don't miss a good film !");
    assert!(!expected.contains(&UNKNOWN), "{expected:?}");
    for text in [
        "DON'T MISS A GOOD FILM!",
        "don’t<br>miss<BR />a \"good\" film!",
        "  don't -- miss\ta\n(good) 'film'... !",
    ] {
        assert_eq!(tokens(tokenizer, text), expected, "{text}");
    }
    assert_eq!(
        tokens(tokenizer, "SCH\u{d6}NER"),
        tokens(tokenizer, "sch\u{f6}ner")
    );
}

#[test]
fn what_is_in_no_vocabulary() {
    let tokenizer = trained();
    let cases: [(&str, &[i64]); 6] = [
        ("", &[START]),
        (" \n\t<br /> . , ;", &[START]),
        ("zebra quagga", &[START, UNKNOWN, UNKNOWN]),
        ("😀👍🏽", &[START, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
        ("映画", &[START, UNKNOWN]),
        // The special tokens cannot be spelled.
        ("[PAD] [START]", &[START, UNKNOWN, UNKNOWN]),
    ];
    for (text, expected) in cases {
        assert_eq!(tokens(tokenizer, text), expected, "{text:?}");
    }
}

#[test]
fn the_last_tokens_of_a_long_text_are_kept() {
    let tokenizer = trained();
    let text = "bad ".repeat(300) + "good film";
    let encoded = tokenizer.encode(&text, &TextSpec::end_of(200)).unwrap();
    assert_eq!((encoded.tokens.len(), encoded.total), (200, 303));
    assert!(encoded.truncated);
    assert_eq!(encoded.tokens[198..], tokens(tokenizer, "good film")[1..]);
    let exact = tokenizer.encode("good film", &TextSpec::end_of(3)).unwrap();
    assert_eq!((exact.truncated, exact.total), (false, 3));
}

#[test]
fn two_hundred_kilobytes() {
    let tokenizer = trained();
    for unit in ["good film ", "a", "<br />", "''''", "é!", "👩‍👩‍👧‍👦"] {
        let text = unit.repeat(200_000 / unit.len());
        let encoded = tokenizer.encode(&text, &TextSpec::end_of(200)).unwrap();
        assert!((1..=200).contains(&encoded.tokens.len()), "{unit}");
    }
}

#[test]
fn the_vocabulary_has_the_size_asked_for() {
    let tokenizer = Tokenizer::train(REVIEWS, 6).unwrap();
    assert_eq!(tokenizer.vocabulary_size(), 6);
    assert_eq!(
        tokens(&tokenizer, "film good it a"),
        [START, 3, 4, 5, UNKNOWN]
    );
    assert!(
        trained().vocabulary_size() < 100,
        "there are fewer words than that"
    );
}

#[test]
fn a_file_comes_back_as_the_same_tokeniser() {
    let bytes = trained().to_bytes().unwrap();
    let read = Tokenizer::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
    for text in REVIEWS.into_iter().chain(["", "[UNK] [PAD]", "zebra"]) {
        assert_eq!(tokens(&read, text), tokens(trained(), text), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |texts: &[&str], size| Tokenizer::train(texts, size).unwrap_err().to_string();
    assert_eq!(
        refused(&["a"], 3),
        "vocabulary size is 3, allowed: at least 4"
    );
    assert!(refused(&["...", ""], 10).contains("no words"));
    for bytes in [
        &b""[..],
        b"{}",
        b"\xff",
        b"{\"model\":{\"type\":\"WordLevel\"}}",
        // The crate panics.
        b"{\"version\":\"1.0\",\"decoder\":\"x\"}",
    ] {
        let message = Tokenizer::from_bytes(bytes).unwrap_err().to_string();
        assert!(message.starts_with("tokenizer.json: "), "{message}");
    }
    let none_wanted = trained().encode("good", &TextSpec::end_of(0));
    assert_eq!(none_wanted.unwrap_err().to_string(), "text gives no tokens");
}

#[test]
fn a_foreign_tokeniser_cannot_be_commanded_by_its_texts() {
    let json = r#"{"version":"1.0","truncation":null,
        "padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,
            "pad_type_id":0,"pad_token":"[PAD]"},
        "added_tokens":[{"id":0,"content":"[PAD]","single_word":false,"lstrip":false,"rstrip":false,
            "normalized":false,"special":true}],
        "normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[PAD]":0,"[UNK]":1,"good":2},"unk_token":"[UNK]"}}"#;
    let foreign = Tokenizer::from_bytes(json.as_bytes()).unwrap();
    assert_eq!(tokens(&foreign, "good [PAD]"), [2, 1, 1, 1]);
    let none = foreign.encode("", &TextSpec::end_of(200)).unwrap_err();
    assert_eq!(none.to_string(), "text gives no tokens");
}

#[test]
fn an_imported_tokeniser_keeps_its_special_tokens_when_a_text_is_cut() {
    let json = r#"{"version":"1.0","truncation":{"max_length":4,"strategy":"LongestFirst","stride":0,
            "direction":"Right"},"padding":null,"added_tokens":[],
        "normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"decoder":null,
        "post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"b":4,"c":5,"d":6},
            "unk_token":"[UNK]"}}"#;
    let imported = Tokenizer::from_bytes(json.as_bytes()).unwrap();
    let encode = |max_tokens, truncation_side, add_special_tokens| {
        let spec = TextSpec {
            max_tokens,
            truncation_side,
            add_special_tokens,
            pad_token_id: 0,
            clean_text: false,
        };
        let encoded = imported.encode("a b c d", &spec).unwrap();
        (encoded.tokens, encoded.total)
    };
    // What the file itself says of truncation does not count.
    assert_eq!(encode(9, Side::Right, true), (vec![1, 3, 4, 5, 6, 2], 6));
    assert_eq!(encode(4, Side::Right, true), (vec![1, 3, 4, 2], 6));
    assert_eq!(encode(4, Side::Left, true), (vec![1, 5, 6, 2], 6));
    assert_eq!(encode(3, Side::Left, false), (vec![4, 5, 6], 4));
    // Where there is no room for all special tokens, they are cut, too.
    assert_eq!(encode(1, Side::Right, true), (vec![1], 6));
    assert_eq!(encode(1, Side::Left, true), (vec![2], 6));
}

#[test]
fn either_end_is_cut_off() {
    let encode = |truncation_side, add_special_tokens| {
        let spec = TextSpec {
            truncation_side,
            add_special_tokens,
            ..TextSpec::end_of(2)
        };
        trained().encode("film good it", &spec).unwrap().tokens
    };
    assert_eq!(encode(Side::Left, true), [4, 5]);
    assert_eq!(encode(Side::Right, true), [START, 3]);
    assert_eq!(encode(Side::Right, false), [3, 4]);
}

proptest! {
    #[test]
    fn every_text_has_tokens_of_the_vocabulary(text in any::<String>(), max_tokens in 1_usize..20) {
        let tokenizer = trained();
        let encoded = tokenizer.encode(&text, &TextSpec::end_of(max_tokens)).unwrap();
        prop_assert_eq!(encoded.tokens.len(), encoded.total.min(max_tokens));
        prop_assert_eq!(encoded.truncated, encoded.total > max_tokens);
        let size = tokenizer.vocabulary_size() as i64;
        prop_assert!(encoded.tokens.iter().all(|token| (START..size).contains(token)));
        prop_assert_eq!(encoded, tokenizer.encode(&text, &TextSpec::end_of(max_tokens)).unwrap());
    }

    #[test]
    fn words_of_the_vocabulary_survive_any_punctuation(
        words in proptest::collection::vec(prop_oneof!["good", "film", "don't"], 1..10),
        between in "[ .,;:()\"*-]{1,4}",
    ) {
        let tokenizer = trained();
        let text = words.join(&between);
        prop_assert_eq!(tokens(tokenizer, &text), tokens(tokenizer, &words.join(" ")));
    }
}

/// What the crate alone makes of a text.
fn by_the_crate(tokenizer: &Tokenizer) -> Tokenizer {
    Tokenizer {
        scanner: None,
        ..tokenizer.clone()
    }
}

/// Whatever the scanner could trip over.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        Just("<br"),
        Just("<BR"),
        Just("/>"),
        Just(">"),
        Just("<"),
        Just("/"),
        Just(" "),
        Just("\n"),
        Just("\u{b}"),
        Just("\t"),
        Just("\u{a0}"),
        Just("\u{3000}"),
        Just("'"),
        Just("\u{2019}"),
        Just("!"),
        Just("?"),
        Just("_"),
        Just("-"),
        Just("."),
        Just("don"),
        Just("t"),
        Just("GOOD"),
        Just("film"),
        Just("5"),
        Just("\u{e9}"),
        Just("\u{301}"),
        Just("\u{130}"),
        Just("\u{212a}"),
        Just("\u{df}"),
        Just("\u{3a3}"),
        Just("\u{65e5}\u{672c}"),
        Just("\u{1f642}"),
        Just("\0"),
        Just("[PAD]"),
        Just("\u{663}"),
    ];
    proptest::collection::vec(fragment, 0..30).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn the_scanner_and_the_crate_agree(text in prop_oneof![fragments(), ".*", "[ -~\\s]{0,80}"]) {
        let tokenizer = trained();
        prop_assert!(tokenizer.scanner.is_some());
        prop_assert_eq!(
            tokenizer.encode(&text, &TextSpec::end_of(usize::MAX)).unwrap(),
            by_the_crate(tokenizer).encode(&text, &TextSpec::end_of(usize::MAX)).unwrap()
        );
    }
}

#[test]
fn a_tokeniser_of_ours_is_known_again_and_another_is_not() {
    let json = trained().to_bytes().unwrap();
    assert!(Tokenizer::from_bytes(&json).unwrap().scanner.is_some());
    let other = String::from_utf8(json).unwrap().replace("[!?]", "[!?.]");
    let other = Tokenizer::from_bytes(other.as_bytes()).unwrap();
    assert!(other.scanner.is_none());
    let full_stop = tokens(&other, "good.");
    assert_eq!(full_stop.len(), 3);
}

#[test]
fn a_tokeniser_of_our_rules_with_other_numbers_is_the_crates() {
    let json = String::from_utf8(trained().to_bytes().unwrap()).unwrap();
    for (from, to) in [
        ("\"[UNK]\": 2", "\"[UNK]\": 99"),
        ("\"film\": 3", "\"\": 3"),
    ] {
        let (from, to) = (from.replace(": ", ":"), to.replace(": ", ":"));
        assert!(json.contains(&from), "{json}");
        let read = Tokenizer::from_bytes(json.replace(&from, &to).as_bytes()).unwrap();
        let text = "good overlongwordthatnobodyknows";
        let expected = by_the_crate(&read).encode(text, &TextSpec::end_of(9));
        assert_eq!(
            read.encode(text, &TextSpec::end_of(9)).unwrap(),
            expected.unwrap()
        );
    }
}

#[test]
fn a_template_of_undefined_tokens_is_refused() {
    let json = String::from_utf8(trained().to_bytes().unwrap()).unwrap();
    let (template, _) = json.split_once("\"special_tokens\":{").unwrap();
    let (_, decoder) = json.split_once(",\"decoder\"").unwrap();
    let json = format!("{template}\"special_tokens\":{{}}}},\"decoder\"{decoder}");
    let error = Tokenizer::from_bytes(json.as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("tokenizer.json: "), "{error}");
}

#[test]
fn known_words_are_counted_among_the_tokens_that_are_kept() {
    let counts = |text: &str| {
        let encoded = trained().encode(text, &TextSpec::end_of(4)).unwrap();
        (encoded.words, encoded.known)
    };
    assert_eq!(counts(""), (0, 0));
    assert_eq!(counts("good zebra"), (2, 1));
    assert_eq!(counts("这部电影很好看"), (1, 0));
    assert_eq!(counts("zebra zebra good film good"), (4, 3));
}

#[test]
fn cleaning_is_the_manifests_choice() {
    let encode = |clean_text| {
        let spec = TextSpec {
            clean_text,
            ..TextSpec::end_of(9)
        };
        trained().encode("go<b>od</b>", &spec).unwrap().tokens
    };
    assert_eq!(encode(true), tokens(trained(), "good"));
    assert_eq!(encode(false).len(), 5);
}
