//! Requests share batches, and every caller gets its own answer.

use quintet_e2e::{CLASSES, Frame, frame, server, tiny};
use quintet_proto::v1;

use crate::support::{assert_answers, request};

fn random_frames(random: &mut fastrand::Rng, most: usize) -> Vec<Frame> {
    let rows = random.usize(1..=most);
    (0..rows)
        .map(|_| Frame::of(std::array::from_fn::<_, CLASSES, _>(|_| random.u8(..))))
        .collect()
}

/// Concurrent requests of sizes below, at and above the batch's. Each row gets its own softmax,
/// whatever rows share its batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_caller_gets_its_own_answer() {
    for (max_batch_size, instances, delay) in
        [(1, 1, "0s"), (4, 1, "0s"), (8, 2, "0s"), (5, 2, "1ms")]
    {
        let server = server()
            .model(tiny("digits"))
            .max_batch_size(max_batch_size)
            .instances(instances)
            .max_queue_delay(delay)
            .start()
            .await;
        let mut callers = tokio::task::JoinSet::new();
        for seed in 0..8 {
            let mut client = server.raw().await;
            callers.spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..20 {
                    let frames = random_frames(&mut random, 11);
                    let reply = client
                        .classify(request(&frames))
                        .await
                        .unwrap()
                        .into_inner();
                    assert_answers(&reply, &frames);
                    let timing = reply.timing.unwrap();
                    assert!((1..=max_batch_size as u32).contains(&timing.batch_size));
                }
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
    }
}

#[tokio::test]
async fn a_request_larger_than_a_batch_is_split() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(4)
        .start()
        .await;
    let frames: Vec<Frame> = (0..10).map(frame).collect();
    let reply = server
        .raw()
        .await
        .classify(request(&frames))
        .await
        .unwrap()
        .into_inner();
    assert_answers(&reply, &frames);
    assert_eq!(reply.timing.unwrap().batch_size, 4);
    let metrics = server.metrics().await;
    let labels = [("model", "digits"), ("version", "1")];
    assert_eq!(metrics.value("quintet_batch_size_rows_count", &labels), 3);
    assert_eq!(metrics.value("quintet_batch_size_rows_sum", &labels), 10);
}

/// Two callers with half a batch each fill the batch, so neither waits for the delay of an hour.
#[tokio::test]
async fn callers_ride_together() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(4)
        .max_queue_delay("1h")
        .start()
        .await;
    let (mut one, mut other) = (server.raw().await, server.raw().await);
    let (first, second) = (vec![frame(1), frame(2)], vec![frame(3), frame(4)]);
    let (left, right) = tokio::join!(
        one.classify(request(&first)),
        other.classify(request(&second))
    );
    for (reply, frames) in [(left, first), (right, second)] {
        let reply: v1::ClassifyResponse = reply.unwrap().into_inner();
        assert_answers(&reply, &frames);
        assert_eq!(reply.timing.unwrap().batch_size, 4);
    }
}

/// A row that cannot be run fails its own request. Those in the same batch and after it get their
/// answers.
#[tokio::test]
async fn a_failing_batch_fails_only_the_request_at_fault() {
    let server = server()
        .model(tiny("digits").fragile())
        .max_batch_size(2)
        .max_queue_delay("1h")
        .start()
        .await;
    let (mut one, mut other) = (server.raw().await, server.raw().await);
    let (bad, neighbour) = tokio::join!(
        one.classify(request(&[frame(1).entry(8)])),
        other.classify(request(&[frame(2)]))
    );
    assert_eq!(bad.unwrap_err().code(), tonic::Code::Internal);
    assert_answers(neighbour.unwrap().get_ref(), &[frame(2)]);
    let frames = [frame(2), frame(3)];
    let reply = other.classify(request(&frames)).await.unwrap();
    assert_answers(reply.get_ref(), &frames);
    let metrics = server.metrics().await;
    let labels = [("model", "digits"), ("version", "1")];
    // Both together, and then the one alone.
    assert_eq!(metrics.value("quintet_batches_failed_total", &labels), 2);
    assert_eq!(metrics.value("quintet_rows_total", &labels), 3);
}
