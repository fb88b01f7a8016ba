//! `Acquire`: a pending admission. Options first, then `.await` or `.blocking()`.
//!
//! It is a future without a generic parameter, so it can be stored and returned. The usual call,
//! which is admitted at its first poll, runs through one inlined path. All others take the slower
//! functions below it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Permit;
use super::charged::Charged;
use super::core::Handle;
use super::permit::Reserved;
use super::seen::{admitted, decided};
use super::stack::Stacked;
use crate::admission::Decided;
use crate::error::AcquireError;
use crate::learning::SiteId;
use crate::limits::{Amounts, Cost, Priority};
use crate::queue::{Grant, Key, Urgency};
use crate::sync::block_on;
use crate::time::nanos;

/// A pending admission: set options, then `.await` it or call [`blocking`](Acquire::blocking).
/// Created by [`Limiter::acquire`](crate::Limiter::acquire).
///
/// Nothing happens before it is first polled. The first poll, the call's *arrival*, admits the
/// call, refuses it, or adds it to the limiter's queue. Calls are admitted in the order of their
/// [priority](Acquire::priority), then of their arrival. The cost is read when the `Acquire` is
/// created, and it borrows nothing.
///
/// It works with any runtime and with none. A call in the queue is admitted when it is due, even if
/// its task is not polled, and the [`Permit`] is kept for it.
///
/// # Errors
///
/// At the first poll, without a wait:
///
/// - [`TooLarge`](AcquireError::TooLarge) if the cost is more than a limit ever allows to one call.
/// - [`UnknownDimension`](AcquireError::UnknownDimension) if the cost names a dimension that the
///   limiter does not meter.
/// - [`Params`](AcquireError::Params) if the request cannot be priced, or an integer cost is
///   negative.
/// - [`Timeout`](AcquireError::Timeout) if the wait is known to be longer than the
///   [`timeout`](Acquire::timeout), or to end after the [`deadline`](Acquire::deadline).
/// - [`Timer`](AcquireError::Timer) if the call has to wait and the timer thread is not running.
/// - [`Held`](AcquireError::Held) if the limiter is on hold for longer than the timeout.
/// - [`TooManyKeys`](AcquireError::TooManyKeys) if it is of a new key of a
///   [`Keyed`](crate::Keyed), and too many keys are in use.
/// - [`Build`](AcquireError::Build) if the declaration of the limiter is wrong.
///
/// After a wait:
///
/// - [`Timeout`](AcquireError::Timeout) if the timeout ended, or if the wait has become longer than
///   it.
/// - [`TooManyInFlight`](AcquireError::TooManyInFlight) if the timeout ended and as many calls are
///   in flight as the [concurrency](crate::Builder::concurrency) allows.
///
/// On arrival or after a wait:
///
/// - [`Closed`](AcquireError::Closed) if the limiter was [closed](crate::Limiter::close).
/// - [`TooLarge`](AcquireError::TooLarge) if a limit was [updated](crate::Limiter::update), and the
///   call can never fit any more.
/// - [`QueueFull`](AcquireError::QueueFull) if too many calls wait:
///   [`max_waiting`](crate::Builder::max_waiting).
/// - [`Exhausted`](AcquireError::Exhausted) if the provider said that a quota is used up.
///
/// The same, for limits that are shared through Redis:
///
/// - [`Store`](AcquireError::Store) if Redis did not decide about the call.
///
/// # Cancel safety
///
/// Dropping it at any point is safe and costs nothing. The call leaves the queue, and if it had
/// been admitted already, what it was granted is given back. So it can be used in `tokio::select!`
/// or under a runtime's own timeout. A new `Acquire` starts at the end of the queue.
///
/// # Examples
///
/// ```
/// use openlimit::{Cost, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder().tokens(Rate::per_minute(40_000)).build()?;
/// let permit = limiter
///     .acquire(Cost::new().tokens(900))
///     .timeout(Duration::from_secs(5))
///     .await?;
/// drop(permit);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is acquired until it is awaited, or `.blocking()` is called"]
pub struct Acquire {
    /// `None` once it is ready. Nearly every call is ready when it is dropped, and then one
    /// comparison is all that its end takes.
    stage: Option<Stage>,
    urgency: Urgency,
}

