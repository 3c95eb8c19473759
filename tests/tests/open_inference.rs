//! The Open Inference Protocol: the same answers as the domain API, as tensors.

use quintet_e2e::{Frame, Server, frame, near, server, tiny};
use quintet_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use quintet_proto::inference::model_infer_request::InferInputTensor;
use quintet_proto::{inference as oip, v1};
use tokio_stream::iter;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{assert_works, violation};

async fn client(server: &Server) -> GrpcInferenceServiceClient<Channel> {
    GrpcInferenceServiceClient::new(server.channel().await)
}

/// A request of these frames as raw bytes.
fn request(model: &str, frames: &[Frame]) -> oip::ModelInferRequest {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.0.clone()).collect();
    oip::ModelInferRequest {
        model_name: model.to_owned(),
        inputs: vec![InferInputTensor {
            name: "pixels".to_owned(),
            datatype: "UINT8".to_owned(),
            shape: vec![frames.len() as i64, 28, 28],
            ..Default::default()
        }],
        raw_input_contents: vec![bytes.into()],
        ..Default::default()
    }
}

#[track_caller]
fn assert_probabilities(values: &[f32], frames: &[Frame]) {
    let expected: Vec<f32> = frames.iter().flat_map(|f| f.probabilities(0)).collect();
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!(near(*value, expected), "{value} is not {expected}");
    }
}

#[track_caller]
fn assert_raw_answers(answer: &oip::ModelInferResponse, frames: &[Frame]) {
    assert_eq!(answer.outputs[0].shape, [frames.len() as i64, 10]);
    assert_eq!(answer.raw_output_contents.len(), 1);
    let values: Vec<f32> = answer.raw_output_contents[0]
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes each")))
        .collect();
    assert_probabilities(&values, frames);
}

#[tokio::test]
async fn raw_and_typed_requests_are_answered_in_kind() {
    let server = server().model(tiny("digits")).start().await;
    let mut client = client(&server).await;
    let frames = [frame(3), frame(8)];
    let raw = oip::ModelInferRequest {
        id: "mine".to_owned(),
        ..request("digits", &frames)
    };
    let answer = client.model_infer(raw.clone()).await.unwrap().into_inner();
    assert_eq!((&*answer.id, &*answer.model_version), ("mine", "1"));
    assert_raw_answers(&answer, &frames);

    let mut typed = raw;
    let bytes = typed.raw_input_contents.remove(0);
    typed.inputs[0].contents = Some(oip::InferTensorContents {
        uint_contents: bytes.iter().map(|byte| u32::from(*byte)).collect(),
        ..Default::default()
    });
    let answer = client.model_infer(typed).await.unwrap().into_inner();
    assert!(answer.raw_output_contents.is_empty());
    let contents = answer.outputs[0].contents.as_ref().unwrap();
    assert_probabilities(&contents.fp32_contents, &frames);
}

#[tokio::test]
async fn a_model_of_a_task_that_the_server_lacks_is_served_as_tensors() {
    let server = server()
        .model(tiny("segments").task("image_segmentation"))
        .start()
        .await;
    let frames = [frame(3), frame(8)];
    let mut tensors = client(&server).await;
    let answer = tensors.model_infer(request("segments", &frames)).await;
    assert_raw_answers(&answer.unwrap().into_inner(), &frames);

    let mut client = server.raw().await;
    let classify = v1::ClassifyRequest {
        model: "segments".to_owned(),
        ..crate::support::request(&frames)
    };
    let refusal = client.classify(classify).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert!(
        refusal.message().contains("image_segmentation"),
        "{refusal:?}"
    );
    let listed = client.list_models(v1::ListModelsRequest {}).await;
    let listed = listed.unwrap().into_inner().models.remove(0);
    assert_eq!(listed.state(), v1::ModelState::Ready);
    assert_eq!(listed.task(), v1::Task::Unspecified);
}

#[tokio::test]
async fn more_rows_than_a_batch_are_split_and_more_than_the_queue_refused() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(4)
        .max_queue_size(11)
        .start()
        .await;
    let mut client = client(&server).await;
    let frames: Vec<Frame> = (0..11).map(|index| frame(index % 10)).collect();
    let answer = client.model_infer(request("digits", &frames)).await;
    assert_raw_answers(&answer.unwrap().into_inner(), &frames);

    let frames = vec![frame(1); 12];
    let refusal = client.model_infer(request("digits", &frames)).await;
    let (field, words) = violation(&refusal.unwrap_err());
    assert_eq!(field, "inputs[0].shape");
    assert!(words.contains("1 to 11 rows are allowed"), "{words}");
}

#[tokio::test]
async fn a_wrong_request_is_refused_and_the_model_is_named_in_the_metrics() {
    let server = server().model(tiny("digits")).start().await;
    let mut client = client(&server).await;
    let mut wrong = request("digits", &[frame(1)]);
    wrong.inputs[0].shape = vec![1, 27, 28];
    let refusal = client.model_infer(wrong).await.unwrap_err();
    let expected = "is [1, 27, 28]; [-1, 28, 28] is allowed";
    assert_eq!(
        violation(&refusal),
        ("inputs[0].shape".to_owned(), expected.to_owned())
    );
    let refusal = client.model_infer(request("nobody", &[frame(1)])).await;
    assert_eq!(refusal.unwrap_err().code(), Code::NotFound);
    let labels = [
        ("rpc", "/inference.GRPCInferenceService/ModelInfer"),
        ("model", "digits"),
        ("code", "INVALID_ARGUMENT"),
    ];
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_total", &labels) == 1)
        .await;
    assert_works(&server).await;
}

#[tokio::test]
async fn a_stream_is_answered_in_order_and_outlives_a_wrong_request() {
    let server = server().model(tiny("digits")).start().await;
    let frames: Vec<Frame> = (0..300).map(|index| frame((index % 10) as u8)).collect();
    let requests: Vec<_> = frames
        .iter()
        .enumerate()
        .map(|(index, frame)| oip::ModelInferRequest {
            id: index.to_string(),
            ..request(
                if index == 7 { "nobody" } else { "digits" },
                std::slice::from_ref(frame),
            )
        })
        .collect();
    let mut client = client(&server).await;
    let answers = client.model_stream_infer(iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    for (index, frame) in frames.iter().enumerate() {
        let answer = answers.message().await.unwrap().unwrap();
        let response = answer.infer_response.unwrap();
        assert_eq!(response.id, index.to_string());
        if index == 7 {
            assert!(answer.error_message.contains("nobody"));
        } else {
            assert_eq!(answer.error_message, "");
            assert_raw_answers(&response, std::slice::from_ref(frame));
        }
    }
    assert_eq!(answers.message().await.unwrap(), None);
}
