//! async-openai (feature `async-openai`).
//!
//! Its client sends by a stack of tower services. The layer belongs below its retry layer, which
//! sends a request up to four times:
//!
//! ```no_run
//! use async_openai::middleware::{ReqwestService, retry::OpenAIRetryLayer};
//! # use openlimit::{ChatRateLimiter, clients::LimitLayer};
//! # use tower_layer::Layer;
//! # openlimit::limiter! { static CHAT: ChatRateLimiter = { tokens: 40_000 / minute }; }
//! let http = ReqwestService::new(reqwest::Client::new());
//! let service = OpenAIRetryLayer::default().layer(LimitLayer::new(&CHAT).layer(http));
//! let client = async_openai::Client::new().with_http_service(service);
//! # drop(client);
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use http::Extensions;
use parking_lot::Mutex;
use reqwest::{Request, Response};
use tower_service::Service;

use super::known_error::KnownError;
use super::response::{answered, is_unsent, outgoing};
use super::sent_call::SentCall;
use super::service::{LimitService, take_ready};
use crate::AcquireError;
use crate::feedback::Observation;

/// Its errors. They have lost the headers, but not the provider's error.
pub(super) const ERRORS: KnownError = KnownError {
    inner: |error| match error.downcast_ref()? {
        OpenAIError::Boxed(error) => Some(&**error),
        _ => None,
    },
    read: |error| match error.downcast_ref()? {
        OpenAIError::ApiError(refusal) => {
            let error = &refusal.api_error;
            let codes = [error.r#type.as_deref(), error.code.as_deref()];
            Some(Observation::from_error_parts(refusal.status_code.as_u16(), codes, &error.message))
        }
        OpenAIError::JSONDeserialize(_, content) => Some(Observation::from_message(content)),
        _ => None,
    },
};

/// A request that is not admitted is an [`OpenAIError::Boxed`] of the [`AcquireError`]. So an
/// annotated function may return a `Result<_, OpenAIError>`.
impl From<AcquireError> for OpenAIError {
    fn from(error: AcquireError) -> Self {
        Self::Boxed(Box::new(error))
    }
}

/// For `async_openai::Client::with_http_service`. Put it below the layer that retries, so that each
/// attempt passes it.
impl<S> Service<HttpRequestFactory> for LimitService<S>
where
    S: Service<HttpRequestFactory, Response = Response, Error = OpenAIError> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let mut inner = take_ready(&mut self.inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            let request = factory.build().await?;
            let acquire = layer.acquire(&outgoing(&request, &Extensions::new()))?;
            let factory = built(request, factory);
            let Some(acquire) = acquire else { return inner.call(factory).await };
            let call = SentCall::new(acquire.await?);
            match inner.call(factory).await {
                Ok(response) => Ok(answered(call, response).await),
                Err(error) => {
                    call.failed(!matches!(&error, OpenAIError::Reqwest(error) if is_unsent(error)));
                    Err(error)
                }
            }
        })
    }
}

/// Returns a factory whose first request is built already, since building it may mean to read
/// files.
fn built(request: Request, factory: HttpRequestFactory) -> HttpRequestFactory {
    let first = Arc::new(Mutex::new(Some(request)));
    HttpRequestFactory::new(move || {
        let first = first.lock().take();
        let factory = factory.clone();
        async move {
            match first {
                Some(request) => Ok(request),
                None => factory.build().await,
            }
        }
    })
}