enum Stage {
    /// Refused before it was polled.
    Failed(Box<AcquireError>),
    /// Not polled yet. It has few amounts and takes the quick way.
    New(Handle, [u64; Amounts::FEW]),
    /// Not polled yet, and it does not. The box becomes the permit.
    Boxed(Box<Reserved>),
    /// In the queue, or admitted from it and not polled since.
    Waiting(Handle, Key),
    /// Of several limiters.
    Stacked(Stacked),
}

impl Acquire {
    /// Creates a call of this cost.
    #[inline(always)]
    pub(super) fn new(handle: &Handle, cost: &Cost) -> Self {
        Self::at(match handle.core().plan.resolve_few(cost) {
            Some(few) => Stage::New(handle.clone(), few),
            None => match any(handle, cost) {
                Ok(call) => Stage::Boxed(call),
                Err(error) => Stage::Failed(error),
            },
        })
    }

    #[inline(always)]
    fn at(stage: Stage) -> Self {
        Self { stage: Some(stage), urgency: Urgency::default() }
    }

    /// Creates a call of several limiters.
    pub(super) fn stacked(call: Stacked) -> Self {
        Self::at(Stage::Stacked(call))
    }

    /// Creates a call that is refused at its first poll.
    #[inline(always)]
    pub(super) fn failed(error: AcquireError) -> Self {
        Self::at(Stage::Failed(boxed(error)))
    }

