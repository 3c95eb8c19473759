//! `quintet sentiment`: texts of the command line, or lines of stdin as they come.
//!
//! What waits goes into one request, up to a limit, as soon as a request may go: a slow input is
//! answered line by line, a fast one in full requests. Answers are printed in the order of the
//! texts.

mod batches;
mod lines;

use std::{
    collections::VecDeque,
    io::{self, BufReader},
};

use quintet_client::{Client, Sentiment, SentimentRequest, Sentiments};
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};

use self::{
    batches::{Batches, Text},
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

/// Texts and what the server made of them.
#[derive(Debug)]
struct Answered {
    texts: Vec<Text>,
    answer: Sentiments,
}

type Request = JoinHandle<Result<Answered, Failure>>;

/// Texts before one that fails are answered; the first failure ends the run.
pub(crate) async fn run(client: &Client, args: SentimentArgs) -> Result<(), Failure> {
    if args.texts.iter().filter(|it| *it == "-").count() > 1 {
        return Err(Failure::new("stdin (-) can be read only once"));
    }
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let arguments = args.texts.clone();
    // It ends with the process at the latest: a read of stdin cannot be called off.
    tokio::task::spawn_blocking(move || read(arguments, &sender));
    let mut batches = Batches::new(receiver);
    let mut under_way = VecDeque::new();
    // Set when no more is read: why, or that all was.
    let mut end = None;
    loop {
        tokio::select! {
            biased;
            answered = first(&mut under_way), if !under_way.is_empty() => {
                under_way.pop_front();
                if !output::write(&render(&answered?, args.json)?)? {
                    return Ok(());
                }
            }
            batch = batches.next(), if end.is_none() && under_way.len() < UNDER_WAY => match batch {
                Some(Ok(texts)) => under_way.push_back(send(client, &args, texts)),
                Some(Err(failure)) => end = Some(Err(failure)),
                None => end = Some(Ok(())),
            },
            else => return end.unwrap_or(Ok(())),
        }
    }
}

/// Hands over the texts, until the other side has gone.
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

fn send(client: &Client, args: &SentimentArgs, texts: Vec<Text>) -> Request {
    let client = client.clone();
    let request = SentimentRequest::new(texts.iter().map(|it| it.text.as_str()))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default());
    tokio::spawn(async move {
        match client.sentiment(request).await {
            Ok(answer) => Ok(Answered { texts, answer }),
            Err(error) => Err(Failure::of_items(&error, client.address(), |index| {
                texts.get(index)?.line.map(|it| format!("line {it}"))
            })),
        }
    })
}

/// Waits for the request that was sent first.
async fn first(under_way: &mut VecDeque<Request>) -> Result<Answered, Failure> {
    let Some(request) = under_way.front_mut() else {
        return std::future::pending().await;
    };
    request
        .await
        .map_err(|error| Failure::new(format!("a request failed: {error}")))?
}

fn render(answered: &Answered, json: bool) -> Result<String, Failure> {
    let Answered { texts, answer } = answered;
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
