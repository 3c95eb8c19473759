//! The keys of `config.json`, their defaults and what is refused of them.

use quintet_bundle::ProblemType;

use super::*;

fn read(class: &str, more: &str) -> Result<Config, String> {
    let json = format!(r#"{{"architectures": ["{class}ForSequenceClassification"]{more}}}"#);
    Config::from_json(json.as_bytes())
}

#[test]
fn keys_that_are_absent_have_the_defaults_of_transformers() {
    // Counted by `transformers`.
    for (class, parameters, longest) in
        [("Bert", 109_483_778, 512), ("DistilBert", 66_955_010, 512)]
    {
        let config = read(class, "").unwrap();
        assert_eq!(config.parameters(), parameters, "{class}");
        assert_eq!(config.longest(), longest);
        assert_eq!(config.labels.names, ["LABEL_0", "LABEL_1"]);
        let problem = ProblemType::SingleLabelClassification;
        assert_eq!(config.labels.problem_type, problem);
    }
}

#[test]
fn robertas_positions_begin_after_the_paddings() {
    let more = r#", "max_position_embeddings": 514, "type_vocab_size": 1"#;
    let config = read("Roberta", more).unwrap();
    assert_eq!((config.longest(), config.encoder.first_position), (512, 2));
    assert!(!config.has_token_types());
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    for (more, words) in [
        (
            r#", "hidden_act": "mish""#,
            "hidden_act is mish; gelu, gelu_new",
        ),
        (
            r#", "position_embedding_type": "relative_key""#,
            "position_embedding_type is relative_key; absolute",
        ),
        (r#", "is_decoder": true"#, "is_decoder is set"),
        (r#", "pruned_heads": {"0": [1]}"#, "pruned_heads is set"),
        (
            r#", "quantization_config": {"bits": 8}"#,
            "quantization_config is set",
        ),
        (
            r#", "num_attention_heads": 7"#,
            "a divisor of hidden_size, 768",
        ),
        (r#", "hidden_size": 0"#, "hidden_size is 0; 1 to"),
        (
            r#", "vocab_size": 99999999999"#,
            "vocab_size is 99999999999; 1 to",
        ),
        (
            r#", "pad_token_id": 30522"#,
            "pad_token_id is 30522; 0 to 30521",
        ),
        (r#", "layer_norm_eps": 0.0"#, "layer_norm_eps is 0"),
    ] {
        let error = read("Bert", more).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    for json in [
        r#"{"architectures": ["BertForMaskedLM"]}"#,
        r#"{"architectures": ["BertForSequenceClassification", "BertModel"]}"#,
        r#"{"architectures": []}"#,
    ] {
        let error = Config::from_json(json.as_bytes()).unwrap_err();
        assert!(
            error.contains("one of BertForSequenceClassification, Di"),
            "{error}"
        );
    }
    assert!(Config::from_json(b"{").is_err());
    let error = read("Bert", r#", "hidden_size": "large""#).unwrap_err();
    assert!(error.starts_with("hidden_size: invalid type"), "{error}");
}

#[test]
fn an_absent_architecture_is_said_to_be_missing() {
    for json in ["{}", r#"{"architectures": null}"#] {
        let error = Config::from_json(json.as_bytes()).unwrap_err();
        let words = "architectures is missing; one of BertForSequenceClassification, Di";
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn each_family_has_its_own_keys_of_sizes() {
    let both = r#", "dim": 24, "hidden_size": 24, "n_heads": 2, "num_attention_heads": 2,
        "activation": "relu", "hidden_act": "gelu", "hidden_dim": 8, "intermediate_size": 9"#;
    let config = read("DistilBert", both).unwrap();
    assert_eq!(
        (config.encoder.hidden, config.encoder.intermediate),
        (24, 8)
    );
    assert_eq!(config.encoder.activation, Activation::Relu);
    let error = read("DistilBert", r#", "dim": 24, "hidden_size": 36"#).unwrap_err();
    assert!(
        error.starts_with("dim is 24 and hidden_size is 36"),
        "{error}"
    );
    // BERT's configuration has no such keys, so `transformers` ignores them.
    let config = read("Bert", r#", "dim": 24, "n_heads": 5, "activation": "mish""#).unwrap();
    assert_eq!((config.encoder.hidden, config.encoder.heads), (768, 12));
}

#[test]
fn an_architecture_of_another_model_type_is_refused() {
    read("Bert", r#", "model_type": "bert""#).unwrap();
    let error = read("Bert", r#", "model_type": "roberta""#).unwrap_err();
    let words = r#"model_type is "roberta"; "bert" is allowed, as architectures is ["Bert"#;
    assert!(error.starts_with(words), "{error}");
}
