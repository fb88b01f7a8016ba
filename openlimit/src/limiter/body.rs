//! The cost of a request whose bytes are at hand, as adapters of clients and proxies see it.

use super::Limiter;
use super::limiter::unbuilt;
use crate::error::{AcquireError, ParamsError};
use crate::limits::Cost;
use crate::pricing::kind::{ReadsBody, has_other_limits, unknown_path};

impl<K: ReadsBody> Limiter<K> {
    /// Returns the cost of a request from its path and its body of JSON, without taking it.
    ///
    /// The end of `path` says what kind of request it is: `/chat/completions`, `/completions`,
    /// `/embeddings`, `/responses`, `/v1/messages` or `:generateContent`. Whatever stands before it
    /// is allowed, and a query is ignored. The model is the body's, or else the one that the path
    /// names (`/openai/deployments/{model}/..`, `/v1beta/models/{model}:..`).
    ///
    /// - A [`RateLimiter`](crate::RateLimiter) reads all of these kinds. A path of no known kind is
    ///   one request if it limits nothing but requests, and an error otherwise.
    /// - Any other limiter reads its own kind, also where the path is of no known kind.
    /// - A request that counts against other limits than the model's takes nothing: one that counts
    ///   tokens (`/v1/messages/count_tokens`, `:countTokens`), starts a batch, or stores something.
    ///
    /// No value is built from the bytes. It takes linear time, whatever they are. The text need not
    /// be valid JSON, since the provider checks it.
    ///
    /// ```
    /// use openlimit::{Dimension, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_minute(40_000)).build()?;
    /// let body = br#"{"model": "gpt-4o", "max_completion_tokens": 300,
    ///     "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;
    /// let cost = limiter.cost_of_body("/v1/chat/completions", body)?;
    /// assert_eq!(cost.amount(&Dimension::Tokens), 13 + 300);
    /// let permit = limiter.try_acquire(&cost)?;
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::Params`] if the path is of another kind, or if the body cannot be read as a
    /// request of its kind; and [`AcquireError::Build`] if the declaration of the limiter is wrong.
    pub fn cost_of_body(&self, path: &str, body: &[u8]) -> Result<Cost, AcquireError> {
        if has_other_limits(path) { Ok(Cost::nothing()) } else { self.cost_of_kind::<K>(path, body) }
    }
}

impl<K> Limiter<K> {
    /// Returns the cost of a request as a limiter of kind `Other` reads it.
    pub(crate) fn cost_of_kind<Other: ReadsBody>(
        &self,
        path: &str,
        body: &[u8],
    ) -> Result<Cost, AcquireError> {
        let plan = &self.handle().map_err(unbuilt)?.core().plan;
        match Other::read_body(path, body, plan.pricing()) {
            Ok(Some(cost)) => Ok(cost),
            Ok(None) if plan.meters_only_requests() => Ok(Cost::new()),
            Ok(None) => Err(plan.unpriced(unknown_path())),
            Err(error) => Err(plan.unpriced(error)),
        }
    }

    /// Returns the error of a request that this limiter cannot price.
    #[cfg_attr(not(feature = "clients"), allow(dead_code, reason = "adapters use it"))]
    pub(crate) fn unpriced(&self, error: ParamsError) -> AcquireError {
        match self.handle() {
            Ok(handle) => handle.core().plan.unpriced(error),
            Err(unbuildable) => unbuilt(unbuildable),
        }
    }
}
