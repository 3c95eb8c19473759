//! How a post-processor puts special tokens around texts, in the words of `TemplateProcessing`.

use serde_json::{Value, json};

/// `[CLS]:0 $A:0 [SEP]:0 | [CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1`: one text and two, with their types
/// where `has_types` says so. None of a post-processor that is not known.
pub(super) fn template(post_processor: &Value, has_types: bool) -> Option<String> {
    let [cls, sep] = ["cls", "sep"].map(|key| post_processor[key][0].as_str());
    match post_processor["type"].as_str()? {
        "BertProcessing" => template(&joined([cls?, sep?], false), has_types),
        "RobertaProcessing" => template(&joined([cls?, sep?], true), has_types),
        "TemplateProcessing" => {
            let [single, pair] = ["single", "pair"].map(|key| {
                let pieces = post_processor[key].as_array()?.iter();
                let pieces = pieces.map(|it| piece(it, has_types));
                Some(pieces.collect::<Option<Vec<_>>>()?.join(" "))
            });
            Some(format!("{} | {}", single?, pair?))
        }
        "Sequence" => {
            // It changes offsets alone.
            let processors = post_processor["processors"].as_array()?.iter();
            let mut others = processors.filter(|it| it["type"] != "ByteLevel");
            let only = others.next()?;
            others.next().is_none().then(|| template(only, has_types))?
        }
        _ => None,
    }
}

/// What BERT's classes make of these two tokens, or RoBERTa's, which are `doubled` and untyped.
pub(super) fn joined([cls, sep]: [&str; 2], doubled: bool) -> Value {
    let second = i64::from(!doubled);
    let token = |id: &str, type_id: i64| json!({"SpecialToken": {"id": id, "type_id": type_id}});
    let text = |id: &str, type_id: i64| json!({"Sequence": {"id": id, "type_id": type_id}});
    let single = vec![token(cls, 0), text("A", 0), token(sep, 0)];
    let mut pair = single.clone();
    if doubled {
        pair.push(token(sep, 0));
    }
    pair.extend([text("B", second), token(sep, second)]);
    json!({"type": "TemplateProcessing", "single": single, "pair": pair})
}

fn piece(piece: &Value, has_types: bool) -> Option<String> {
    let (of, mark) = match piece.get("SpecialToken") {
        Some(token) => (token, ""),
        None => (piece.get("Sequence")?, "$"),
    };
    let name = of["id"].as_str()?;
    let type_id = of["type_id"].as_i64()?;
    Some(if has_types {
        format!("{mark}{name}:{type_id}")
    } else {
        format!("{mark}{name}")
    })
}
