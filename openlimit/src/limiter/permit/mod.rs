//! `Permit`: an admitted call, which can be settled or cancelled.
//!
//! The future of an annotated function holds a permit to its end, and every byte of the permit is a
//! byte of that future. So it has 24 bytes: a small call that was admitted at once is packed into
//! them, and everything else is boxed.
//!
//! This file has the permit itself. `settle` has its end, and `charged` what that changes in one
//! limiter. `about` has what it says of its call.

mod about;
mod charged;
mod settle;

use std::mem;
use std::slice;
use std::sync::Arc;

pub(super) use self::charged::{Charged, Settled};
use super::core::{Core, Handle};
use crate::learning::Lesson;
use crate::limits::Amounts;
use crate::queue::Grant;
use crate::sync::in_order;

/// An admitted call. Its cost is reserved from all limits.
///
/// - [`settle`](Permit::settle) replaces the reserved cost by the usage that the provider reports,
///   and [`settle_so_far`](Permit::settle_so_far) by a part of it.
/// - [`observe`](Permit::observe) believes what the response says is left. Call it before `settle`.
/// - [`refused`](Permit::refused) holds the limiter after the provider refused the call.
/// - [`cancel`](Permit::cancel) gives everything back. Use it only if the request was never sent.
/// - Of a [`Stack`](crate::Stack), all of that is done in each of its limiters.
/// - Dropping it keeps the reservation, since the request may have been sent. If the call was
///   admitted to find out if a used-up quota is back, dropping it means that it is.
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
    /// The permits of a [`Stack`](super::Stack), at least one: the outermost limiter comes first.
    /// So when the call ends, there is room outside before an inner limiter lets the next call of a
    /// stack join the outer queues, which may be full.
    ///
    /// Nobody shares them. They are in an `Arc` because its last reference is dropped by a function
    /// of its own. A `Box` would be dropped in place, and then the end of every permit would be too
    /// large to be inlined.
    Stacked(Arc<StackPermits>),
}

/// The permits of a stacked call, in each limiter.
struct StackPermits(Vec<Permit>);

impl Drop for StackPermits {
    /// Ends the call in all limiters, before another one that this wakes goes on.
    fn drop(&mut self) {
        in_order(|| {
            Permit::judge(&mut self.0);
            self.0.clear();
        });
    }
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
        Self::of(handle, Grant::at_once(Amounts::Few(few), charge))
    }

    /// Creates the box of a grant.
    pub(super) fn of(handle: Handle, grant: Grant) -> Box<Self> {
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
            self.handle.core().end_flight(number);
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

    /// Creates the permit of a call of several limiters, of which the outermost comes first.
    pub(super) fn stacked(levels: Vec<Self>) -> Self {
        Self(Packed::Stacked(Arc::new(StackPermits(levels))))
    }

    /// Creates a permit for any grant.
    pub(super) fn new(handle: Handle, grant: Grant) -> Self {
        Self::boxed(Reserved::of(handle, grant))
    }

    /// Does the same for a call whose box is there already.
    pub(super) fn boxed(call: Box<Reserved>) -> Self {
        Self(Packed::Boxed(call))
    }

    /// Returns the permit in each limiter.
    #[inline]
    pub(super) fn levels(&self) -> &[Self] {
        match &self.0 {
            Packed::Stacked(levels) => &levels.0,
            _ => slice::from_ref(self),
        }
    }

    /// Returns the permits of a stack.
    fn stack(&mut self) -> Option<&mut [Self]> {
        if let Packed::Stacked(levels) = &mut self.0 { Some(&mut Arc::get_mut(levels)?.0) } else { None }
    }

    /// Acts on the permit in each limiter. Stacked calls that this wakes go on after that.
    pub(super) fn each(&mut self, mut act: impl FnMut(&mut Self)) {
        match self.stack() {
            Some(levels) => in_order(|| levels.iter_mut().for_each(act)),
            None => act(self),
        }
    }

    /// Returns the limiter, the outermost one of a stack.
    pub(super) fn core(&self) -> &Core {
        match &self.0 {
            Packed::Static { core, .. } => core,
            Packed::Counted { core, .. } => core,
            Packed::Boxed(boxed) => boxed.handle.core(),
            Packed::Stacked(levels) => outermost(&levels.0).core(),
        }
    }

    /// Returns another handle of that limiter.
    fn handle(&self) -> Handle {
        match &self.0 {
            Packed::Static { core, .. } => Handle::Static(core),
            Packed::Counted { core, .. } => Handle::Counted(Arc::clone(core)),
            Packed::Boxed(boxed) => boxed.handle.clone(),
            Packed::Stacked(levels) => outermost(&levels.0).handle(),
        }
    }

    /// Returns the number of the charge in that limiter.
    pub(super) fn charge(&self) -> u64 {
        match &self.0 {
            Packed::Static { charge, .. } | Packed::Counted { charge, .. } => *charge,
            Packed::Boxed(boxed) => boxed.charged.grant.charge,
            Packed::Stacked(levels) => outermost(&levels.0).charge(),
        }
    }

    /// Returns what the call is charged there, in the limiter's dimensions.
    pub(super) fn amounts(&self) -> Amounts {
        match &self.0 {
            Packed::Static { first, second, .. } | Packed::Counted { first, second, .. } => {
                Amounts::Few([(*first).into(), (*second).into(), 0])
            }
            Packed::Boxed(boxed) => boxed.charged.grant.amounts.clone(),
            Packed::Stacked(levels) => outermost(&levels.0).amounts(),
        }
    }

    /// Returns the grant; `None` if it is packed, or of a stack.
    fn grant(&self) -> Option<&Grant> {
        if let Packed::Boxed(boxed) = &self.0 { Some(&boxed.charged.grant) } else { None }
    }

    /// Returns the number of the call among those in flight, if these are limited.
    pub(super) fn flight(&self) -> Option<u64> {
        self.grant()?.flight
    }

    /// Does the same, to change it.
    pub(super) fn flight_mut(&mut self) -> Option<&mut u64> {
        if let Packed::Boxed(boxed) = &mut self.0 { boxed.charged.grant.flight.as_mut() } else { None }
    }

    /// Does the same, and leaves none.
    pub(super) fn take_flight(&mut self) -> Option<u64> {
        if let Packed::Boxed(boxed) = &mut self.0 { boxed.charged.grant.flight.take() } else { None }
    }

    /// Returns the parts of the cost, if the limiter learns from it.
    pub(super) fn lesson(&self) -> Option<&Lesson> {
        self.grant()?.lesson.as_deref()
    }

    /// Returns true if the call was admitted to find out if a used-up quota is back.
    pub(super) fn is_probe(&self) -> bool {
        self.grant().is_some_and(|grant| grant.is_probe)
    }

    /// Lets the next call find that out, if this one was to.
    pub(super) fn pass_probe_on(&mut self) {
        if let Packed::Boxed(boxed) = &mut self.0
            && mem::take(&mut boxed.charged.grant.is_probe)
        {
            let charge = boxed.charged.grant.charge;
            boxed.handle.core().update(|state, now, _| state.admission.end_probe(charge, false, now));
        }
    }
}

/// Returns the first of the permits of a stack.
fn outermost(levels: &[Permit]) -> &Permit {
    let [outermost, ..] = levels else { unreachable!("a stack has a limiter") };
    outermost
}
