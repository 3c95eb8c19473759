//! A generator under the Open Inference Protocol: noise in, the UINT8 pixels of GenerateDigits out.

use quintet_bundle::noise;
use quintet_e2e::Server;
use quintet_proto::inference as oip;
use quintet_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use quintet_proto::inference::model_infer_request::InferInputTensor;
use tonic::Status;
use tonic::transport::Channel;

use crate::generate::{asked, at_most_a_level_apart, generate, pixels, with_models};
use crate::support::violation;

const ROWS: u64 = 50;

async fn client(server: &Server) -> GrpcInferenceServiceClient<Channel> {
    GrpcInferenceServiceClient::new(server.channel().await)
}

/// The noise of the first candidates of seed 5.
fn numbers() -> Vec<f32> {
    let mut numbers = vec![0.0; ROWS as usize * 100];
    for (row, candidate) in numbers.chunks_exact_mut(100).zip(0..) {
        noise::fill(5, candidate, row);
    }
    numbers
}

fn request(numbers: &[f32], raw: bool) -> oip::ModelInferRequest {
    let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
    let contents = oip::InferTensorContents {
        fp32_contents: numbers.to_vec(),
        ..Default::default()
    };
    oip::ModelInferRequest {
        model_name: "gan".to_owned(),
        inputs: vec![InferInputTensor {
            name: "noise".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![numbers.len() as i64 / 100, 100],
            contents: (!raw).then_some(contents),
            ..Default::default()
        }],
        raw_input_contents: raw.then(|| bytes.into()).into_iter().collect(),
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
async fn noise_gives_the_pixels_that_generate_digits_gives() {
    let server = with_models().start().await;
    let expected = generate(&server, asked(ROWS as u32)).await.unwrap();
    let expected: Vec<u8> = expected
        .digits
        .iter()
        .flat_map(|digit| pixels(digit.image.as_ref()))
        .copied()
        .collect();
    for raw in [true, false] {
        let answer = infer(&server, request(&numbers(), raw)).await.unwrap();
        let output = &answer.outputs[0];
        assert_eq!((&*output.name, &*output.datatype), ("pixels", "UINT8"));
        assert_eq!(output.shape, [ROWS as i64, 28, 28]);
        let found: Vec<u8> = if raw {
            assert_eq!(output.contents, None);
            answer.raw_output_contents[0].to_vec()
        } else {
            assert!(answer.raw_output_contents.is_empty());
            let contents = &output.contents.as_ref().unwrap().uint_contents;
            contents
                .iter()
                .map(|it| u8::try_from(*it).unwrap())
                .collect()
        };
        assert!(at_most_a_level_apart(&found, &expected), "raw: {raw}");
    }
}

#[tokio::test]
async fn noise_that_is_no_number_is_refused_and_others_are_served() {
    let server = with_models().start().await;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (raw, field) in [
            (true, "raw_input_contents[0]"),
            (false, "inputs[0].contents"),
        ] {
            let mut numbers = numbers();
            numbers[123] = bad;
            let refusal = infer(&server, request(&numbers, raw)).await.unwrap_err();
            let (found, words) = violation(&refusal);
            assert_eq!(found, field);
            assert!(words.contains("element 123"), "{words}");
        }
    }
    infer(&server, request(&numbers(), true)).await.unwrap();
}

#[tokio::test]
async fn a_generator_is_described_as_it_is() {
    let server = with_models().start().await;
    let mut client = client(&server).await;
    let metadata = client.model_metadata(oip::ModelMetadataRequest {
        name: "gan".to_owned(),
        version: String::new(),
    });
    let metadata = metadata.await.unwrap().into_inner();
    let (input, output) = (&metadata.inputs[0], &metadata.outputs[0]);
    assert_eq!((&*input.name, &*input.datatype), ("noise", "FP32"));
    assert_eq!((&*output.name, &*output.datatype), ("pixels", "UINT8"));
    assert_eq!(input.shape, [-1, 100]);
    assert_eq!(output.shape, [-1, 28, 28]);
    let config = client.model_config(oip::ModelConfigRequest {
        name: "gan".to_owned(),
        version: String::new(),
    });
    let config = config.await.unwrap().into_inner().config.unwrap();
    assert_eq!(config.input[0].data_type(), oip::DataType::TypeFp32);
    assert_eq!(config.output[0].data_type(), oip::DataType::TypeUint8);
    assert_eq!(config.output[0].dims, [28, 28]);
}
