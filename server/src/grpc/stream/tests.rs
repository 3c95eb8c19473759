//! The window, the order and the ends of a stream, on requests that the test finishes by hand.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::stream::poll_fn;
use tokio::sync::oneshot;

use tonic::Code;

use super::super::status::status;
use super::*;

/// Finishes the requests that were taken up, by their place.
type Taken = Rc<RefCell<Vec<Option<oneshot::Sender<usize>>>>>;
/// What the caller sends; `None` in it: the end. Empty: nothing has come yet.
type Sent = Rc<RefCell<VecDeque<Option<Result<usize, ServeError>>>>>;

/// A stream of answers to what is put into `Sent`.
fn answers(
    lifecycle: &Lifecycle,
    in_order: bool,
    deadline: Option<Instant>,
) -> (
    impl Stream<Item = Result<<Received as Future>::Output, ServeError>>,
    Sent,
    Taken,
) {
    let (sent, taken) = (Sent::default(), Taken::default());
    let requests = {
        let sent = Rc::clone(&sent);
        poll_fn(move |_| match sent.borrow_mut().pop_front() {
            Some(next) => Poll::Ready(next),
            None => Poll::Pending,
        })
    };
    let answer = {
        let taken = Rc::clone(&taken);
        move |_: usize| {
            let (sender, receiver) = oneshot::channel();
            taken.borrow_mut().push(Some(sender));
            receiver
        }
    };
    let answers = Answers::new(requests, (in_order, deadline), lifecycle, answer);
    (answers, sent, taken)
}

type Received = oneshot::Receiver<usize>;

fn send(sent: &Sent, requests: impl IntoIterator<Item = usize>) {
    sent.borrow_mut()
        .extend(requests.into_iter().map(|request| Some(Ok(request))));
}

fn finish(taken: &Taken, request: usize) {
    let sender = taken.borrow_mut()[request].take().unwrap();
    sender.send(request).unwrap();
}

/// The answers that are there now; `Some` code at the end of a stream that has ended, 0 for a good
/// end.
fn now<A>(
    answers: &mut (impl Stream<Item = Result<A, ServeError>> + Unpin),
) -> (Vec<A>, Option<Code>) {
    let mut seen = Vec::new();
    loop {
        match answers.next().now_or_never() {
            None => return (seen, None),
            Some(None) => return (seen, Some(Code::Ok)),
            Some(Some(Ok(answer))) => seen.push(answer),
            Some(Some(Err(error))) => return (seen, Some(status(&error).code())),
        }
    }
}

#[tokio::test]
async fn no_more_than_a_window_is_under_way() {
    let lifecycle = Lifecycle::default();
    let (mut answers, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..WINDOW + 2);
    assert_eq!(now(&mut answers), (vec![], None));
    assert_eq!(taken.borrow().len(), WINDOW);
    finish(&taken, 7);
    assert_eq!(now(&mut answers), (vec![Ok(7)], None));
    assert_eq!(taken.borrow().len(), WINDOW + 1);
}

#[tokio::test]
async fn answers_come_as_they_are_done_or_in_order() {
    let lifecycle = Lifecycle::default();
    let (mut free, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..3);
    assert_eq!(now(&mut free), (vec![], None));
    finish(&taken, 2);
    assert_eq!(now(&mut free), (vec![Ok(2)], None));

    let (mut ordered, sent, taken) = answers(&lifecycle, true, None);
    send(&sent, 0..3);
    assert_eq!(now(&mut ordered), (vec![], None));
    finish(&taken, 2);
    finish(&taken, 0);
    assert_eq!(now(&mut ordered), (vec![Ok(0)], None));
    finish(&taken, 1);
    assert_eq!(now(&mut ordered), (vec![Ok(1), Ok(2)], None));
}

#[tokio::test]
async fn the_end_waits_for_what_was_read() {
    let lifecycle = Lifecycle::default();
    let (mut answers, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..1);
    sent.borrow_mut().push_back(None);
    assert_eq!(now(&mut answers), (vec![], None));
    finish(&taken, 0);
    assert_eq!(now(&mut answers), (vec![Ok(0)], Some(Code::Ok)));
}

#[tokio::test]
async fn a_drain_ends_the_stream_after_what_was_read() {
    let lifecycle = Lifecycle::default();
    let (mut answers, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..1);
    assert_eq!(now(&mut answers), (vec![], None));
    lifecycle.drain();
    send(&sent, 1..2);
    assert_eq!(now(&mut answers), (vec![], None));
    assert_eq!(taken.borrow().len(), 1, "nothing more is taken up");
    finish(&taken, 0);
    assert_eq!(now(&mut answers), (vec![Ok(0)], Some(Code::Unavailable)));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_ends_the_stream_after_what_was_read() {
    let lifecycle = Lifecycle::default();
    let (mut answers, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..1);
    let failure = ServeError::invalid("request", "too large");
    sent.borrow_mut().push_back(Some(Err(failure)));
    assert_eq!(now(&mut answers), (vec![], None));
    finish(&taken, 0);
    assert_eq!(
        now(&mut answers),
        (vec![Ok(0)], Some(Code::InvalidArgument))
    );
}

#[tokio::test]
async fn a_deadline_or_a_caller_that_leaves_drops_what_is_under_way() {
    let lifecycle = Lifecycle::default();
    let is_dropped = |taken: &Taken| taken.borrow()[0].as_ref().unwrap().is_closed();
    let (mut late, sent, taken) = answers(&lifecycle, false, Some(Instant::now()));
    send(&sent, 0..1);
    let end = late.next().await.unwrap().unwrap_err();
    assert_eq!(status(&end).code(), Code::DeadlineExceeded);
    assert!(taken.borrow().is_empty() || is_dropped(&taken));
    assert_eq!(now(&mut late), (vec![], Some(Code::Ok)), "and nothing more");

    let (mut left, sent, taken) = answers(&lifecycle, false, None);
    send(&sent, 0..1);
    assert_eq!(now(&mut left), (vec![], None));
    assert!(!is_dropped(&taken));
    drop(left);
    assert!(is_dropped(&taken));
}
