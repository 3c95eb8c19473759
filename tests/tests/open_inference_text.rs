//! Text models under the Open Inference Protocol: tokens and lengths, checked before they join a
//! batch.

use quintet_e2e::text::{SPEC, score, tokenizer};
use quintet_e2e::{Server, server, tiny_text};
use quintet_proto::inference as oip;
use quintet_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use quintet_proto::inference::model_infer_request::InferInputTensor;
use tonic::Status;
use tonic::transport::Channel;

use crate::sentiment::{ask, texts};
use crate::support::violation;

async fn client(server: &Server) -> GrpcInferenceServiceClient<Channel> {
    GrpcInferenceServiceClient::new(server.channel().await)
}

/// Tokens padded to `longest`, and lengths, as typed elements.
fn request(tokens: &[i64], longest: usize, lengths: &[i32]) -> oip::ModelInferRequest {
    let rows = lengths.len() as i64;
    oip::ModelInferRequest {
        model_name: "reviews".to_owned(),
        inputs: vec![
            InferInputTensor {
                name: "tokens".to_owned(),
                datatype: "INT64".to_owned(),
                shape: vec![rows, longest as i64],
                contents: Some(oip::InferTensorContents {
                    int64_contents: tokens.to_vec(),
                    ..Default::default()
                }),
                ..Default::default()
            },
            InferInputTensor {
                name: "lengths".to_owned(),
                datatype: "INT32".to_owned(),
                shape: vec![rows],
                contents: Some(oip::InferTensorContents {
                    int_contents: lengths.to_vec(),
                    ..Default::default()
                }),
                ..Default::default()
            },
        ],
        ..Default::default()
    }
}

async fn infer(
    server: &Server,
    request: oip::ModelInferRequest,
) -> Result<oip::ModelInferResponse, Status> {
    let answer = client(server).await.model_infer(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn tokens_get_the_score_that_their_text_gets() {
    let server = server().text(tiny_text("reviews")).start().await;
    let asked = ["good film", "bad plot, bad film: bad!", "good"];
    let by_text = ask(&server, texts(&asked)).await.unwrap();
    let rows = asked.map(|text| tokenizer().encode(text, &SPEC).unwrap().tokens);
    let lengths = rows.each_ref().map(|row| row.len() as i32);
    // Tokens after a row's length are not read: these would change the score.
    let padded: Vec<i64> = rows
        .iter()
        .flat_map(|row| row.iter().copied().chain([3; 9]).take(9))
        .collect();
    let typed = request(&padded, 9, &lengths);
    let mut raw = typed.clone();
    for input in &mut raw.inputs {
        input.contents = None;
    }
    raw.raw_input_contents = vec![
        padded.iter().flat_map(|it| it.to_le_bytes()).collect(),
        lengths.iter().flat_map(|it| it.to_le_bytes()).collect(),
    ];
    let typed = infer(&server, typed).await.unwrap();
    assert_eq!(typed.outputs[0].shape, [3]);
    let scores = &typed.outputs[0].contents.as_ref().unwrap().fp32_contents;
    let raw = infer(&server, raw).await.unwrap();
    for (place, sentiment) in by_text.sentiments.iter().enumerate() {
        assert!((scores[place] - sentiment.score).abs() <= 1e-6);
        assert!((scores[place] - score(&rows[place])).abs() <= 1e-5);
        let bytes = &raw.raw_output_contents[0][place * 4..][..4];
        let score = f32::from_le_bytes(bytes.try_into().unwrap());
        assert!((score - sentiment.score).abs() <= 1e-6);
    }
}

#[tokio::test]
async fn what_would_spoil_a_batch_is_refused() {
    let server = server().text(tiny_text("reviews")).start().await;
    for (asked, field, words) in [
        (
            request(&[1, 3, 1, 7], 2, &[2, 2]),
            "inputs[0].contents",
            "element 3 is 7; 0 to 6 are allowed",
        ),
        (
            request(&[1, -1], 2, &[1]),
            "inputs[0].contents",
            "element 1 is -1; 0 to 6 are allowed",
        ),
        (
            request(&[1, 3, 1, 3], 2, &[2, 0]),
            "inputs[1].contents",
            "element 1 is 0; 1 to 2 are allowed",
        ),
        (
            request(&[1, 3], 2, &[3]),
            "inputs[1].contents",
            "element 0 is 3; 1 to 2 are allowed",
        ),
        (
            request(&[1, 3], 2, &[-1]),
            "inputs[1].contents",
            "element 0 is -1; 1 to 2 are allowed",
        ),
        (
            request(&[1; 201], 201, &[1]),
            "inputs[0].shape",
            "is [1, 201]; 1 to 200 steps are allowed",
        ),
        (
            request(&[], 0, &[1]),
            "inputs[0].shape",
            "is [1, 0]; 1 to 200 steps are allowed",
        ),
        (
            request(&[1, 3, 4], 2, &[2]),
            "inputs[0].contents",
            "holds 3 elements; INT64 [1, 2] takes 2",
        ),
    ] {
        let status = infer(&server, asked).await.unwrap_err();
        assert_eq!(violation(&status), (field.to_owned(), words.to_owned()));
    }
    let mut flat = request(&[1, 3], 2, &[2]);
    flat.inputs[0].shape = vec![1];
    let status = infer(&server, flat).await.unwrap_err();
    assert_eq!(violation(&status).1, "is [1]; [-1, -1] is allowed");
    let reply = ask(&server, texts(&["good"])).await.unwrap();
    assert_eq!(reply.sentiments[0].tokens, 2);
}

#[tokio::test]
async fn open_dimensions_are_described_as_such() {
    let server = server().text(tiny_text("reviews")).start().await;
    let mut client = client(&server).await;
    let asked = oip::ModelMetadataRequest {
        name: "reviews".to_owned(),
        ..Default::default()
    };
    let metadata = client.model_metadata(asked).await.unwrap().into_inner();
    let shapes: Vec<_> = metadata.inputs.iter().map(|it| it.shape.clone()).collect();
    // A row of `lengths` is one number. Triton writes a list of one. Both forms are accepted.
    assert_eq!(shapes, [vec![-1, -1], vec![-1, 1]]);
    assert_eq!(metadata.outputs[0].shape, [-1]);
    let asked = oip::ModelConfigRequest {
        name: "reviews".to_owned(),
        ..Default::default()
    };
    let config = client.model_config(asked).await.unwrap().into_inner();
    let input = config.config.unwrap().input;
    assert_eq!(
        (&input[0].dims[..], &input[1].dims[..]),
        (&[-1][..], &[1][..])
    );
    for shape in [vec![1], vec![1, 1]] {
        let mut asked = request(&[1, 3], 2, &[2]);
        asked.inputs[1].shape = shape;
        infer(&server, asked).await.unwrap();
    }
}
