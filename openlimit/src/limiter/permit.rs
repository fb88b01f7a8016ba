//! `Permit`: an admitted call, which can be settled or cancelled.
//!
//! The future of an annotated function holds a permit to its end, and every byte of the permit is a
//! byte of that future. So it has 24 bytes: a small call that was admitted at once is packed into
//! them, and everything else is boxed.

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::charged::{Charged, Settled};
use super::core::{Core, Handle};
use crate::learning::Lesson;
use crate::limits::{Amounts, Cost, Limit, Name, Usage};
use crate::queue::{Grant, Wait};

/// An admitted call. Its cost is reserved from all limits.
///
/// - [`settle`](Permit::settle) replaces the reserved cost by the usage that the provider reports,
///   and [`settle_so_far`](Permit::settle_so_far) by a part of it.
/// - [`observe`](Permit::observe) believes what the response says is left. Call it before `settle`.
/// - [`refused`](Permit::refused) holds the limiter after the provider refused the call.
/// - [`cancel`](Permit::cancel) gives everything back. Use it only if the request was never sent.
/// - Of a [`Stack`](crate::Stack), all of that is done in each of its limiters.
/// - Dropping it keeps the reservation, since the request may have been sent. If the call was
///   admitted to find out if a used-up quota is back, it means yes.
///
/// # Streams
///
/// The usage of a stream comes last, so the permit moves into the stream: by
/// [`wrap_read`](Permit::wrap_read), `wrap_body` (feature `http`), or `wrap` and `wrap_items`
/// (feature `stream`). What passes stays unchanged. In an annotated function, the option `stream`
/// does it.
///
/// - The call is settled as soon as the stream has stated its final usage. Clients often stop
///   reading there.
/// - If it is dropped before that, or breaks off with an error, it keeps its reservation. Of its
///   usage, the input is then settled if it was stated, since it does not change any more.
/// - The call is in flight until the stream ends or is dropped, and not only until its usage is
///   known: see [`concurrency`](crate::Builder::concurrency). So drop a stream that is not read to
///   its end.
/// - An error that comes in place of the rest of the answer, such as Anthropic's
///   `overloaded_error`, is a refusal: see [`refused`](Permit::refused).
///
/// OpenAI states the usage of a stream only if the request has `"stream_options":
/// {"include_usage": true}`. Without it, the reservation stays.
///
/// # Good to know
///
/// The limits count what calls take, and not how many run at a time. So a permit does not have to
/// be held, unless the limiter bounds its [`concurrency`](crate::Builder::concurrency): then the
/// call is in flight until its permit is gone. A permit borrows nothing, can be sent to other
/// threads, and may outlive the limiter.
#[must_use = "a permit stands for an admitted call: make the call, or cancel it"]
pub struct Permit(Packed);

/// The largest first amount that is packed. Usually it counts requests.
const SMALL: u64 = u16::MAX as u64;
/// The largest second amount that is packed. Usually it counts tokens.
const MEDIUM: u64 = u32::MAX as u64;

/// A grant. A packed one has at most two amounts, did not wait, and teaches nothing.
enum Packed {
    Static {
        core: &'static Core,
        charge: u64,
        second: u32,
        first: u16,
    },
    Counted {
        core: Arc<Core>,
        charge: u64,
        second: u32,
        first: u16,
    },
    Boxed(Box<Reserved>),
    /// The permits of a [`Stack`](super::Stack), at least one: the outermost limiter comes last.
    ///
    /// Nobody shares them. They are in an `Arc` since the end of the last reference to one is a
    /// function of its own. The end of a `Box` is part of the end of each permit, which is then too
    /// large to be inlined.
    Stacked(Arc<[Permit]>),
}

/// A charge that does not fit into a permit, and the limiter that it is of.
pub(super) struct Reserved {
    pub(super) handle: Handle,
    pub(super) charged: Charged,
}

impl Reserved {
    /// Does the same as [`Permit::at_once`], for amounts that are not small.
    ///
    /// It returns the box and not the permit, so that every permit is made in registers.
    #[inline(never)]
    fn at_once(handle: Handle, few: [u64; Amounts::FEW], charge: u64) -> Box<Self> {
        let grant = Grant::at_once(Amounts::Few(few), charge);
        Box::new(Self { handle, charged: Charged::new(grant) })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let Grant { is_probe, charge, flight, .. } = self.charged.grant;
        if is_probe {
            self.handle.core().end_probe(charge);
        }
        if let Some(number) = flight {
            self.handle.core().end_flight(number, true);
        }
    }
}

