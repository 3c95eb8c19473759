//! A bare HTTP/2 connection: any path, headers and bytes, and the response unchanged.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// One connection. Clones share it.
#[derive(Debug, Clone)]
pub struct Wire {
    address: SocketAddr,
    requests: SendRequest<Bytes>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The gRPC status, with its details.
    pub status: Status,
}

/// A message behind gRPC's five bytes of prefix.
pub fn grpc_message(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

impl Wire {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Self::over(stream, address)
            .await
            .expect("the server speaks HTTP/2")
    }

    /// Speaks HTTP/2 over this connection.
    ///
    /// # Errors
    /// The server has ended it.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: SocketAddr,
    ) -> Result<Self, h2::Error> {
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .handshake(stream)
            .await?;
        // The requests see its errors.
        tokio::spawn(connection);
        Ok(Self { address, requests })
    }

    /// Sends the headers of a gRPC call and, unless it is `None`, its whole body.
    ///
    /// # Errors
    /// HTTP/2's.
    pub async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.send_as("application/grpc", path, headers, body).await
    }

    /// [`Wire::send`] under another content type.
    ///
    /// # Errors
    /// HTTP/2's.
    pub async fn send_as(
        &self,
        content_type: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://{}{path}", self.address));
        for (name, value) in [("content-type", content_type), ("te", "trailers")]
            .iter()
            .chain(headers)
        {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("the test's headers are legal");
        self.send_request(request, body).await
    }

    /// Sends any request and, unless it is `None`, its whole body.
    ///
    /// # Errors
    /// HTTP/2's.
    pub async fn send_request(
        &self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let is_empty = body.as_ref().is_some_and(Bytes::is_empty);
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, is_empty)?;
        if let Some(body) = body.filter(|body| !body.is_empty()) {
            stream.send_data(body, true)?;
        }
        Ok((response, stream))
    }

    /// Makes a gRPC call with this body, prefix included, and reads the whole response.
    ///
    /// # Errors
    /// HTTP/2's. A response with a gRPC error is not one.
    pub async fn call(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, h2::Error> {
        let (response, _stream) = self.send(path, headers, Some(body)).await?;
        Reply::read(response).await
    }

    /// Calls Classify with a message.
    ///
    /// # Errors
    /// HTTP/2's.
    pub async fn classify(
        &self,
        headers: &[(&str, &str)],
        request: &impl prost::Message,
    ) -> Result<Reply, h2::Error> {
        let body = grpc_message(&request.encode_to_vec());
        self.call("/quintet.v1.InferenceService/Classify", headers, body)
            .await
    }
}

impl Reply {
    /// Reads a response to its end.
    ///
    /// # Errors
    /// HTTP/2's.
    pub async fn read(response: ResponseFuture) -> Result<Self, h2::Error> {
        let (parts, mut body) = response.await?.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        let trailers = body.trailers().await?;
        let status = trailers
            .as_ref()
            .and_then(Status::from_header_map)
            .or_else(|| Status::from_header_map(&parts.headers))
            .unwrap_or_else(|| Status::unknown("no grpc-status"));
        Ok(Self {
            http: parts.status.as_u16(),
            headers: parts.headers,
            body: bytes.freeze(),
            status,
        })
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.status.code()
    }
}
