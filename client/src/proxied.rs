//! Answers of a proxy between client and server, in HTTP without gRPC.

use tonic::{Code, Status, body::Body, codegen::http};

/// The answer as it is, or, where it is none of gRPC's, the status that gRPC gives its HTTP status
/// ("HTTP to gRPC Status Code Mapping" of the gRPC project): a proxy without a server to ask says
/// 503, which is UNAVAILABLE.
pub(crate) fn as_grpc(answer: http::Response<Body>) -> http::Response<Body> {
    let http = answer.status();
    if http == http::StatusCode::OK || answer.headers().contains_key(Status::GRPC_STATUS) {
        return answer;
    }
    let code = match http.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the answer is HTTP's {http}, not gRPC's")).into_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(http: u16, grpc: Option<&str>) -> http::Response<Body> {
        let mut builder = http::Response::builder().status(http);
        if let Some(code) = grpc {
            builder = builder.header("grpc-status", code);
        }
        let page = Body::new("<html>sorry</html>".to_owned());
        builder.body(page).unwrap()
    }

    fn code(answer: http::Response<Body>) -> Option<Code> {
        Status::from_header_map(as_grpc(answer).headers()).map(|status| status.code())
    }

    #[test]
    fn a_proxys_page_is_the_status_that_it_means() {
        for (http, expected) in [
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (404, Code::Unimplemented),
            (401, Code::Unauthenticated),
            (418, Code::Unknown),
        ] {
            assert_eq!(code(answer(http, None)), Some(expected), "{http}");
        }
        let status = Status::from_header_map(as_grpc(answer(503, None)).headers()).unwrap();
        assert_eq!(
            status.message(),
            "the answer is HTTP's 503 Service Unavailable, not gRPC's"
        );
    }

    #[test]
    fn what_speaks_grpc_is_left_alone() {
        assert_eq!(code(answer(200, None)), None);
        assert_eq!(code(answer(503, Some("3"))), Some(Code::InvalidArgument));
    }
}