impl Permit {
    /// Creates a permit for a call that was admitted at once.
    #[inline]
    pub(super) fn at_once(handle: Handle, few: [u64; Amounts::FEW], charge: u64) -> Self {
        match few {
            [first @ 0..=SMALL, second @ 0..=MEDIUM, 0] => {
                let (first, second) = (first as u16, second as u32);
                Self(match handle {
                    Handle::Static(core) => Packed::Static { core, charge, second, first },
                    Handle::Counted(core) => Packed::Counted { core, charge, second, first },
                })
            }
            _ => Self::boxed(Reserved::at_once(handle, few, charge)),
        }
    }

    /// Creates a permit for a grant, which is packed if it can be.
    pub(super) fn of_grant(handle: Handle, grant: Grant) -> Self {
        match grant {
            Grant {
                amounts: Amounts::Few(few),
                lesson: None,
                charge,
                flight: None,
                wait: None,
                is_probe: false,
                is_below: false,
            } => Self::at_once(handle, few, charge),
            grant => Self::new(handle, grant),
        }
    }

    /// Creates the permit of a call of several limiters.
    pub(super) fn stacked(levels: Arc<[Self]>) -> Self {
        Self(Packed::Stacked(levels))
    }

    /// Creates a permit for any grant.
    pub(super) fn new(handle: Handle, grant: Grant) -> Self {
        Self::boxed(Box::new(Reserved { handle, charged: Charged::new(grant) }))
    }

    /// Does the same for a call whose box is there already.
    pub(super) fn boxed(call: Box<Reserved>) -> Self {
        Self(Packed::Boxed(call))
    }

