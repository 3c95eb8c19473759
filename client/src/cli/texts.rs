//! Texts of the command line, or lines of stdin as they come, for the commands that ask about texts.
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
use quintet_client::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub(crate) use self::batches::Text;
use self::{batches::batches, lines::lines};
use crate::{failure::Failure, output};

/// Requests under way at once.
const UNDER_WAY: usize = 8;
/// Texts that are read ahead.
const READ_AHEAD: usize = 64;
/// Characters of a text that are shown.
const SHOWN: usize = 60;

/// What is printed of the texts of a request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// On stdout.
    pub(crate) lines: String,
    /// On stderr, so that each text keeps its line.
    pub(crate) notes: String,
}

impl Answer {
    /// Notes something of a text, which is named by its line, or by its start.
    pub(crate) fn note(&mut self, text: &Text, note: &str) {
        let name = match text.line {
            Some(line) => format!("line {line}"),
            None => format!("{:?}", excerpt(&text.text)),
        };
        self.notes += &["note: ", &name, ": ", note, "\n"].concat();
    }

    /// Notes that a text was cut, and how many of its tokens the model read.
    pub(crate) fn note_truncated(&mut self, text: &Text, tokens: u32) {
        let read = output::count(tokens.into(), "token");
        self.note(text, &format!("truncated: the model read {read} of it"));
    }
}

/// Prints what `ask` makes of the texts of each request. Texts before one that fails are answered;
/// the first failure ends the run.
pub(crate) async fn answer<F>(
    arguments: Vec<String>,
    ask: impl Fn(Vec<Text>) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<Answer, Failure>>,
{
    if arguments.iter().filter(|it| *it == "-").count() > 1 {
        return Err(Failure::new("stdin (-) can be read only once"));
    }
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    // It ends with the process at the latest: a read of stdin cannot be called off.
    tokio::task::spawn_blocking(move || read(arguments, &sender));
    let batches = batches(ReceiverStream::new(receiver));
    let ask = &ask;
    let answers = batches.map(|texts| async move { ask(texts?).await });
    let mut answers = pin!(answers.buffered(UNDER_WAY));
    while let Some(answer) = answers.next().await {
        let Answer { lines, notes } = answer?;
        if !output::write(&lines)? {
            break;
        }
        output::note(&notes);
    }
    Ok(())
}

/// The error of a request for these texts, which names lines of stdin.
pub(crate) fn failure(error: &Error, server: &str, texts: &[Text]) -> Failure {
    Failure::of_items(error, server, |index| {
        texts.get(index)?.line.map(|it| format!("line {it}"))
    })
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

/// The text's start on one line, fit for a terminal.
pub(crate) fn excerpt(text: &str) -> String {
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
