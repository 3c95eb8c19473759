//! The connections of `quintet bench`: those that close, and a Unix socket's.

use bytes::Bytes;
use quintet_proto::v1::ClassifyRequest;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    quintet::{Finished, run},
    support::{FakeServer, sevens},
};

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("the output is JSON")
}

#[tokio::test]
async fn bench_goes_by_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::at_socket(&folder.path().join("socket"));
    let args = ["bench", "--duration", "100ms", "--warmup", "0s", "--stream"];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

/// Answers 50 calls on a connection, and then closes it so; ends when it is closed.
async fn closing(
    listener: &TcpListener,
    close: impl Fn(&mut Connection),
) -> Result<(), Box<dyn std::error::Error>> {
    let (stream, _) = listener.accept().await?;
    let mut connection = h2::server::handshake(stream).await?;
    let mut answered = 0;
    while let Some(call) = connection.accept().await {
        let (_, mut respond) = call?;
        let reply = http::Response::builder().header("content-type", "application/grpc");
        let mut stream = respond.send_response(reply.body(())?, false)?;
        stream.send_data(framed_seven(), false)?;
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        stream.send_trailers(trailers)?;
        answered += 1;
        if answered == 50 {
            close(&mut connection);
        }
    }
    Ok(())
}

type Connection = h2::server::Connection<tokio::net::TcpStream, Bytes>;

#[tokio::test]
async fn another_connection_is_opened_when_one_closes_until_there_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = listener.local_addr().unwrap().to_string();
    let abrupt = |it: &mut Connection| it.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
    let server = async {
        // Whether the peer was still there at the end is not what counts.
        let _ = closing(&listener, Connection::graceful_shutdown).await;
        let _ = closing(&listener, abrupt).await;
        let _ = closing(&listener, Connection::graceful_shutdown).await;
        drop(listener);
        std::future::pending::<()>().await;
    };
    let args = "bench --duration 60s --warmup 0s --json --timeout 300ms";
    let args: Vec<&str> = args.split_whitespace().collect();
    let finished = tokio::select! {
        finished = run(&url, &args) => finished,
        () = server => unreachable!("it never ends"),
    };
    assert_eq!(finished.code, Some(1));
    let why = "no other could be opened";
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
    let report = report(&finished);
    assert!(report["seconds"].as_f64() < Some(60.0));
    // Two connections have answered 50 each, but for the request before the load.
    assert!(report["requests"].as_u64() >= Some(99), "{report}");
    assert!(
        report["errors"]["LOST"]["count"].as_u64() > Some(0),
        "{report}"
    );
}

/// A framed answer to a request of one image.
fn framed_seven() -> Bytes {
    use prost::Message as _;

    let request = ClassifyRequest {
        images: vec![quintet_proto::v1::Image::default()],
        ..ClassifyRequest::default()
    };
    let message = sevens(&request).encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed.into()
}
