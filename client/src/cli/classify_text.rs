//! `quintet classify-text`.

use quintet_client::{
    ClassifyTextRequest, Client, TextClassification, TextClassifications, TextInput,
};
use serde::Serialize;

use crate::{
    args::ClassifyTextArgs,
    failure::Failure,
    output::printable,
    texts::{self, Answer, Text, excerpt},
};

/// What `--json` prints of one text.
#[derive(Debug, Serialize)]
struct TextReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_pair: Option<&'a str>,
    #[serde(flatten)]
    classification: &'a TextClassification,
    model: &'a str,
    version: &'a str,
}

pub(crate) async fn run(client: &Client, args: ClassifyTextArgs) -> Result<(), Failure> {
    texts::answer(args.texts.clone(), |texts| classify(client, &args, texts)).await
}

async fn classify(
    client: &Client,
    args: &ClassifyTextArgs,
    texts: Vec<Text>,
) -> Result<Answer, Failure> {
    let input = |it: &Text| match &args.text_pair {
        Some(pair) => TextInput::pair(&it.text, pair),
        None => TextInput::new(&it.text),
    };
    let request = ClassifyTextRequest::new(texts.iter().map(input))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .top_k(args.top_k)
        .return_logits(args.logits)
        .refuse_truncated(args.strict);
    let answer = client.classify_text(request).await;
    let answer = answer.map_err(|error| texts::failure(&error, client.address(), &texts))?;
    render(&texts, &answer, args)
}

fn render(
    texts: &[Text],
    answer: &TextClassifications,
    args: &ClassifyTextArgs,
) -> Result<Answer, Failure> {
    let mut printed = Answer::default();
    for (text, classification) in texts.iter().zip(&answer.texts) {
        if args.json {
            let report = TextReport {
                line: text.line,
                text: &text.text,
                text_pair: args.text_pair.as_deref(),
                classification,
                model: &answer.model,
                version: &answer.version,
            };
            let report = serde_json::to_string(&report);
            printed.lines += &report.map_err(|error| Failure::of_json(&error))?;
            printed.lines.push('\n');
        } else {
            printed.lines += &lines(classification, &excerpt(&text.text));
            if classification.truncated {
                printed.note_truncated(text, classification.tokens);
            }
        }
    }
    Ok(printed)
}

/// A line a label, the text beside the first; of a regression, a line with its numbers.
fn lines(classification: &TextClassification, text: &str) -> String {
    let TextClassification { labels, logits, .. } = classification;
    let numbers = |numbers: &[f32]| {
        let numbers: Vec<_> = numbers.iter().map(|it| format!("{it:.4}")).collect();
        numbers.join(" ")
    };
    if labels.is_empty() {
        return format!("{}  {text}", numbers(logits)).trim_end().to_owned() + "\n";
    }
    let texts = std::iter::once(text).chain(std::iter::repeat(""));
    let lines = labels.iter().zip(texts).map(|(label, text)| {
        let logit = logits.get(label.index as usize);
        let logit = logit.map_or_else(String::new, |it| format!("  {it:8.4}"));
        // A label may hold an end of line.
        let name = excerpt(&label.name);
        let line = format!("{name:<8}  {:.4}{logit}  {text}", label.probability);
        line.trim_end().to_owned() + "\n"
    });
    printable(&lines.collect::<String>()).into_owned()
}
