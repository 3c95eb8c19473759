//! Ten thousand invalid requests: each gets a typed refusal or an answer, and the server stays up.

use fastrand::Rng;
use prost::Message as _;
use quintet_e2e::{Wire, grpc_message, jpeg, png, png_bomb, server, tiny, tiny_generator};
use quintet_proto::v1;
use tonic::Code;

use crate::support::{assert_works, encoded, raw};

const REQUESTS: u64 = 10_000;
const CALLERS: u64 = 16;
const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";
const GENERATE: &str = "/quintet.v1.InferenceService/GenerateDigits";

/// The input of a mutation.
struct Seeds {
    png: Vec<u8>,
    jpeg: Vec<u8>,
}

impl Seeds {
    fn new() -> Self {
        let picture = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([(x * 9 + y) as u8]));
        Self {
            png: png(&picture),
            jpeg: jpeg(&picture),
        }
    }

    /// A file that is truncated, has wrong bytes, or is random.
    fn file(&self, random: &mut Rng) -> Vec<u8> {
        let mut file = if random.bool() {
            self.png.clone()
        } else {
            self.jpeg.clone()
        };
        match random.u8(..6) {
            0 => file.truncate(random.usize(..file.len())),
            1 => {
                for _ in 0..random.usize(1..20) {
                    let place = random.usize(..file.len());
                    file[place] = random.u8(..);
                }
            }
            2 => file = png_bomb(random.u32(..), random.u32(..)),
            3 => file = bytes(random, 200),
            4 => {
                let tail = bytes(random, 100);
                file.truncate(random.usize(8..file.len()));
                file.extend(tail);
            }
            _ => {}
        }
        file
    }

    fn image(&self, random: &mut Rng) -> v1::Image {
        match random.u8(..4) {
            0 => v1::Image { source: None },
            1 => {
                let side = |random: &mut Rng| match random.u8(..4) {
                    0 => random.u32(..),
                    1 => 0,
                    _ => random.u32(1..40),
                };
                let (width, height) = (side(random), side(random));
                let channels = if random.bool() {
                    random.u32(..6)
                } else {
                    random.u32(..)
                };
                let fitting = u128::from(width) * u128::from(height) * u128::from(channels);
                let data = if random.bool() && fitting < 10_000 {
                    vec![random.u8(..); fitting as usize]
                } else {
                    bytes(random, 900)
                };
                raw(width, height, channels, data)
            }
            _ => encoded(self.file(random)),
        }
    }

    fn request(&self, random: &mut Rng) -> v1::ClassifyRequest {
        let images = match random.u8(..8) {
            0 => 0,
            1 => random.usize(..400),
            _ => 1,
        };
        v1::ClassifyRequest {
            images: (0..images).map(|_| self.image(random)).collect(),
            model: name(random, "digits"),
            version: name(random, ""),
            top_k: if random.bool() {
                random.u32(..)
            } else {
                random.u32(..12)
            },
            framing: choice(random),
            // Mostly unset: some requests must stay valid by chance.
            on_unreadable: match random.u8(..4) {
                0 => choice(random),
                _ => 0,
            },
            explain: random.bool(),
        }
    }

    /// A call and its request's body: valid protobuf, damaged protobuf, or noise.
    fn body(&self, random: &mut Rng) -> (&'static str, bytes::Bytes) {
        let (rpc, mut message) = match random.u8(..5) {
            0 => (GENERATE, generation(random).encode_to_vec()),
            _ => (CLASSIFY, self.request(random).encode_to_vec()),
        };
        match random.u8(..5) {
            0 => message = bytes(random, 300),
            1 if !message.is_empty() => message.truncate(random.usize(..message.len())),
            2 if !message.is_empty() => {
                for _ in 0..random.usize(1..8) {
                    let place = random.usize(..message.len());
                    message[place] = random.u8(..);
                }
            }
            _ => {}
        }
        (rpc, grpc_message(&message))
    }
}

/// A value for a field whose good ones are 0 to 2 or 3.
fn choice(random: &mut Rng) -> i32 {
    match random.u8(..4) {
        0 => random.i32(..),
        _ => random.i32(0..4),
    }
}

fn name(random: &mut Rng, good: &str) -> String {
    match random.u8(..6) {
        0 => String::from_utf8_lossy(&bytes(random, 30)).into_owned(),
        1 => "\0../../etc".repeat(random.usize(..100)),
        _ => good.to_owned(),
    }
}

fn generation(random: &mut Rng) -> v1::GenerateDigitsRequest {
    v1::GenerateDigitsRequest {
        count: match random.u8(..4) {
            0 => random.u32(..),
            _ => random.u32(..70),
        },
        seed: random.bool().then(|| random.u64(..)),
        digit: random.bool().then(|| match random.u8(..4) {
            0 => random.u32(..),
            _ => random.u32(..11),
        }),
        min_confidence: random.bool().then(|| match random.u8(..4) {
            0 => f32::from_bits(random.u32(..)),
            _ => random.f32(),
        }),
        format: choice(random),
        layout: choice(random),
        model: name(random, "gan"),
        version: name(random, ""),
        classifier: name(random, "judge"),
    }
}

fn bytes(random: &mut Rng, most: usize) -> Vec<u8> {
    let length = random.usize(..most);
    (0..length).map(|_| random.u8(..)).collect()
}

/// Sends one caller's share over one connection, and returns how many were answered.
async fn rage(wire: Wire, caller: u64) -> usize {
    let seeds = Seeds::new();
    let mut answered = 0;
    for request in 0..REQUESTS / CALLERS {
        let seed = caller * REQUESTS + request;
        let mut random = Rng::with_seed(seed);
        let (rpc, body) = seeds.body(&mut random);
        let reply = wire.call(rpc, &[], body).await;
        let reply =
            reply.unwrap_or_else(|error| panic!("seed {seed}: the connection broke: {error}"));
        match reply.code() {
            Code::Ok => answered += 1,
            Code::InvalidArgument | Code::NotFound => {}
            Code::FailedPrecondition if rpc == GENERATE => {}
            _ => panic!("seed {seed}: {:?}", reply.status),
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_and_the_server_works_on() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("judge").digits())
        .generator(tiny_generator("gan"))
        .max_images_per_generation(64)
        .max_candidates_per_image(4)
        .default_classifier("digits")
        .start()
        .await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(rage(server.wire().await, caller));
    }
    let mut answered = 0;
    while let Some(caller) = callers.join_next().await {
        answered += caller.unwrap();
    }
    // Some are valid by chance. If nearly all were, this test would be void.
    assert!(
        (100..5_000).contains(&answered),
        "{answered} of {REQUESTS} were answered"
    );
    assert_works(&server).await;
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("quintet_requests_in_flight", &[]), 0);
    assert!(metrics.total("quintet_batches_failed_total") < 0.5);
    let codes = ["OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"];
    let total: u64 = [(CLASSIFY, "digits"), (GENERATE, "gan")]
        .into_iter()
        .flat_map(|(rpc, model)| {
            let series = [(rpc, model), (rpc, "")];
            series.map(|(rpc, model)| codes.map(|code| (rpc, model, code)))
        })
        .flatten()
        .map(|(rpc, model, code)| {
            let labels = [("rpc", rpc), ("model", model), ("code", code)];
            metrics.value("quintet_requests_total", &labels)
        })
        .sum();
    assert_eq!(total, REQUESTS + 1);
}
