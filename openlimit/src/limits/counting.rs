//! `Counting`: how the provider counts what a limit allows.

/// How the provider counts limits that do not [reset](crate::Rate::resets_at). Set by
/// [`Builder::counting`](crate::Builder::counting).
///
/// ```
/// use openlimit::{Counting, Rate, RateLimiter};
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder()
///     .requests(Rate::per_minute(600))
///     .counting(Counting::InWindows)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counting {
    /// The limit refills continuously, as a bucket does. This is how OpenAI and Anthropic count.
    ///
    /// In a window of one period, a full bucket allows the amount and the burst on top of it.
    #[default]
    Refilling,

    /// The provider counts calls in windows, and allows the amount in each of them. Azure,
    /// LiteLLM's proxy and many gateways count so.
    ///
    /// The windows may be fixed (they begin at the full minute, or with the first call) or sliding.
    /// The limiter admits at most the amount in *any* window of one period, wherever it starts.
    InWindows,
}
