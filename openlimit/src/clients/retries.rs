//! `reqwest_retries`: reqwest's own retries, each of which passes the limiter.
//!
//! reqwest sends again below every middleware. First it asks a classifier, which sees little and
//! cannot wait. It asks while the middleware polls the request. So the middleware leaves its
//! call in a thread-local for the time of each poll, and the classifier asks the limiter for one
//! more attempt, now or not at all.
//!
//! An attempt that the classifier allows is not sent if reqwest's budget is used up. Right before
//! it sends one, reqwest asks for the scope of its retries. Until then the permit of the attempt is
//! kept apart, and if the request ends without that, it is cancelled.

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::StatusCode;
use reqwest::retry::Builder;

use super::response::is_unsent;
use super::sent_call::SentCall;
use crate::feedback::Observation;
use crate::{Acquire, Permit};

/// Returns a policy for `reqwest::ClientBuilder::retry`, whose attempts are calls of the limiter.
///
/// reqwest retries below every middleware, where no limiter counts. By this policy, each attempt is
/// admitted and has a permit of its own, so attempts at the server equal acquires.
///
/// ```
/// use openlimit::clients::{LimitLayer, reqwest_retries};
/// use openlimit::{ChatRateLimiter, limiter};
/// use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
///
/// limiter! { static CHAT: ChatRateLimiter = { requests: 500 / minute, tokens: 30_000 / minute }; }
///
/// fn client() -> reqwest::Result<ClientWithMiddleware> {
///     let http = reqwest::Client::builder().retry(reqwest_retries()).build()?;
///     Ok(ClientBuilder::new(http).with(LimitLayer::new(&CHAT)).build())
/// }
/// # let _ = client;
/// ```
///
/// A request is sent again
///
/// - if it failed, such as by a connection that was reset or a stream of HTTP/2 that the server
///   refused, or the status is 408 or 5xx. Not after a refusal (429, 503 and 529): its headers say
///   how long to wait, and only the layers above see them. The server may have processed the
///   request before it failed, as for any retry.
/// - if the limiter admits it at that moment, at the same cost, priority and site. It does not
///   wait. Of limits that are shared through Redis, it takes only what this process has reserved: a
///   lease that lasts longer than the failed attempt.
///
/// Otherwise the response goes up unchanged. A failed attempt keeps its charge, unless it found no
/// connection. The last one settles the call.
///
/// The [burst](crate::Builder::burst) needs room for one more call. By default, 30 000 tokens per
/// minute have room for 475 at once, which is too few for most calls. A burst of ten seconds has
/// room for 4 975. A [concurrency](crate::Builder::concurrency) needs none: the failed attempt has
/// ended. But if a call waits for that, it goes first.
///
/// As in every policy of reqwest, a request is sent at most twice more, within a budget of 20 %.
/// The methods of the builder change both, but with another classifier nobody counts. To send again
/// after a refusal, or later, use the crate `reqwest-retry`, alone or with this.
///
/// A request is not sent again if it has passed no [`LimitLayer`](super::LimitLayer), as those of
/// `reqwest::blocking`, or two, if it was redirected to another path, or if a middleware below the
/// layer has changed its path.
#[must_use]
pub fn reqwest_retries() -> Builder {
    reqwest::retry::for_host(EveryHost).classify_fn(|attempt| {
        let admitted = on_polled(|call| call.admits(attempt.uri().path(), attempt.status(), attempt.error()));
        if admitted { attempt.retryable() } else { attempt.success() }
    })
}

/// The scope of the retries: all hosts.
struct EveryHost;

impl PartialEq<&str> for EveryHost {
    /// reqwest asks this when it has decided to send again, and before it does.
    fn eq(&self, _: &&str) -> bool {
        on_polled(Call::is_sent);
        true
    }
}

thread_local! {
    /// The call whose request is being polled.
    static POLLED: Cell<Option<Call>> = const { Cell::new(None) };
}

