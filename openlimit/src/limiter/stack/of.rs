//! `Stack`: several limiters, as a program names them.

use std::fmt;
use std::time::Duration;

use super::super::Acquire;
#[cfg(feature = "clients")]
use super::super::RateLimiter;
use super::super::permit::Permit;
use super::super::seen::decided;
use super::levels::Levels;
#[cfg(feature = "clients")]
use super::levels::levels_of_each;
use super::stacked::Stacked;
use crate::error::AcquireError;
#[cfg(feature = "clients")]
use crate::limits::Cost;

/// Several limiters that admit a call together, such as those of a tenant and of the whole account.
///
/// A call departs when every limiter admits it. It is charged in all of them then, and in none
/// before. Its [`Permit`] settles, cancels, observes and refuses it in all of them.
///
/// Name the limiters from the one that the fewest calls share to the one that most calls share. A
/// call that waits for a later limiter keeps its place at the head of the earlier ones. So one call
/// of each tenant waits for the account at a time, and tenants take turns.
///
/// ```
/// use openlimit::{Cost, RateLimiter, Stack, limiter};
///
/// limiter! {
///     static ACCOUNT: RateLimiter = { tokens: 9_000 / day };
///     static ANNA: RateLimiter = { requests: 100 / day, tokens: 2_000 / day };
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limits = Stack::of((&ANNA, &ACCOUNT));
/// let permit = limits.acquire(1_500).blocking()?;
/// assert!(limits.try_acquire(1_500).is_err()); // Anna has no more, and the account was not charged
/// permit.settle(400);
/// limits.try_acquire(1_500)?;
/// # Ok(())
/// # }
/// ```
///
/// In an annotated function, write `limiter = (ANNA, ACCOUNT)`.
///
/// # Its permit
///
/// [`cost`](Permit::cost) is the largest amount of all limiters in each dimension,
/// [`limiter`](Permit::limiter) the outermost limiter, which is also the one whose verdict
/// [`refused`](Permit::refused) and [`responded`](Permit::responded) return.
/// [`waited`](Permit::waited) is the whole wait, and [`waited_for`](Permit::waited_for) the limit
/// that made it wait last, in whichever limiter.
///
/// # Good to know
///
/// - It is no limiter: `status`, `plan`, `update` and the like are those of its limiters.
/// - Where all its limiters are shared through Redis, a process gets at most about one call through
///   it for each round trip, and for each two if they take longer than half of the jitter.
/// - It can be one of the calls of [`first_free`](crate::first_free).
/// - The limiters may be of different kinds. Each prices the request in its own way. With explicit
///   costs, a limiter takes what the cost names of its own dimensions. A dimension that none of
///   them meters is an error.
/// - A limiter may keep a part for a priority ([`reserve`](crate::Builder::reserve)). A call that
///   waits there for its share keeps its places at the heads of earlier limiters, also before calls
///   of higher priorities. So keep the part in the first limiter that urgent calls and others
///   share.
/// - The limiters may be in memory or shared through Redis, in any mixture.
/// - Calls of a stack and calls of one of its limiters wait in the same queue.
/// - Nothing deadlocks, whatever order other stacks name the limiters in: a limiter keeps the place
///   relative to others that it had in its first stack.
/// - If an inner limiter closes again while a call waits for an outer one, by a debt or a hold of
///   more than 0.1 s, the call lets others go before it in the outer one, and queues there again.
///   If the inner one is shared through Redis, it keeps its place for up to 1 s.
/// - A used-up quota or a [close](crate::Limiter::close) of any of them refuses the calls that
///   wait, also those that still wait for another one.
/// - A call that waits for an outer limiter counts in the
///   [`max_waiting`](crate::Builder::max_waiting) of the inner ones, too.
/// - Do not stack limiters by two attributes on one function, or by acquiring twice: the first is
///   charged while the second is waited for, and keeps the charge if the second refuses.
/// - A call of a stack allocates its levels and its permit, and a few times more if it has to wait.
pub struct Stack<L>(L);

impl<L> Stack<L> {
    /// Creates a stack of some limiters, or pointers to them: a tuple of up to four, or an array, a
    /// slice or a `Vec` of one type. It is cheap, so it can be created for each call.
    ///
    /// A limiter that is named twice counts once.
    pub const fn of(limiters: L) -> Self {
        Self(limiters)
    }

    /// Prepares a call that waits until all limiters admit it. See [`Limiter::acquire`].
    ///
    /// All options of the [`Acquire`] hold for every limiter: the timeout is that of the whole
    /// wait, and the priority counts in each queue.
    ///
    /// # Errors
    /// All errors come from the [`Acquire`], which lists them. They name the limiter that refused
    /// the call. If the stack is empty, it is [`AcquireError::Build`].
    ///
    /// [`Limiter::acquire`]: crate::Limiter::acquire
    pub fn acquire<P>(&self, price: P) -> Acquire
    where
        L: Levels<P>,
    {
        match self.0.levels(&price) {
            Ok(levels) => Acquire::stacked(Stacked::new(levels)),
            Err(error) => Acquire::failed(error),
        }
    }

    /// Admits the call in all limiters now, or in none. See [`Limiter::try_acquire`].
    ///
    /// # Errors
    /// The error of the first limiter that refuses it, as in [`Limiter::try_acquire`].
    ///
    /// [`Limiter::try_acquire`]: crate::Limiter::try_acquire
    pub fn try_acquire<P>(&self, price: P) -> Result<Permit, AcquireError>
    where
        L: Levels<P>,
    {
        let outcome = self.0.levels(&price).and_then(Stacked::try_now);
        decided(outcome.as_ref());
        outcome
    }

    /// Estimates how long a call would wait if it were made now, without making it. Zero if it
    /// would be admitted at once.
    ///
    /// It is the longest of the waits that [`Limiter::wait_for`] returns for its limiters, and a
    /// lower bound, too. Calls that still wait for one limiter do not count in those after it.
    ///
    /// # Errors
    /// The error of the first limiter that would refuse it, as in [`Limiter::wait_for`].
    ///
    /// [`Limiter::wait_for`]: crate::Limiter::wait_for
    pub fn wait_for<P>(&self, price: P) -> Result<Duration, AcquireError>
    where
        L: Levels<P>,
    {
        let mut waits =
            self.0.levels(&price)?.into_iter().map(|level| level.handle.core().wait_of_grant(level.grant));
        waits.try_fold(Duration::ZERO, |longest, wait| Ok(longest.max(wait?)))
    }
}

#[cfg(feature = "clients")]
impl Stack<()> {
    /// Prepares a call that costs each limiter something else.
    pub(crate) fn acquire_each(costs: &[(&RateLimiter, Cost)]) -> Acquire {
        match levels_of_each(costs) {
            Ok(levels) => Acquire::stacked(Stacked::new(levels)),
            Err(error) => Acquire::failed(error),
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Stack<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stack").field(&self.0).finish()
    }
}
