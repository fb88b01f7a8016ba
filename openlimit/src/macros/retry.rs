//! Makes a refused call again: the option `retry`.

use crate::feedback::Verdict;

/// The attempts that are left.
#[derive(Debug)]
pub struct Retries(u32);

/// Starts to count. The first attempt is no retry.
#[must_use]
pub fn retries(most: u32) -> Retries {
    Retries(most)
}

impl Retries {
    /// Returns whether the call is made again: if the provider refused it for now, and attempts are
    /// left. A quota that is used up, and a request that is too large, would be refused again.
    ///
    /// It does not wait. The refusal holds the limiter, so the next attempt waits in its queue.
    pub fn again(&mut self, verdict: Verdict) -> bool {
        let is_refused_for_now = matches!(verdict, Verdict::Retry { .. } | Verdict::SlowDown { .. });
        let again = is_refused_for_now && self.0 > 0;
        self.0 -= u32::from(again);
        again
    }
}

/// Copies an argument for the next attempt.
pub fn again<T: Again>(argument: &T) -> T {
    argument.again()
}

/// An argument that `retry` can pass to several attempts.
#[diagnostic::on_unimplemented(
    message = "`retry` passes each argument to every attempt, so `{Self}` must be `Clone` or borrowed",
    label = "not `Clone`",
    note = "take a reference to it, or derive `Clone`"
)]
pub trait Again {
    /// Returns a copy.
    #[must_use]
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Again for T {
    fn again(&self) -> T {
        self.clone()
    }
}