    /// Replaces the reserved cost by what the call really used.
    ///
    /// `usage` is a [`Usage`], or an integer for the total of tokens. A dimension that it does not
    /// name, or that the limiter does not meter, keeps its reservation.
    ///
    /// If the call used less, the difference is given back, and waiting calls move forward. If it
    /// used more, the difference becomes debt, for which later calls wait. With
    /// [`refunds`](crate::Builder::refunds) set to `false`, nothing is given back.
    ///
    /// As a bucket refills, reservations flow back with time anyway. The part of the difference
    /// that has flowed back already is not given back again, since later calls could then exceed
    /// the limit. So settle soon after the reply.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter, Usage};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(900)?;
    /// assert!(limiter.try_acquire(400).is_err());
    /// permit.settle(Usage::new(120, 380)); // used 500 tokens: 400 are given back
    /// assert!(limiter.try_acquire(400).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn settle(mut self, usage: impl Into<Usage>) {
        let usage = usage.into();
        self.each(|permit| {
            permit.change(|core, charged| core.settle(charged, &usage, Settled::Whole));
        });
    }

    /// Does the same with a part of the usage, and keeps the permit.
    ///
    /// Use it if the provider reports usage little by little: Anthropic states the input when a
    /// stream begins, and the output when it ends. A later value of a dimension replaces an earlier
    /// one; values are never added. If the permit is dropped then, it keeps what was settled so
    /// far, and the reservation of all other dimensions.
    ///
    /// With limits that are shared through Redis, usage that first rises above the reservation and
    /// then falls again may be given back in part only. The rest flows back with time.
    ///
    /// ```
    /// use openlimit::{Cost, Dimension, Rate, RateLimiter, Usage};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder()
    ///     .input_tokens(Rate::per_day(1_000))
    ///     .output_tokens(Rate::per_day(1_000))
    ///     .build()?;
    /// let mut permit = limiter.try_acquire(Cost::new().input_tokens(400).output_tokens(900))?;
    /// permit.settle_so_far(Usage::default().with(Dimension::InputTokens, 120));
    /// assert_eq!(permit.cost(), Cost::new().input_tokens(120).output_tokens(900));
    /// permit.settle(Usage::new(120, 380));
    /// # Ok(())
    /// # }
    /// ```
    pub fn settle_so_far(&mut self, usage: impl Into<Usage>) {
        self.settle_as(&usage.into(), Settled::Part);
    }

    /// Settles the call, and keeps the permit. The limiter learns from the first
    /// [`Settled::Whole`].
    pub(super) fn settle_as(&mut self, usage: &Usage, settled: Settled) {
        self.each(|permit| {
            if permit.is_probe() {
                permit.core().end_probe(permit.charge());
            }
            if let Some(charged) = permit.change(|core, charged| core.settle(charged, usage, settled)) {
                *permit = Self::boxed(Box::new(Reserved { handle: permit.handle(), charged }));
            }
        });
    }

    /// Gives the whole cost back. Use it only if the request was never sent.
    ///
    /// As in [`settle`](Self::settle), the part that has flowed back already is not given back
    /// again.
    ///
    /// # After a refusal
    ///
    /// Do not cancel a call that the provider refused (status 429). Its refusal says that the
    /// limit is used up. If its cost is given back, the next call departs at once, and is refused,
    /// too. Calls that are retried in this way send many times as many requests as there are calls.
    ///
    /// Call [`refused`](Self::refused) instead, with the response or with the client's error. It
    /// keeps the charge, and holds the limiter for as long as the response asks for, which stops
    /// all other calls, too.
    ///
    /// If neither is at hand, drop the permit, which keeps the charge. Then
    /// [hold](crate::Limiter::hold) the limiter by hand:
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # use openlimit::Rate;
    /// # struct Response { status: u16, retry_after: Option<Duration>, tokens: u64 }
    /// fn call(
    ///     limiter: &RateLimiter,
    ///     mut send: impl FnMut() -> Response,
    /// ) -> Result<Response, AcquireError> {
    ///     loop {
    ///         let permit = limiter.acquire(Cost::new().tokens(900)).blocking()?;
    ///         let response = send();
    ///         if response.status != 429 {
    ///             permit.settle(response.tokens);
    ///             return Ok(response);
    ///         }
    ///         drop(permit); // it was sent and refused: the charge stays
    ///         limiter.hold(response.retry_after.unwrap_or(Duration::from_secs(1)), "429")?;
    ///     }
    /// }
    /// #
    /// # let limiter = RateLimiter::builder().tokens(Rate::per_day(2_000)).build().unwrap();
    /// # let mut sent = 0;
    /// # let response = call(&limiter, || {
    /// #     sent += 1;
    /// #     let status = if sent == 1 { 429 } else { 200 };
    /// #     Response { status, retry_after: Some(Duration::from_millis(1)), tokens: 900 }
    /// # });
    /// # assert_eq!((response.unwrap().status, sent), (200, 2));
    /// # // Both were charged.
    /// # assert!(limiter.try_acquire(900).is_err());
    /// ```
    pub fn cancel(mut self) {
        self.each(|permit| {
            permit.change(|core, charged| core.cancel(charged));
        });
    }

    /// Returns the cost that the call reserved, or, of dimensions that were
    /// [settled so far](Self::settle_so_far), what it is charged now.
    ///
    /// It names an amount for each dimension that the limiter meters, and no other. Like every
    /// cost, it counts one request if the limiter does not meter requests. For a
    /// [`Stack`](crate::Stack), it is the largest amount of all limiters in each dimension.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let costs = self.levels().iter().map(|permit| permit.core().plan.cost(&permit.amounts()));
        costs.reduce(Cost::or_more).unwrap_or_default()
    }

    /// Returns the name of the limiter that admitted the call. For a [`Stack`](crate::Stack), it is
    /// the outermost one.
    #[must_use]
    pub fn limiter(&self) -> &Name {
        self.core().plan.name()
    }

    /// Returns how long the call waited: from its first poll until it was admitted, on the
    /// limiter's clock. Zero if it was admitted at once.
    ///
    /// The time between the admission and the next poll of the task does not count.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.wait().map_or(Duration::ZERO, |wait| Duration::from_nanos(wait.nanos))
    }

    /// Returns the limit that made the call wait last; `None` if it was admitted at once, or waited
    /// for the end of a [hold](crate::Limiter::hold), or of another call of a limiter that bounds
    /// its [concurrency](crate::Builder::concurrency). After an [update](crate::Limiter::update),
    /// it is the limit as it is now.
    #[must_use]
    pub fn waited_for(&self) -> Option<Limit> {
        // A hold is no limit, and neither is a concurrency.
        let waited = self.levels().iter().find(|permit| permit.wait().is_some())?;
        waited.core().plan.now().limits().get(waited.wait()?.limit).cloned()
    }

    /// Returns the number of calls that were to go before it when it arrived.
    #[allow(dead_code, reason = "for events")]
    pub(super) fn position(&self) -> u64 {
        self.wait().map_or(0, |wait| wait.position.into())
    }

    fn wait(&self) -> Option<&Wait> {
        match &self.0 {
            Packed::Boxed(boxed) => boxed.charged.grant.wait.as_ref(),
            Packed::Stacked(levels) => levels.iter().find_map(Self::wait),
            _ => None,
        }
    }

    /// Returns the permit in each limiter.
    #[inline]
    pub(super) fn levels(&self) -> &[Self] {
        match &self.0 {
            Packed::Stacked(levels) => levels,
            _ => slice::from_ref(self),
        }
    }

    /// Acts on the permit in each limiter.
    pub(super) fn each(&mut self, act: impl FnMut(&mut Self)) {
        match &mut self.0 {
            Packed::Stacked(levels) => Arc::get_mut(levels).into_iter().flatten().for_each(act),
            _ => slice::from_mut(self).iter_mut().for_each(act),
        }
    }

    /// Returns the number of the charge.
    pub(super) fn charge(&self) -> u64 {
        match &self.0 {
            Packed::Static { charge, .. } | Packed::Counted { charge, .. } => *charge,
            Packed::Boxed(boxed) => boxed.charged.grant.charge,
            Packed::Stacked(levels) => outermost(levels).charge(),
        }
    }

    /// Returns the number of the call among those in flight, if these are limited.
    pub(super) fn flight(&self) -> Option<u64> {
        match &self.0 {
            Packed::Boxed(boxed) => boxed.charged.grant.flight,
            _ => None,
        }
    }

    /// Does the same, and leaves none.
    pub(super) fn take_flight(&mut self) -> Option<u64> {
        match &mut self.0 {
            Packed::Boxed(boxed) => boxed.charged.grant.flight.take(),
            _ => None,
        }
    }

    /// Returns the parts of the cost, if the limiter learns from it.
    pub(super) fn lesson(&self) -> Option<&Lesson> {
        match &self.0 {
            Packed::Boxed(boxed) => boxed.charged.grant.lesson.as_deref(),
            _ => None,
        }
    }

    /// Returns what the call is charged, in the limiter's dimensions.
    pub(super) fn amounts(&self) -> Amounts {
        match &self.0 {
            Packed::Static { first, second, .. } | Packed::Counted { first, second, .. } => {
                small(*first, *second)
            }
            Packed::Boxed(boxed) => boxed.charged.grant.amounts.clone(),
            Packed::Stacked(levels) => outermost(levels).amounts(),
        }
    }

    pub(super) fn core(&self) -> &Core {
        match &self.0 {
            Packed::Static { core, .. } => core,
            Packed::Counted { core, .. } => core,
            Packed::Boxed(boxed) => boxed.handle.core(),
            Packed::Stacked(levels) => outermost(levels).core(),
        }
    }

    /// Returns true if the call was admitted to find out if a used-up quota is back.
    pub(super) fn is_probe(&self) -> bool {
        matches!(&self.0, Packed::Boxed(boxed) if boxed.charged.grant.is_probe)
    }

    /// Returns another handle of the limiter.
    fn handle(&self) -> Handle {
        match &self.0 {
            Packed::Static { core, .. } => Handle::Static(core),
            Packed::Counted { core, .. } => Handle::Counted(Arc::clone(core)),
            Packed::Boxed(boxed) => boxed.handle.clone(),
            Packed::Stacked(levels) => outermost(levels).handle(),
        }
    }

    /// Changes the charge of the call. Returns it if it is packed into the permit, which keeps it
    /// as it was.
    fn change(&mut self, act: impl FnOnce(&Core, &mut Charged)) -> Option<Charged> {
        if let Packed::Boxed(boxed) = &mut self.0 {
            let Reserved { handle, charged } = &mut **boxed;
            act(handle.core(), charged);
            return None;
        }
        let grant = Grant::at_once(self.amounts(), self.charge());
        let mut charged = Charged::new(grant);
        act(self.core(), &mut charged);
        Some(charged)
    }
}

/// Returns the last of the permits of a stack.
fn outermost(levels: &[Permit]) -> &Permit {
    let [.., outermost] = levels else { unreachable!("a stack has a limiter") };
    outermost
}

/// Returns the amounts of a packed permit.
fn small(first: u16, second: u32) -> Amounts {
    Amounts::Few([first.into(), second.into(), 0])
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("limiter", self.limiter())
            .field("waited", &self.waited())
            .finish_non_exhaustive()
    }
}