    /// Sets the longest wait, from the first poll on, on the limiter's clock. Default: none.
    ///
    /// If the wait is known to be longer, the call fails with [`AcquireError::Timeout`]: on
    /// arrival, or later if the queue moves back, by a debt, a hold, a slower rate, or calls of
    /// higher priorities. It is judged by what is known: a refund, or a call that leaves, might
    /// still have made room. Of a longer queue, only the first 4 096 calls are judged after such a
    /// change. A call behind them fails when it is among them at the next change, or when its
    /// timeout ends.
    ///
    /// With a timeout of zero the call is admitted at once or not at all. Replaces a
    /// [`deadline`](Self::deadline).
    ///
    /// A runtime's own timeout works too, but it cannot fail early, and its error does not say
    /// which limit was too tight.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.urgency = self.urgency.within(nanos(timeout));
        self
    }

    /// Sets the end of the wait. Replaces a [`timeout`](Self::timeout). Default: none.
    ///
    /// Use it where a request has to be answered by a certain time, whatever else was done before.
    /// A deadline that has passed admits the call at once or not at all.
    ///
    /// tokio's `Instant` converts: `.deadline(instant.into_std())`. Where tokio's time is paused,
    /// and the limiter follows it, so does the deadline. On a manual clock, the time that is left
    /// is read from the system's clock by this method, and passes on the manual one.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::{Duration, Instant};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build()?;
    /// let deadline = Instant::now() + Duration::from_secs(10); // when the request came in
    /// let permit = limiter.acquire(Cost::new()).deadline(deadline).blocking()?;
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deadline(mut self, deadline: Instant) -> Self {
        if let Some(handle) = self.stage.as_ref().and_then(Stage::handle) {
            self.urgency = self.urgency.until(handle.core().time.at(deadline));
        }
        self
    }

    /// Sets the priority of the call among those that wait. Default: [`Priority::Normal`].
    ///
    /// Within a priority, calls are admitted in the order of their arrival. Otherwise the highest
    /// priority is next, but none starves: the first waiting call of a priority is overtaken by at
    /// most nine higher ones that arrive after it. So while calls of all kinds wait, one in ten is
    /// not of the highest priority. A call with `k` calls of its own priority before it is
    /// overtaken by at most `9 * (k + 1)` calls, and never by one of a lower priority that arrives
    /// later.
    ///
    /// A priority changes the order, not the limits. While no call waits, it makes no difference,
    /// unless a part of the limits is kept for some: [`Builder::reserve`](crate::Builder::reserve).
    /// Those calls also pass one that waits for its share alone, however often. With limits that
    /// are shared through Redis, it counts among the calls of this process.
    ///
    /// ```
    /// use openlimit::{Cost, Priority, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build()?;
    /// let permit = limiter.acquire(Cost::new()).priority(Priority::Low).blocking()?;
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.urgency = self.urgency.of(priority);
        self
    }

    /// Names the place in the program that makes this kind of call. Default: one site for all calls
    /// of the limiter.
    ///
    /// What calls really use is learned for each site apart, since calls of one kind resemble each
    /// other. See [`Builder::output`](crate::Builder::output). The attribute
    /// [`rate_limited`](macro@crate::rate_limited) names each function by itself, and the adapters
    /// of clients have a method of this name.
    ///
    /// Use a few fixed names. A limiter knows the 64 sites that were settled last. A site does not
    /// matter to a call whose cost is given outright.
    pub fn site(mut self, name: &str) -> Self {
        if let Some(Stage::Boxed(call)) = &mut self.stage
            && let Some(lesson) = &mut call.charged.grant.lesson
        {
            lesson.site = SiteId::of(name);
        }
        if let Some(Stage::Stacked(call)) = &mut self.stage {
            call.set_site(name);
        }
        self
    }

    /// Blocks the current thread until the call is admitted. Needs no runtime.
    ///
    /// Do not call it on a thread that polls async tasks, since it would block all of them. Async
    /// callers `.await` the `Acquire` instead.
    ///
    /// The attribute [`rate_limited`](macro@crate::rate_limited) uses this method in every function
    /// that is not `async` and does not return a future. It recognises a future by the name of its
    /// type. A function whose future hides behind a type alias (`-> MyFuture`) cannot be
    /// recognised, and blocks its thread. Write the type out, or make the function an `async fn`.
    ///
    /// # Errors
    /// The reason why the call was not admitted: see [`Acquire`]. On the threads that call wakers,
    /// a call that would have to wait fails at once with
    /// [`WouldDeadlock`](AcquireError::WouldDeadlock).
    #[inline]
    pub fn blocking(mut self) -> Result<Permit, AcquireError> {
        // Most calls are admitted at once.
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => self.block(),
        }
    }

    #[cold]
    #[inline(never)]
    fn block(mut self) -> Result<Permit, AcquireError> {
        block_on(&mut self).unwrap_or_else(|| Err(self.blocks_itself()))
    }

    /// Returns the error of a call that would block the thread that ends its wait.
    #[cold]
    pub(super) fn blocks_itself(&self) -> AcquireError {
        let limiter = match &self.stage {
            Some(Stage::Waiting(handle, _)) => Some(handle.core().plan.name().clone()),
            Some(Stage::Stacked(call)) => call.waits_for(),
            _ => None,
        };
        let Some(limiter) = limiter else { unreachable!("a pending call waits") };
        AcquireError::WouldDeadlock { limiter }
    }
}

impl Future for Acquire {
    type Output = Result<Permit, AcquireError>;

    /// # Panics
    /// Panics if it is polled again after it was ready.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(Stage::New(handle, few)) = &self.stage else { return self.poll_otherwise(None, context) };
        match handle.core().arrive(few, self.urgency) {
            Decided::Admitted(charge) => {
                let few = *few;
                // The permit takes over the handle. Cloning and dropping it would cost two atomic
                // operations.
                match self.stage.take() {
                    Some(Stage::New(handle, _)) => {
                        Poll::Ready(Ok(admitted(Permit::at_once(handle, few, charge))))
                    }
                    _ => unreachable!("it was new"),
                }
            }
            decision => self.poll_otherwise(Some(decision), context),
        }
    }
}

