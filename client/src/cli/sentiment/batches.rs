//! Texts as they are read, cut into requests.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::{failure::Failure, input::RequestLimit};

/// How much one request holds: well inside what a server takes.
const LIMIT: RequestLimit = RequestLimit {
    items: 32,
    bytes: 1 << 20,
};

/// A text to score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// The number of its line in stdin; `None` for an argument.
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

/// Gives what has been read, as requests.
#[derive(Debug)]
pub(super) struct Batches {
    receiver: mpsc::Receiver<Result<Text, Failure>>,
    /// Read and not given yet; at most as many as one request holds.
    waiting: VecDeque<Result<Text, Failure>>,
}

impl Batches {
    pub(super) fn new(receiver: mpsc::Receiver<Result<Text, Failure>>) -> Self {
        Self {
            receiver,
            waiting: VecDeque::new(),
        }
    }

    /// The texts of the next request: what is there, but for an empty input, which is waited for. A
    /// failure comes after the texts before it. Safe to drop before it is done: no text is lost.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<Text>, Failure>> {
        if self.waiting.is_empty() {
            let text = self.receiver.recv().await?;
            self.waiting.push_back(text);
        }
        while self.waiting.len() < LIMIT.items
            && let Ok(text) = self.receiver.try_recv()
        {
            self.waiting.push_back(text);
        }
        let sizes = self.waiting.iter().map_while(|it| it.as_ref().ok());
        let requests = LIMIT.split(sizes.map(|it| it.text.len()));
        match requests.first() {
            Some(first) => self.waiting.drain(first.clone()).collect::<Result<_, _>>(),
            None => self.waiting.pop_front()?.map(|text| vec![text]),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: usize, bytes: usize) -> Text {
        let text = "a".repeat(bytes);
        let line = Some(line);
        Text { line, text }
    }

    async fn batches(
        texts: impl IntoIterator<Item = Result<Text, Failure>>,
    ) -> Vec<Result<Vec<usize>, String>> {
        let (sender, receiver) = mpsc::channel(100);
        for text in texts {
            sender.send(text).await.unwrap();
        }
        drop(sender);
        let mut batches = Batches::new(receiver);
        let mut all = Vec::new();
        while let Some(batch) = batches.next().await {
            let lines = batch.map(|it| it.iter().filter_map(|text| text.line).collect());
            all.push(lines.map_err(|failure| format!("{failure:?}")));
        }
        all
    }

    #[tokio::test]
    async fn texts_are_cut_by_count_and_by_bytes() {
        assert!(batches([]).await.is_empty());
        let many = batches((0..70).map(|line| Ok(text(line, 0)))).await;
        let [first, second, third] = &many[..] else {
            panic!("three requests")
        };
        assert_eq!(first, &Ok((0..32).collect()));
        assert_eq!(second, &Ok((32..64).collect()));
        assert_eq!(third, &Ok((64..70).collect()));
        let half = LIMIT.bytes / 2;
        let large = [(1, half), (2, half), (3, 1), (4, half * 2)];
        let large = large.map(|(line, bytes)| Ok(text(line, bytes)));
        assert_eq!(
            batches(large).await,
            [Ok(vec![1, 2]), Ok(vec![3]), Ok(vec![4])]
        );
    }

    #[tokio::test]
    async fn a_failure_comes_after_the_texts_before_it() {
        let texts = [Ok(text(1, 1)), Ok(text(2, 1)), Err(Failure::new("line 3"))];
        let all = batches(texts).await;
        assert_eq!(all[0], Ok(vec![1, 2]));
        assert!(all[1].as_ref().is_err_and(|it| it.contains("line 3")));
        assert_eq!(all.len(), 2);
    }

    #[tokio::test]
    async fn what_is_there_goes_at_once() {
        let (sender, receiver) = mpsc::channel(4);
        let mut batches = Batches::new(receiver);
        for line in [1, 2] {
            sender.send(Ok(text(line, 1))).await.unwrap();
            let batch = batches.next().await.unwrap().unwrap();
            assert_eq!(batch[0].line, Some(line));
        }
    }
}
