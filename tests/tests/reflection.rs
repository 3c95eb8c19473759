//! Reflection lists every service, in both versions that clients ask for.

use prost::Message as _;
use quintet_e2e::{grpc_message, server, tiny};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

/// Of the second service.
const METHODS: [&[u8]; 6] = [
    b"Classify",
    b"ClassifyStream",
    b"ClassifyText",
    b"SentimentScore",
    b"GenerateDigits",
    b"GenerateDigitsStream",
];
const SERVICES: [&str; 2] = ["grpc.health.v1.Health", "quintet.v1.InferenceService"];

macro_rules! services {
    ($version:ident, $channel:expr) => {{
        use pb::server_reflection_request::MessageRequest;
        use pb::server_reflection_response::MessageResponse;
        use tonic_reflection::pb::$version as pb;

        let mut client = pb::server_reflection_client::ServerReflectionClient::new($channel);
        let ask = |request| pb::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let requests = vec![
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(SERVICES[1].to_owned())),
        ];
        let answers = client
            .server_reflection_info(tokio_stream::iter(requests))
            .await;
        let mut answers = answers.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(list)) = first else {
            panic!("{first:?}");
        };
        let second = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::FileDescriptorResponse(files)) = second else {
            panic!("{second:?}");
        };
        for method in METHODS {
            let names = |file: &Vec<u8>| file.windows(method.len()).any(|it| it == method);
            assert!(files.file_descriptor_proto.iter().any(names), "{method:?}");
        }
        list.service
            .into_iter()
            .map(|service| service.name)
            .collect::<Vec<_>>()
    }};
}

#[tokio::test]
async fn services_are_listed_in_v1() {
    let server = server().model(tiny("digits")).start().await;
    let names = services!(v1, server.channel().await);
    for service in SERVICES {
        assert!(
            names.iter().any(|name| name == service),
            "{service} of {names:?}"
        );
    }
}

#[tokio::test]
async fn services_are_listed_in_v1alpha() {
    let server = server().model(tiny("digits")).start().await;
    let names = services!(v1alpha, server.channel().await);
    for service in SERVICES {
        assert!(
            names.iter().any(|name| name == service),
            "{service} of {names:?}"
        );
    }
}

/// A client may ask, read the answer, and only then say that it has no more questions.
#[tokio::test]
async fn a_stream_ends_when_its_caller_has_no_more_questions() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let question = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let (response, mut stream) = wire.send(path, &[], None).await.unwrap();
    let question = grpc_message(&question.encode_to_vec());
    stream.send_data(question, false).unwrap();
    let mut body = response.await.unwrap().into_body();
    let answer = body.data().await.unwrap().unwrap();
    body.flow_control().release_capacity(answer.len()).unwrap();
    stream.send_data(bytes::Bytes::new(), true).unwrap();
    assert!(body.data().await.is_none());
    let trailers = body.trailers().await.unwrap().expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
}
