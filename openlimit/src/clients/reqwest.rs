//! reqwest, through the crate `reqwest-middleware` (feature `reqwest`).
//!
//! reqwest itself has no place where a request could wait. Its own retries are below all
//! middlewares: `Client::execute` calls its services directly, and `ClientBuilder::connector_layer`
//! sees connections only. The classifier of a retry (`ReqRep`) sees no body, header or extension,
//! and returns no future to wait in. It runs before the budget, so an attempt that it allows may
//! never be sent. So they cannot be counted.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::known_error::KnownError;
use super::layer::LimitLayer;
use super::response::{answered, outgoing, unsent};

/// The errors of `reqwest-middleware`, which pass over the error of a middleware.
pub(super) const ERRORS: KnownError = KnownError {
    inner: |error| match error.downcast_ref()? {
        Error::Middleware(error) => Some(error.as_ref()),
        Error::Reqwest(error) => Some(error),
    },
    read: |_| None,
};

/// For `reqwest_middleware::ClientBuilder::with`. Add it behind middlewares that retry, such as
/// that of `reqwest-retry`, so that each attempt passes it.
///
/// Do not set `reqwest::ClientBuilder::retry` for requests to the provider. What it sends again
/// passes no middleware, so it is not counted, and the limiter does not see the refusal. Only from
/// the headers of later responses does the limiter learn that less is left. If a client that you
/// are given may have it, turn it off: `.retry(reqwest::retry::never())`.
///
/// A request that is not admitted fails with `Error::Middleware`, which has the
/// [`AcquireError`](crate::AcquireError).
#[async_trait::async_trait]
impl Middleware for LimitLayer {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let acquire = self.acquire(&outgoing(&request, extensions)).map_err(Error::middleware)?;
        let Some(acquire) = acquire else { return next.run(request, extensions).await };
        let permit = acquire.await.map_err(Error::middleware)?;
        match next.run(request, extensions).await {
            Ok(response) => Ok(answered(permit, response).await),
            Err(error) => {
                if let Error::Reqwest(error) = &error {
                    unsent(permit, error);
                }
                Err(error)
            }
        }
    }
}
