//! Details of a status that are not what gRPC sends.

use http_body_util::BodyExt as _;
use tonic::{Status, body::Body, codegen::http, metadata::MetadataMap};

/// The answer without a `grpc-status-details-bin` that is not base64, in headers or trailers.
/// tonic's parser of statuses panics at it.
pub(crate) fn readable(answer: http::Response<Body>) -> http::Response<Body> {
    let (mut parts, body) = answer.into_parts();
    drop_unreadable(&mut parts.headers);
    let body = body.map_frame(|mut frame| {
        frame.trailers_mut().into_iter().for_each(drop_unreadable);
        frame
    });
    http::Response::from_parts(parts, Body::new(body))
}

fn drop_unreadable(headers: &mut http::HeaderMap) {
    let Some(details) = headers.get(Status::GRPC_STATUS_DETAILS) else {
        return;
    };
    let mut alone = http::HeaderMap::new();
    alone.insert(Status::GRPC_STATUS_DETAILS, details.clone());
    let alone = MetadataMap::from_headers(alone);
    let details = alone.get_bin(Status::GRPC_STATUS_DETAILS.as_str());
    if details.is_none_or(|it| it.to_bytes().is_err()) {
        headers.remove(Status::GRPC_STATUS_DETAILS);
    }
}
