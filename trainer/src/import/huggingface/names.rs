//! What the weights of our encoder are called in the files of `transformers`.

use super::config::Family;

/// Parts of the names, ours and DistilBERT's.
const DISTILBERT: [(&str, &str); 9] = [
    ("encoder.layer.", "transformer.layer."),
    ("attention.self.query.", "attention.q_lin."),
    ("attention.self.key.", "attention.k_lin."),
    ("attention.self.value.", "attention.v_lin."),
    ("attention.output.dense.", "attention.out_lin."),
    ("attention.output.LayerNorm.", "sa_layer_norm."),
    ("intermediate.dense.", "ffn.lin1."),
    ("output.dense.", "ffn.lin2."),
    (".output.LayerNorm.", ".output_layer_norm."),
];

/// Beginnings of the names of tensors that a classifier does not use.
const UNUSED: [&str; 5] = [
    "cls.",
    "lm_head.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
];

/// The name of our weight in a checkpoint of this family.
pub(crate) fn theirs(family: Family, ours: &str) -> String {
    let (head, part) = ours.split_once('.').unwrap_or((ours, ""));
    match (family, head) {
        (Family::Bert | Family::DistilBert, "classifier") => ours.to_owned(),
        (Family::DistilBert, "pooler") => part.replacen("dense", "pre_classifier", 1),
        (Family::Roberta, "pooler") => format!("classifier.{part}"),
        (Family::Roberta, "classifier") => format!("classifier.out_proj.{part}"),
        (Family::DistilBert, "encoder") => {
            let renamed = DISTILBERT
                .iter()
                .fold(ours.to_owned(), |name, (ours, theirs)| {
                    name.replacen(ours, theirs, 1)
                });
            format!("{}.{renamed}", family.name())
        }
        _ => format!("{}.{ours}", family.name()),
    }
}

/// The name that very old checkpoints have for a weight of a layer normalisation.
pub(crate) fn older(theirs: &str) -> Option<String> {
    let (layer, part) = theirs.rsplit_once('.')?;
    let part = match part {
        "weight" => "gamma",
        "bias" => "beta",
        _ => return None,
    };
    layer
        .ends_with("LayerNorm")
        .then(|| format!("{layer}.{part}"))
}

/// Whether a classifier of this family has no use for the tensor: positions that count up, another
/// head, or RoBERTa's pooler, which its classifier does without.
pub(super) fn is_unused(family: Family, name: &str) -> bool {
    let family_pooler = family == Family::Roberta && name.starts_with("roberta.pooler.");
    let counts =
        name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids");
    family_pooler || counts || UNUSED.iter().any(|it| name.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_transformers() {
        for (family, ours, expected) in [
            (
                Family::Bert,
                "encoder.layer.11.attention.output.LayerNorm.bias",
                "bert.encoder.layer.11.attention.output.LayerNorm.bias",
            ),
            (
                Family::Bert,
                "pooler.dense.weight",
                "bert.pooler.dense.weight",
            ),
            (Family::Bert, "classifier.weight", "classifier.weight"),
            (
                Family::Roberta,
                "pooler.dense.weight",
                "classifier.dense.weight",
            ),
            (
                Family::Roberta,
                "classifier.bias",
                "classifier.out_proj.bias",
            ),
            (
                Family::Roberta,
                "embeddings.word_embeddings.weight",
                "roberta.embeddings.word_embeddings.weight",
            ),
            (
                Family::DistilBert,
                "pooler.dense.bias",
                "pre_classifier.bias",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.attention.self.query.weight",
                "distilbert.transformer.layer.0.attention.q_lin.weight",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.attention.output.dense.weight",
                "distilbert.transformer.layer.0.attention.out_lin.weight",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.attention.output.LayerNorm.weight",
                "distilbert.transformer.layer.0.sa_layer_norm.weight",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.intermediate.dense.weight",
                "distilbert.transformer.layer.0.ffn.lin1.weight",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.output.dense.weight",
                "distilbert.transformer.layer.0.ffn.lin2.weight",
            ),
            (
                Family::DistilBert,
                "encoder.layer.0.output.LayerNorm.weight",
                "distilbert.transformer.layer.0.output_layer_norm.weight",
            ),
        ] {
            assert_eq!(theirs(family, ours), expected);
        }
        let old = older("bert.embeddings.LayerNorm.weight").unwrap();
        assert_eq!(old, "bert.embeddings.LayerNorm.gamma");
        assert_eq!(older("classifier.weight"), None);
    }
}
