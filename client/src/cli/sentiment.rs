//! `quintet sentiment`.

use quintet_client::{Client, Sentiment, SentimentRequest, Sentiments};
use serde::Serialize;

use crate::{
    args::SentimentArgs,
    failure::Failure,
    texts::{self, Text, excerpt},
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

async fn score(client: &Client, args: &SentimentArgs, texts: Vec<Text>) -> Result<String, Failure> {
    let request = SentimentRequest::new(texts.iter().map(|it| it.text.as_str()))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .refuse_unreadable(args.strict);
    let answer = client.sentiment(request).await;
    let answer = answer.map_err(|error| texts::failure(&error, client.address(), &texts))?;
    render(&texts, &answer, args.json)
}

fn render(texts: &[Text], answer: &Sentiments, json: bool) -> Result<String, Failure> {
    let mut output = String::new();
    for (Text { line, text }, sentiment) in texts.iter().zip(&answer.texts) {
        if json {
            let report = TextReport {
                line: *line,
                text,
                sentiment,
                model: &answer.model,
                version: &answer.version,
            };
            output += &serde_json::to_string(&report).map_err(|error| Failure::of_json(&error))?;
        } else {
            let Sentiment { label, score, .. } = sentiment;
            output += format!("{label:<8}  {score:.4}  {}", excerpt(text)).trim_end();
        }
        output.push('\n');
    }
    Ok(output)
}