/// Acts on the call that is being polled, if there is one.
fn on_polled<T: Default>(act: impl FnOnce(&mut Call) -> T) -> T {
    let mut call = POLLED.take();
    let outcome = call.as_mut().map(act).unwrap_or_default();
    POLLED.set(call);
    outcome
}

/// An admitted call, while its request is under way.
pub(super) struct Call {
    /// The path of its request. A redirect leads to another one, and other middlewares may send
    /// requests of their own.
    path: String,
    /// What admits one more attempt.
    again: Option<Acquire>,
    /// The last attempt that was sent; `None` if that found no connection.
    last: Option<SentCall>,
    /// The next attempt, until it is sent.
    next: Option<SentCall>,
    /// The status of the last attempt.
    status: Option<StatusCode>,
}

impl Call {
    /// Creates a call of a permit. `again` admits the same once more.
    pub(super) fn new(path: String, permit: Permit, again: Option<Acquire>) -> Self {
        Self { path, again, last: Some(SentCall::new(permit)), next: None, status: None }
    }

    /// Runs its request. Returns the outcome, and the last attempt that was sent, unless that found
    /// no connection.
    ///
    /// If it is dropped, all attempts keep their charges.
    pub(super) async fn run<F>(self, mut request: F) -> (F::Output, Option<SentCall>)
    where
        F: Future + Unpin,
    {
        let mut call = Some(self);
        let outcome = poll_fn(|context| {
            let polled = {
                let _polled = Polled::start(&mut call);
                Pin::new(&mut request).poll(context)
            };
            if polled.is_pending() {
                // Nothing but an attempt that was sent is left to wait for.
                call.as_mut().map(Self::is_sent);
            }
            polled
        });
        let outcome = outcome.await;
        let Some(Self { last, next, .. }) = call else { return (outcome, None) };
        if let Some(next) = next {
            next.failed(false);
        }
        (outcome, last)
    }

    /// Returns true if the last attempt failed in a way that another one may cure, and the limiter
    /// admits that now.
    fn admits(
        &mut self,
        path: &str,
        status: Option<StatusCode>,
        error: Option<&(dyn Error + 'static)>,
    ) -> bool {
        if path != self.path || !status.is_none_or(is_curable) {
            return false;
        }
        self.status = status;
        if let Some(failed) = &mut self.last {
            // It is not in flight any more, and must not be in the way of the next attempt.
            failed.end();
        }
        if error.is_some_and(is_unsent)
            && let Some(unsent) = self.last.take()
        {
            unsent.failed(false);
        }
        let Some(again) = self.again.as_ref().and_then(Acquire::again) else { return false };
        let mut again = again.timeout(Duration::ZERO);
        match Pin::new(&mut again).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(permit)) => self.next = Some(SentCall::new(permit)),
            Poll::Ready(Err(_)) | Poll::Pending => return false,
        }
        true
    }

    /// Notes that the next attempt is sent, if one was admitted. The one before keeps its charge.
    fn is_sent(&mut self) {
        let Some(next) = self.next.take() else { return };
        if let (Some(failed), Some(status)) = (self.last.replace(next), self.status)
            && let Some(permit) = failed.answered()
        {
            permit.refused(Observation::new(status.as_u16()));
        }
    }
}

/// Returns true if the same request may succeed at once after a response of this status. Refusals
/// ask for a wait.
fn is_curable(status: StatusCode) -> bool {
    match status.as_u16() {
        503 | 529 => false,
        status => status == 408 || status >= 500,
    }
}

/// A poll of a call, which ends when this is dropped, also by a panic.
struct Polled<'a> {
    call: &'a mut Option<Call>,
    /// The call within whose poll this one is.
    outer: Option<Call>,
}

impl<'a> Polled<'a> {
    fn start(call: &'a mut Option<Call>) -> Self {
        let outer = POLLED.take();
        // Within another call, two would have to admit the attempt. So none is there to be asked.
        if outer.is_none() {
            POLLED.set(call.take());
        }
        Self { call, outer }
    }
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        match self.outer.take() {
            Some(outer) => POLLED.set(Some(outer)),
            None => *self.call = POLLED.take(),
        }
    }
}
