//! reqwest, through the crate `reqwest-middleware` (feature `reqwest`).
//!
//! reqwest itself has no place where a request could wait. Its own retries are below all
//! middlewares: `Client::execute` calls its services directly, and `ClientBuilder::connector_layer`
//! sees connections only. The classifier of a retry (`ReqRep`) sees no body, header or extension,
//! and returns no future to wait in. `retries` has one that counts them all the same.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::known_error::KnownError;
use super::layer::LimitLayer;
use super::response::{answered, is_unsent, outgoing};
use super::retries::Call;

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
/// Do not set `reqwest::ClientBuilder::retry` for requests to the provider, unless by
/// [`reqwest_retries`](super::reqwest_retries). What any other policy sends again passes no
/// middleware, so it is not counted, and the limiter does not see the refusal. Only from the
/// headers of later responses does the limiter learn that less is left. If a client that you are
/// given may have one, turn it off: `.retry(reqwest::retry::never())`.
///
/// Without a policy, reqwest sends a request up to twice more if a server of HTTP/2 says that it
/// has not processed it (`REFUSED_STREAM`, or `GOAWAY` without an error). The server has seen these
/// attempts, and only the first one is counted. With `reqwest_retries`, each of them is.
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
        let again = acquire.again();
        let permit = acquire.await.map_err(Error::middleware)?;
        let call = Call::new(request.url().path().to_owned(), permit, again);
        let (outcome, call) = call.run(next.run(request, extensions)).await;
        let Some(call) = call else { return outcome };
        match outcome {
            Ok(response) => Ok(answered(call, response).await),
            Err(error) => {
                call.failed(!matches!(&error, Error::Reqwest(error) if is_unsent(error)));
                Err(error)
            }
        }
    }
}
