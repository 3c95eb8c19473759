//! `quintet sentiment`: texts of the command line, or lines of stdin as they come.
//!
//! What waits goes into one request, up to a limit, as soon as a request may go: a slow input is
//! answered line by line, a fast one in full requests. Answers are printed in the order of the
//! texts.

mod batches;
mod lines;

use std::{
    io::{self, BufReader},
    pin::pin,
};

use futures_util::StreamExt as _;
use quintet_client::{Client, Sentiment, SentimentRequest, Sentiments};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use self::{
    batches::{Text, batches},
    lines::lines,
};
use crate::{args::SentimentArgs, failure::Failure, output};

/// Requests under way at once.
const UNDER_WAY: usize = 8;
/// Texts that are read ahead.
const READ_AHEAD: usize = 64;
/// Characters of a text that are shown.
const SHOWN: usize = 60;

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

/// Texts before one that fails are answered; the first failure ends the run.
pub(crate) async fn run(client: &Client, args: SentimentArgs) -> Result<(), Failure> {
    if args.texts.iter().filter(|it| *it == "-").count() > 1 {
        return Err(Failure::new("stdin (-) can be read only once"));
    }
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let arguments = args.texts.clone();
    // It ends with the process at the latest: a read of stdin cannot be called off.
    tokio::task::spawn_blocking(move || read(arguments, &sender));
    let batches = batches(ReceiverStream::new(receiver));
    let answers = batches.map(|texts| score(client, &args, texts));
    let mut answers = pin!(answers.buffered(UNDER_WAY));
    while let Some(answer) = answers.next().await {
        let (texts, answer) = answer?;
        if !output::write(&render(&texts, &answer, args.json)?)? {
            break;
        }
    }
    Ok(())
}

/// Hands over the texts, until one cannot be read or the other side has gone.
fn read(arguments: Vec<String>, sender: &mpsc::Sender<Result<Text, Failure>>) {
    let texts = arguments
        .into_iter()
        .flat_map(|text| -> Box<dyn Iterator<Item = _>> {
            match &*text {
                "-" => Box::new(lines(BufReader::new(io::stdin()))),
                _ => Box::new(std::iter::once(Ok(Text { line: None, text }))),
            }
        });
    for text in texts {
        let last = text.is_err();
        if sender.blocking_send(text).is_err() || last {
            return;
        }
    }
}

async fn score(
    client: &Client,
    args: &SentimentArgs,
    texts: Result<Vec<Text>, Failure>,
) -> Result<(Vec<Text>, Sentiments), Failure> {
    let texts = texts?;
    let request = SentimentRequest::new(texts.iter().map(|it| it.text.as_str()))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .refuse_unreadable(args.strict);
    let answer = client.sentiment(request).await.map_err(|error| {
        Failure::of_items(&error, client.address(), |index| {
            texts.get(index)?.line.map(|it| format!("line {it}"))
        })
    })?;
    Ok((texts, answer))
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

/// The text's start on one line, fit for a terminal.
fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    let words = text.split(|it: char| it.is_whitespace() || it.is_control());
    for word in words.filter(|it| !it.is_empty()) {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
        if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(end);
            shown.push('…');
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        let long = "ä".repeat(SHOWN);
        for (text, shown) in [
            ("", String::new()),
            ("  I \t love\u{1b}[31m\nit ", "I love [31m it".to_owned()),
            (&long, long.clone()),
            (&(long.clone() + "b"), long.clone() + "…"),
            (&(long.clone() + " b"), long.clone() + "…"),
        ] {
            assert_eq!(excerpt(text), shown);
        }
    }
}
