//! A task from outside the server: its messages, its limit and its call, through the same batching.

use std::pin::pin;

use bytes::Bytes;
use prost::Message as _;
use quintet_bundle::Manifest;
use quintet_e2e::{frame, grpc_message, server, tiny};
use quintet_server::call::Call;
use quintet_server::error::ServeError;
use quintet_server::grpc::Rpc;
use quintet_server::runtime::Row;
use quintet_server::task::{Task, classify};
use tonic::Code;
use tonic_health::ServingStatus;

const PATH: &str = "/toy.v1.Toy/LikeliestClass";

#[derive(Clone, PartialEq, prost::Message)]
struct Ask {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    frames: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Classes {
    #[prost(uint32, repeated, tag = "1")]
    classes: Vec<u32>,
}

#[derive(Debug)]
struct Toy {
    max_frames: usize,
}

impl Task for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn check(&self, _: &Manifest) -> Result<(), String> {
        Err("it borrows the classifiers".to_owned())
    }

    fn calls(&self) -> Vec<Rpc> {
        let max_frames = self.max_frames;
        vec![Rpc::unary(PATH, move |call, ask| {
            likeliest(max_frames, call, ask)
        })]
    }
}

async fn likeliest(max_frames: usize, call: Call, ask: Ask) -> Result<Classes, ServeError> {
    let model = call.resolve(classify::NAME, "", "")?;
    let count = ask.frames.len();
    ServeError::check_count("frames", count, max_frames)?;
    let row = |frame: Bytes| -> Row { std::iter::once(frame).collect() };
    let rows = ask.frames.into_iter().map(row).collect();
    let rows = pin!(async { Ok((rows, ())) });
    let likeliest = |row: &Row| {
        let numbers = row[0]
            .as_chunks()
            .0
            .iter()
            .map(|it| f32::from_le_bytes(*it));
        let best = numbers.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(class, _)| class as u32)
    };
    let served = model.serve(call.deadline(), count, rows, |outputs, ()| {
        outputs.iter().map(likeliest).collect::<Option<Vec<u32>>>()
    });
    let classes = served.await?.answer;
    Ok(Classes { classes })
}

#[tokio::test]
async fn a_task_from_outside_is_served_like_the_servers_own() {
    let server = server()
        .model(tiny("digits"))
        .task(Toy { max_frames: 2 })
        .start()
        .await;
    let wire = server.wire().await;
    let ask = async |digits: &[u8]| {
        let frames = digits.iter().map(|digit| frame(*digit).0.into());
        let ask = Ask {
            frames: frames.collect(),
        };
        let reply = wire.call(PATH, &[], grpc_message(&ask.encode_to_vec()));
        reply.await.unwrap()
    };
    let reply = ask(&[7, 3]).await;
    assert_eq!(reply.code(), Code::Ok, "{reply:?}");
    let answer = Classes::decode(reply.body.slice(5..)).unwrap();
    assert_eq!(answer.classes, [7, 3]);
    let reply = ask(&[1, 2, 3]).await;
    assert_eq!(reply.code(), Code::InvalidArgument);
    let words = "frames: holds 3 frames; 1 to 2 are allowed";
    assert_eq!(reply.status.message(), words);

    let labels = [("rpc", PATH), ("model", "digits"), ("code", "OK")];
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("quintet_requests_total", &labels), 1);
    let status = server.status("toy.v1.Toy").await;
    assert_eq!(status, ServingStatus::Serving);
}
