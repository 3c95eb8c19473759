//! The labels of a network, and what they are to each other.

use std::collections::BTreeMap;

use quintet_bundle::ProblemType;

use super::config::Raw;

/// More labels would make an answer of all of them, and the manifest, too large.
const MOST_LABELS: usize = 10_000;

/// The labels of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    /// Their names, in the order of the logits.
    pub(super) names: Vec<String>,
    /// What they are to each other.
    pub(super) problem_type: ProblemType,
}

/// The labels of a configuration: `id2label`, or `LABEL_0`, `LABEL_1`, ... without it.
pub(super) fn labels(raw: &Raw) -> Result<Labels, String> {
    let named = raw.id2label.as_ref();
    let count = named.map_or(raw.num_labels.unwrap_or(2), BTreeMap::len);
    if !(1..=MOST_LABELS).contains(&count) {
        let key = if named.is_some() {
            "id2label"
        } else {
            "num_labels"
        };
        return Err(format!(
            "{key} has {count} labels; 1 to {MOST_LABELS} are allowed"
        ));
    }
    let name = |index: usize| match named {
        None => Ok(format!("LABEL_{index}")),
        Some(named) => named
            .get(&index.to_string())
            .cloned()
            .ok_or_else(|| format!("id2label lacks {index}; 0 to {} are needed", count - 1)),
    };
    let names = (0..count).map(name).collect::<Result<Vec<_>, _>>()?;
    let problem_type = match raw.problem_type.as_deref() {
        None if count == 1 => ProblemType::Regression,
        None | Some("single_label_classification") => ProblemType::SingleLabelClassification,
        Some("multi_label_classification") => ProblemType::MultiLabelClassification,
        Some("regression") => ProblemType::Regression,
        Some(other) => {
            let allowed = "single_label_classification, multi_label_classification and regression";
            return Err(format!("problem_type is {other}; {allowed} are allowed"));
        }
    };
    Ok(Labels {
        names,
        problem_type,
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    fn read(more: &str) -> Result<Labels, String> {
        let class = r#""architectures": ["BertForSequenceClassification"]"#;
        Ok(Config::from_json(format!("{{{class}, {more}}}").as_bytes())?.labels)
    }

    #[test]
    fn problem_types() {
        use ProblemType::{MultiLabelClassification, Regression, SingleLabelClassification};
        let two = r#""id2label": {"1": "good", "0": "bad"}"#;
        for (json, expected) in [
            (two.to_owned(), SingleLabelClassification),
            (r#""num_labels": 1"#.to_owned(), Regression),
            (
                format!(r#"{two}, "problem_type": "multi_label_classification""#),
                MultiLabelClassification,
            ),
            (
                format!(r#"{two}, "problem_type": "regression""#),
                Regression,
            ),
            (
                format!(r#"{two}, "problem_type": null"#),
                SingleLabelClassification,
            ),
        ] {
            assert_eq!(read(&json).unwrap().problem_type, expected, "{json}");
        }
        assert_eq!(read(two).unwrap().names, ["bad", "good"]);
        let error = read(r#""problem_type": "ranking""#).unwrap_err();
        assert!(
            error.starts_with("problem_type is ranking; single_label"),
            "{error}"
        );
    }

    #[test]
    fn labels_are_bounded_and_without_gaps() {
        let error = read(r#""num_labels": 1000000"#).unwrap_err();
        assert_eq!(
            error,
            "num_labels has 1000000 labels; 1 to 10000 are allowed"
        );
        let many: Vec<_> = (0..10_001)
            .map(|it| format!(r#""{it}": "x{it}""#))
            .collect();
        let error = read(&format!(r#""id2label": {{{}}}"#, many.join(","))).unwrap_err();
        assert_eq!(error, "id2label has 10001 labels; 1 to 10000 are allowed");
        let error = read(r#""id2label": {"0": "a", "2": "b"}"#).unwrap_err();
        assert_eq!(error, "id2label lacks 1; 0 to 1 are needed");
    }
}
