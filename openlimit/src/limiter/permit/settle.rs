//! The end of a call: its permit replaces what was reserved by what was used, or gives it back.
//!
//! A permit that is dropped does nothing of that, since its request may have been sent. `charged`
//! has what is done with the charges of one limiter.

use super::charged::{Charged, Settled};
use super::{Packed, Permit, Reserved};
use crate::limiter::core::Core;
use crate::limits::Usage;
use crate::queue::Grant;

impl Permit {
    /// Replaces the reserved cost by what the call really used.
    ///
    /// `usage` is a [`Usage`], or an integer for the total of tokens. A dimension that it does not
    /// name, or that the limiter does not meter, keeps its reservation.
    ///
    /// If the call used less, the difference is given back, and waiting calls move forward. If it
    /// used more, the difference becomes debt, for which later calls wait. With
    /// [`refunds`](crate::Builder::refunds) set to `false`, nothing is given back. Usage that was
    /// read from a reply is believed up to a bound: see [`responded`](Self::responded).
    ///
    /// As a bucket refills, reservations flow back with time anyway. The part of the difference
    /// that has flowed back already is not given back again, since later calls could then exceed
    /// the limit. So settle soon after the reply. Less is given back, too, if the provider has
    /// raised the limit since the call was charged.
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
        if let Some(levels) = self.stack() {
            Self::judge(levels);
        }
        self.each(|permit| {
            permit.change(|core, charged| core.settle(charged, &usage, Settled::End));
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
    pub(in crate::limiter) fn settle_as(&mut self, usage: &Usage, settled: Settled) {
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
