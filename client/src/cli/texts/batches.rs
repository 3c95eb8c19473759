//! Texts as they are read, cut into requests.

use futures_util::{Stream, StreamExt as _, stream};

use crate::{failure::Failure, input::RequestLimit};

/// How much one request holds: well inside what a server takes.
const LIMIT: RequestLimit = RequestLimit {
    items: 32,
    bytes: 1 << 20,
};

/// A text to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The number of its line in stdin; `None` for an argument.
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
}

/// The texts of each request: what is there, but for an empty input, which is waited for. A failure,
/// which is the last item, comes after the texts before it.
pub(super) fn batches(
    texts: impl Stream<Item = Result<Text, Failure>>,
) -> impl Stream<Item = Result<Vec<Text>, Failure>> {
    texts
        .ready_chunks(LIMIT.items)
        .flat_map(|texts| stream::iter(split(texts)))
}

/// Cuts texts into requests that fit, with the failure after them.
fn split(texts: Vec<Result<Text, Failure>>) -> Vec<Result<Vec<Text>, Failure>> {
    let sizes = texts.iter().map_while(|it| it.as_ref().ok());
    let requests = LIMIT.split(sizes.map(|it| it.text.len()));
    let mut texts = texts.into_iter();
    let request = |it: std::ops::Range<usize>| texts.by_ref().take(it.len()).collect();
    let mut requests: Vec<_> = requests.into_iter().map(request).collect();
    requests.extend(texts.map(|failure| failure.map(|text| vec![text])));
    requests
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    fn text(line: usize, bytes: usize) -> Text {
        let text = "a".repeat(bytes);
        let line = Some(line);
        Text { line, text }
    }

    async fn batches(
        texts: impl IntoIterator<Item = Result<Text, Failure>>,
    ) -> Vec<Result<Vec<usize>, String>> {
        let lines = |texts: Vec<Text>| texts.iter().filter_map(|text| text.line).collect();
        super::batches(stream::iter(texts))
            .map(|batch| batch.map(lines).map_err(|failure| format!("{failure:?}")))
            .collect()
            .await
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
        let mut batches = super::batches(ReceiverStream::new(receiver));
        for line in [1, 2] {
            sender.send(Ok(text(line, 1))).await.unwrap();
            let batch = batches.next().await.unwrap().unwrap();
            assert_eq!(batch[0].line, Some(line));
        }
    }
}
