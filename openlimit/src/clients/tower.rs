//! Services of tower that send `http::Request` (feature `tower`), such as hyper's client and
//! tonic's channel.
//!
//! The body of a request of JSON is collected and given back in one piece, so its type has to be
//! made from bytes. `CostLayer` serves all other types.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

use super::outgoing::{Outgoing, says_json};
use super::reply::LimitedBody;
use super::sent_call::SentCall;
use super::service::{LimitService, take_ready};
use crate::Acquire;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

pub(super) type Answer<R> = Pin<Box<dyn Future<Output = Result<Response<LimitedBody<R>>, BoxError>> + Send>>;

/// For `tower::ServiceBuilder::layer`. Put it below the layer that retries, so that each attempt
/// passes it.
///
/// A request that is not admitted fails with the [`AcquireError`](crate::AcquireError). The body of
/// a response has to be decoded already: put this layer above one that decompresses.
impl<S, B, R> Service<Request<B>> for LimitService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes> + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    R: Body + Unpin + Send + 'static,
    R::Data: AsRef<[u8]> + Send,
    R::Error: Send,
{
    type Response = Response<LimitedBody<R>>;
    type Error = BoxError;
    type Future = Answer<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = take_ready(&mut self.inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let (body, json) = if says_json(&head.headers) {
                let json = body.collect().await.map_err(Into::into)?.to_bytes();
                (B::from(json.clone()), Some(json))
            } else {
                (body, None)
            };
            let host = head.uri.host().unwrap_or_default();
            let outgoing = Outgoing::new(
                &head.method,
                host,
                head.uri.path(),
                &head.headers,
                &head.extensions,
                json.as_deref(),
            );
            let acquire = layer.acquire(&outgoing)?;
            send(inner, acquire, Request::from_parts(head, body)).await
        })
    }
}

/// Waits, sends a request, and passes on the response.
pub(super) async fn send<S, B, R>(
    mut inner: S,
    acquire: Option<Acquire>,
    request: Request<B>,
) -> Result<Response<LimitedBody<R>>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body + Unpin,
    R::Data: AsRef<[u8]>,
{
    let Some(acquire) = acquire else {
        return Ok(inner.call(request).await.map_err(Into::into)?.map(LimitedBody::untouched));
    };
    let call = SentCall::new(acquire.await?);
    match inner.call(request).await.map_err(Into::into) {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let body = LimitedBody::answered(call, &head, body).await;
            Ok(Response::from_parts(head, body))
        }
        Err(error) => {
            call.failed(true);
            Err(error)
        }
    }
}