impl Acquire {
    /// Polls a call that the quick way has not admitted, after the decision about it, if there is
    /// one.
    #[inline(always)]
    fn poll_otherwise(
        &mut self,
        decision: Option<Decided<Box<AcquireError>>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, AcquireError>> {
        // An error is large. As long as it is in its box, a permit is passed on in registers.
        self.poll_seen(decision, context).map_err(|error| *error)
    }

    /// Does the same, and passes the outcome on to `tracing` and `metrics`.
    #[inline(never)]
    fn poll_seen(
        &mut self,
        decision: Option<Decided<Box<AcquireError>>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, Box<AcquireError>>> {
        let outcome = match decision {
            Some(decision) => self.decided(decision, context),
            None => self.poll_slowly(context),
        };
        if let Poll::Ready(outcome) = &outcome {
            decided(outcome.as_ref().map_err(AsRef::as_ref));
        }
        outcome
    }

    /// Polls a call with many amounts, or one that was polled before.
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, Box<AcquireError>>> {
        let ready = match self.stage.as_mut().expect("an `Acquire` was polled after it was ready") {
            Stage::New(..) => unreachable!("it takes the quick way"),
            Stage::Boxed(call) => {
                let Reserved { handle, charged } = &mut **call;
                let decision = handle.core().arrive_any(&mut charged.grant, self.urgency);
                return self.decided(decision, context);
            }
            Stage::Waiting(handle, key) => match handle.core().poll(*key, context.waker()) {
                Poll::Ready(outcome) => {
                    outcome.map(|grant| Permit::new(handle.clone(), grant)).map_err(Box::new)
                }
                Poll::Pending => return Poll::Pending,
            },
            Stage::Stacked(call) => match call.poll(self.urgency, context) {
                Poll::Ready(ready) => ready.map_err(Box::new),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Failed(error) => Err(error.clone()),
        };
        self.stage = None;
        Poll::Ready(ready)
    }

    /// Acts on the decision about a new call.
    fn decided(
        &mut self,
        decision: Decided<Box<AcquireError>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, Box<AcquireError>>> {
        let Some(stage) = self.stage.take() else { unreachable!("it was new") };
        match decision {
            Decided::Admitted(charge) => Poll::Ready(Ok(stage.admitted(charge))),
            Decided::Refused(error) => Poll::Ready(Err(error)),
            Decided::Waits(key) => {
                self.stage = Some(Stage::Waiting(stage.into_handle(), key));
                // Stores its waker, unless it was admitted meanwhile.
                self.poll_slowly(context)
            }
        }
    }
}

/// Prepares a call of any cost.
#[inline(never)]
fn any(handle: &Handle, cost: &Cost) -> Result<Box<Reserved>, Box<AcquireError>> {
    let plan = &handle.core().plan;
    let amounts = plan.now().resolve(cost)?;
    let charged = Charged::new(Grant { lesson: plan.lesson(cost), ..Grant::at_once(amounts, 0) });
    Ok(Box::new(Reserved { handle: handle.clone(), charged }))
}

#[cold]
#[inline(never)]
fn boxed(error: AcquireError) -> Box<AcquireError> {
    Box::new(error)
}

impl Stage {
    /// Returns the permit of a new call that was admitted.
    fn admitted(self, charge: u64) -> Permit {
        match self {
            Self::New(handle, few) => Permit::at_once(handle, few, charge),
            Self::Boxed(mut call) => {
                call.charged.grant.charge = charge;
                Permit::boxed(call)
            }
            _ => unreachable!("it was new"),
        }
    }

    /// Returns the limiter of a call that is not over.
    fn handle(&self) -> Option<&Handle> {
        match self {
            Self::New(handle, _) | Self::Waiting(handle, _) => Some(handle),
            Self::Boxed(call) => Some(&call.handle),
            Self::Stacked(call) => call.first().map(|level| &level.handle),
            Self::Failed(_) => None,
        }
    }

    /// Returns the limiter of a new call.
    fn into_handle(self) -> Handle {
        match self {
            Self::New(handle, _) => handle,
            Self::Boxed(call) => call.handle.clone(),
            _ => unreachable!("it was new"),
        }
    }
}

impl Drop for Acquire {
    #[inline]
    fn drop(&mut self) {
        if let Some(Stage::Waiting(handle, key)) = &self.stage {
            handle.core().leave(*key);
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Some(Stage::Failed(_)) => "failed",
            Some(Stage::New(..) | Stage::Boxed(..) | Stage::Stacked(Stacked::New(_))) => "new",
            Some(Stage::Waiting(..) | Stage::Stacked(Stacked::Waiting(_))) => "waiting",
            Some(Stage::Stacked(Stacked::Done)) | None => "done",
        };
        f.debug_struct("Acquire").field("state", &stage).finish_non_exhaustive()
    }
}
