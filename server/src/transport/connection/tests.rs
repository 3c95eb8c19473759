//! A connection and h2's own client at the two ends of a pipe.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use h2::client::{self, SendRequest};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::super::exchange::Reply;
use super::super::{BoxError, Outgoing};
use super::*;

/// A handler that is a function.
struct Answer<F>(F);

impl<F: Fn(Request<Incoming>) -> Answering> Handler for Answer<F> {
    fn call(&self, request: Request<Incoming>, _: &Arc<Peer>) -> Answering {
        (self.0)(request)
    }
}

/// An answer of these frames.
struct Listed(VecDeque<Frame<Bytes>>);

impl Outgoing for Listed {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn peer() -> Arc<Peer> {
    let address = ([127, 0, 0, 1], 1).into();
    Arc::new(Peer {
        address,
        identity: None,
    })
}

/// Both ends, the client's not yet driven by anybody.
async fn ends<F>(
    answer: F,
    window: u32,
) -> (
    Connection<DuplexStream, Answer<F>>,
    SendRequest<Bytes>,
    client::Connection<DuplexStream>,
)
where
    F: Fn(Request<Incoming>) -> Answering,
{
    let (here, there) = duplex(1 << 16);
    let mut client = client::Builder::new();
    client.initial_window_size(window);
    let (server, client) = tokio::join!(
        Connection::open(here, peer(), Answer(answer), Arc::default()),
        client.handshake(there)
    );
    let (sender, driver) = client.unwrap();
    (server.unwrap(), sender, driver)
}

fn request(path: &str) -> Request<()> {
    Request::post(format!("http://quintet{path}"))
        .body(())
        .unwrap()
}

fn unasked(_: Request<Incoming>) -> Answering {
    unreachable!("nothing is asked")
}

fn message(bytes: impl Into<Bytes>) -> Response<Reply> {
    Response::new(Reply::Message(bytes.into()))
}

/// A body and the status after it, taken a little at a time.
async fn read(response: h2::client::ResponseFuture) -> (Vec<u8>, Option<HeaderMap>) {
    let mut body = response.await.unwrap().into_body();
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        read.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    (read, body.trailers().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn who_gives_no_sign_of_life_is_ended() {
    // The client's end is there, and nobody answers for it.
    let (server, _sender, _driver) = ends(unasked, 1 << 16).await;
    let started = Instant::now();
    assert!(matches!(server.await, Err(Ended::Silent)));
    let took = started.elapsed();
    assert!(KEEPALIVE * 2 <= took && took <= KEEPALIVE * 3, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_answers_and_asks_nothing_stays() {
    let (server, sender, driver) = ends(unasked, 1 << 16).await;
    tokio::spawn(driver);
    assert!(timeout(Duration::from_hours(24), server).await.is_err());
    drop(sender);
}

#[tokio::test]
async fn all_that_has_come_is_taken_up_before_any_is_begun() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let answer = |request: Request<Incoming>| -> Answering {
        let path = request.uri().path().to_owned();
        order.lock().unwrap().push(format!("came {path}"));
        let order = Arc::clone(&order);
        Box::pin(async move {
            order.lock().unwrap().push(format!("begun {path}"));
            message(path)
        })
    };
    let (mut server, mut sender, mut driver) = ends(answer, 1 << 16).await;
    let (one, _) = sender.send_request(request("/1"), true).unwrap();
    let (other, _) = sender.send_request(request("/2"), true).unwrap();
    // The client writes both, then the server reads both.
    let mut unwoken = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut driver).poll(&mut unwoken).is_pending());
    assert!(Pin::new(&mut server).poll(&mut unwoken).is_pending());
    assert_eq!(
        *order.lock().unwrap(),
        ["came /1", "came /2", "begun /1", "begun /2"]
    );
    tokio::spawn(driver);
    let answers = async { (read(one).await.0, read(other).await.0) };
    let answers = tokio::select! { answers = answers => answers, _ = server => unreachable!() };
    assert_eq!(answers, (b"/1".to_vec(), b"/2".to_vec()));
}

#[tokio::test]
async fn who_leaves_in_the_same_breath_is_not_answered() {
    let begun = Arc::new(AtomicBool::new(false));
    let answer = |_: Request<Incoming>| -> Answering {
        let begun = Arc::clone(&begun);
        Box::pin(async move {
            begun.store(true, Ordering::Relaxed);
            message("nobody's")
        })
    };
    let (mut server, mut sender, mut driver) = ends(answer, 1 << 16).await;
    let mut unwoken = Context::from_waker(Waker::noop());
    let (_response, mut stream) = sender.send_request(request("/"), false).unwrap();
    assert!(Pin::new(&mut driver).poll(&mut unwoken).is_pending());
    stream.send_reset(h2::Reason::CANCEL);
    assert!(Pin::new(&mut driver).poll(&mut unwoken).is_pending());
    assert!(Pin::new(&mut server).poll(&mut unwoken).is_pending());
    assert!(server.has_asked() && !begun.load(Ordering::Relaxed));
}

/// h2 finds them together when the server's thread was busy elsewhere for a moment.
#[tokio::test]
async fn a_burst_of_cancelled_requests_costs_no_other_request() {
    let answer = |_: Request<Incoming>| -> Answering { Box::pin(ready(message("fine"))) };
    let (mut server, mut sender, mut driver) = ends(answer, 1 << 16).await;
    let mut unwoken = Context::from_waker(Waker::noop());
    let (patient, _) = sender.send_request(request("/patient"), true).unwrap();
    for _ in 0..1200 {
        let (_response, mut stream) = sender.send_request(request("/"), false).unwrap();
        assert!(Pin::new(&mut driver).poll(&mut unwoken).is_pending());
        stream.send_reset(h2::Reason::CANCEL);
        assert!(Pin::new(&mut driver).poll(&mut unwoken).is_pending());
    }
    assert!(Pin::new(&mut server).poll(&mut unwoken).is_pending());
    tokio::spawn(driver);
    let (body, _) = tokio::select! {
        answer = read(patient) => answer,
        ended = server => panic!("{ended:?}"),
    };
    assert_eq!(body, b"fine");
}

/// Any byte was a sign of life once.
#[tokio::test(start_paused = true)]
async fn who_sends_headers_byte_by_byte_is_ended() {
    let (here, mut there) = duplex(1 << 16);
    let opening = Connection::open(here, peer(), Answer(unasked), Arc::default());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    there.write_all(preface).await.unwrap();
    let server = tokio::spawn(opening.await.unwrap());
    let started = Instant::now();
    there
        .write_all(b"\0\x40\0\x01\x04\0\0\0\x01")
        .await
        .unwrap();
    while !server.is_finished() {
        // The server may have closed it.
        let _ = there.write_all(b"\0").await;
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    assert!(matches!(server.await.unwrap(), Err(Ended::Silent)));
    assert!(started.elapsed() < KEEPALIVE * 4);
}

#[tokio::test]
async fn a_panic_costs_no_other_request() {
    let answer = |request: Request<Incoming>| -> Answering {
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            assert_ne!(path, "/at-once");
            tokio::task::yield_now().await;
            assert_ne!(path, "/later");
            message("fine")
        })
    };
    let (server, sender, driver) = ends(answer, 1 << 16).await;
    tokio::spawn(driver);
    let ask = |path| {
        let mut sender = sender.clone();
        sender.send_request(request(path), true).unwrap().0
    };
    let (fine, at_once, later) = (ask("/fine"), ask("/at-once"), ask("/later"));
    let answers = async { (read(fine).await.0, at_once.await, later.await) };
    let (fine, at_once, later) =
        tokio::select! { answers = answers => answers, _ = server => unreachable!() };
    assert_eq!(fine, b"fine");
    for outcome in [at_once, later] {
        let reason = outcome.unwrap_err().reason();
        assert_eq!(reason, Some(h2::Reason::INTERNAL_ERROR));
    }
}

#[tokio::test]
async fn what_exceeds_the_callers_window_comes_as_it_makes_room() {
    let whole: Vec<u8> = (0..1 << 20).map(|index| (index % 251) as u8).collect();
    let answer = {
        let whole = Bytes::from(whole.clone());
        move |request: Request<Incoming>| -> Answering {
            let reply = if request.uri().path() == "/message" {
                Reply::Message(whole.clone())
            } else {
                let mut status = HeaderMap::new();
                status.insert("grpc-status", HeaderValue::from_static("0"));
                let frames = whole
                    .chunks(10_000)
                    .map(|chunk| Frame::data(whole.slice_ref(chunk)));
                let frames: Vec<_> = frames.chain([Frame::trailers(status)]).collect();
                Reply::Stream(Box::new(Listed(frames.into())))
            };
            Box::pin(ready(Response::new(reply)))
        }
    };
    let (server, mut sender, driver) = ends(answer, 1000).await;
    tokio::spawn(driver);
    let (one, _) = sender.send_request(request("/message"), true).unwrap();
    let (other, _) = sender.send_request(request("/stream"), true).unwrap();
    let answers = async { tokio::join!(read(one), read(other)) };
    let (one, other) =
        tokio::select! { answers = answers => answers, _ = server => unreachable!() };
    for (body, trailers) in [one, other] {
        assert!(body == whole);
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
    }
}
