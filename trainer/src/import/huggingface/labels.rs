//! The labels of a network, and what they are to each other.

use std::collections::{BTreeMap, BTreeSet};

use quintet_bundle::ProblemType;
use serde_json::Value;

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
    let number = raw.num_labels.or(raw.older_num_labels).unwrap_or(2);
    let count = named.map_or(number, BTreeMap::len);
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
        Some(named) => match named.get(&index.to_string()) {
            Some(Value::String(name)) => Ok(name.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(other) => Err(format!("id2label.{index} is {other}; a name is allowed")),
            None => Err(format!(
                "id2label lacks {index}; 0 to {} are needed",
                count - 1
            )),
        },
    };
    let names = (0..count).map(name).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some(name) = names
        .iter()
        .find(|name| name.is_empty() || !seen.insert(*name))
    {
        return Err(format!(
            "id2label has the name `{name}`; each must be there once and not be empty"
        ));
    }
    if let Some(name) = names.iter().find(|name| name.contains(char::is_control)) {
        return Err(format!(
            "id2label has the name {name:?}; one without control characters is allowed"
        ));
    }
    let problem_type = match raw.problem_type.as_deref() {
        None if count == 1 => ProblemType::Regression,
        Some("single_label_classification") if count == 1 => {
            return Err(
                "problem_type is single_label_classification with one label, which every \
                        text would have; regression and multi_label_classification are allowed"
                    .to_owned(),
            );
        }
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
            (r#""_num_labels": 1"#.to_owned(), Regression),
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
        let control = r#""id2label": {"0": "a\nb", "1": "\u001b[31m"}"#;
        let error = read(control).unwrap_err();
        let words = r#"id2label has the name "a\nb"; one without control"#;
        assert!(error.starts_with(words), "{error}");
        let single = r#""num_labels": 1, "problem_type": "single_label_classification""#;
        let error = read(single).unwrap_err();
        assert!(error.contains("with one label"), "{error}");
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
        let numbers = read(r#""id2label": {"0": 0, "1": 1}"#).unwrap();
        assert_eq!(numbers.names, ["0", "1"]);
        for (json, words) in [
            (r#"{"0": "a", "1": null}"#, "id2label.1 is null"),
            (r#"{"0": "a", "1": "a"}"#, "id2label has the name `a`"),
            (r#"{"0": "a", "1": ""}"#, "id2label has the name ``"),
        ] {
            let error = read(&format!("\"id2label\": {json}")).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
