//! The asking end of a connection. Called by [`push`](crate::export::network::push), which connects again when it breaks.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::client::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::codegen::http::uri::{Authority, Scheme, Uri};
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service};

use super::alive::Alive;
use super::body::{self, Received};

/// How long a peer that is asked whether it is there may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to one server; it closes when the last request on it has ended and this is dropped.
#[derive(Clone)]
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
    authority: Authority,
}

impl Connection {
    /// Begins HTTP/2 on a connected socket; a task of its own carries it from then on, and drops `held` with it.
    pub(crate) async fn begin<T>(
        io: T,
        authority: Authority,
        held: impl Send + 'static,
    ) -> Result<Self, Status>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = h2::client::Builder::new().enable_push(false).handshake::<_, Bytes>(io).await;
        let (requests, mut connection) = begun.map_err(|error| body::status(&error))?;
        let mut alive = Alive::new(connection.ping_pong(), PATIENCE);
        tokio::spawn(async move {
            let _held = held;
            poll_fn(|context| {
                if alive.as_mut().is_some_and(|alive| alive.poll_lost(context).is_ready()) {
                    return Poll::Ready(());
                }
                Pin::new(&mut connection).poll(context).map(drop)
            })
            .await;
        });
        Ok(Self { requests, authority })
    }
}

impl Service<Request<tonic::body::Body>> for Connection {
    type Response = Response<Received>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.requests.poll_ready(context).map_err(|error| body::status(&error))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let (mut head, content) = request.into_parts();
        let mut address = std::mem::take(&mut head.uri).into_parts();
        address.scheme = Some(Scheme::HTTP);
        address.authority = Some(self.authority.clone());
        let uri = Uri::from_parts(address);
        let mut requests = self.requests.clone();
        Box::pin(async move {
            head.uri = uri.map_err(|error| Status::internal(error.to_string()))?;
            let sent = requests.send_request(Request::from_parts(head, ()), false);
            let (response, stream) = sent.map_err(|error| body::status(&error))?;
            tokio::spawn(body::send(content, stream));
            let response = response.await.map_err(|error| body::status(&error))?;
            Ok(response.map(Received::new))
        })
    }
}
