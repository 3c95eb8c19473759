//! `quintet sentiment`.

use quintet_client::{Client, Sentiment, SentimentRequest, Sentiments};
use serde::Serialize;

use crate::{
    args::SentimentArgs,
    failure::Failure,
    output,
    texts::{self, Answer, Text, excerpt},
};

/// What `--json` prints of one text.
#[derive(Debug, Serialize)]
struct TextReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    text: &'a str,
    #[serde(flatten)]
    sentiment: &'a Sentiment,
    model: &'a str,
    version: &'a str,
}

pub(crate) async fn run(client: &Client, args: SentimentArgs) -> Result<(), Failure> {
    texts::answer(args.texts.clone(), |texts| score(client, &args, texts)).await
}

async fn score(client: &Client, args: &SentimentArgs, texts: Vec<Text>) -> Result<Answer, Failure> {
    let request = SentimentRequest::new(texts.iter().map(|it| it.text.as_str()))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .refuse_unreadable(args.strict);
    let answer = client.sentiment(request).await;
    let answer = answer.map_err(|error| texts::failure(&error, client.address(), &texts))?;
    render(&texts, &answer, args.json)
}

fn render(texts: &[Text], answer: &Sentiments, json: bool) -> Result<Answer, Failure> {
    let mut printed = Answer::default();
    for (text, sentiment) in texts.iter().zip(&answer.texts) {
        if json {
            let report = TextReport {
                line: text.line,
                text: &text.text,
                sentiment,
                model: &answer.model,
                version: &answer.version,
            };
            let report = serde_json::to_string(&report);
            printed.lines += &report.map_err(|error| Failure::of_json(&error))?;
        } else {
            let Sentiment { label, score, .. } = sentiment;
            let line = format!("{label:<8}  {score:.4}  {}", excerpt(&text.text));
            printed.lines += line.trim_end();
            note(&mut printed, text, sentiment);
        }
        printed.lines.push('\n');
    }
    Ok(printed)
}

/// Notes what makes a score doubtful.
fn note(printed: &mut Answer, text: &Text, sentiment: &Sentiment) {
    let known = sentiment.known_tokens;
    // Where the model knows no word, the label says so.
    if !sentiment.language_supported && known > 0 {
        let known = output::count(known.into(), "token");
        let note = format!("language not supported: the model knows {known}, less than half of it");
        printed.note(text, &note);
    }
    if sentiment.truncated {
        printed.note_truncated(text, sentiment.tokens);
    }
}
