//! `Permit`: an admitted call, and what may be said about it afterwards.
//!
//! A permit lives in the future of the annotated function to its end, so it is kept to 24 bytes: the usual
//! small call, admitted at once, is packed, and every other one is boxed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Handle};
use crate::limits::{Amounts, Cost, Limit, Name, Usage};
use crate::queue::{Grant, Wait};

/// An admitted call.
///
/// Dropping it keeps the reservation, since the request may have been sent. [`settle`](Permit::settle) it when
/// the provider has said what the call really used, or [`cancel`](Permit::cancel) it if it was never sent.
///
/// It owns what it needs and borrows nothing. It may be sent to another thread, and outlive the limiter's handle.
#[must_use = "a permit stands for a call that was admitted: make the call, or cancel it"]
pub struct Permit(Packed);

const SMALL: u64 = u16::MAX as u64;
const MEDIUM: u64 = u32::MAX as u64;

enum Packed {
    Static { core: &'static Core, charge: u64, second: u32, first: u16 },
    Shared { core: Arc<Core>, charge: u64, second: u32, first: u16 },
    Boxed(Box<(Handle, Grant)>),
}

impl Permit {
    /// A permit for a call that was admitted at once.
    #[inline]
    pub(super) fn at_once(handle: Handle, few: [u64; Amounts::FEW], charge: u64) -> Self {
        match few {
            [first @ 0..=SMALL, second @ 0..=MEDIUM, 0] => {
                let (first, second) = (first as u16, second as u32);
                Self(match handle {
                    Handle::Static(core) => Packed::Static { core, charge, second, first },
                    Handle::Shared(core) => Packed::Shared { core, charge, second, first },
                })
            }
            _ => Self::new(handle, Amounts::Few(few), charge),
        }
    }

    /// The same for any amounts.
    #[inline(never)]
    pub(super) fn new(handle: Handle, amounts: Amounts, charge: u64) -> Self {
        Self::from_queue(handle, Grant { amounts, charge, wait: None })
    }

    pub(super) fn from_queue(handle: Handle, grant: Grant) -> Self {
        Self(Packed::Boxed(Box::new((handle, grant))))
    }

    /// Replaces what was reserved by what the call really used. The rest is given back; what it used
    /// beyond is owed, and the calls that follow wait for it.
    ///
    /// `usage` is a [`Usage`], or an integer for the total of tokens. Dimensions that it does not
    /// name, or that the limiter does not meter, stay as they are. With
    /// [`refunds`](crate::Builder::refunds) turned off nothing is given back.
    ///
    /// A limit that drained since then had no use for the difference at the time. So much of it as
    /// would let later calls exceed the limit is not given back.
    pub fn settle(self, usage: impl Into<Usage>) {
        let usage = usage.into();
        let (handle, grant) = self.unpack();
        handle.core().settle(&grant, &usage);
    }

    /// Gives everything back: the request was never sent.
    ///
    /// What has leaked from the buckets by then is gone, since giving it back would let later calls
    /// exceed the limit.
    pub fn cancel(self) {
        let (handle, grant) = self.unpack();
        handle.core().cancel(&grant);
    }

    /// Returns what the call took from the limits: an amount for each dimension that the limiter
    /// meters, and one request if it does not meter requests.
    #[must_use]
    pub fn cost(&self) -> Cost {
        match &self.0 {
            Packed::Boxed(boxed) => boxed.0.core().plan.cost(&boxed.1.amounts),
            Packed::Static { first, second, .. } | Packed::Shared { first, second, .. } => {
                self.core().plan.cost(&small(*first, *second))
            }
        }
    }

    /// Returns the name of the limiter that admitted the call.
    #[must_use]
    pub fn limiter(&self) -> &Name {
        self.core().plan.name()
    }

    /// Returns how long the call waited for its admission, on the limiter's clock, from its first
    /// poll until it was admitted; zero if it was admitted at once.
    ///
    /// The time between the admission and the poll that sees it does not count.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.wait().map_or(Duration::ZERO, |wait| Duration::from_nanos(wait.nanos))
    }

    /// Returns the limit that the call waited for last, if it waited.
    #[must_use]
    pub fn waited_for(&self) -> Option<&Limit> {
        self.wait().map(|wait| &self.core().plan.limits()[wait.limit])
    }

    fn wait(&self) -> Option<&Wait> {
        match &self.0 {
            Packed::Boxed(boxed) => boxed.1.wait.as_ref(),
            _ => None,
        }
    }

    fn core(&self) -> &Core {
        match &self.0 {
            Packed::Static { core, .. } => core,
            Packed::Shared { core, .. } => core,
            Packed::Boxed(boxed) => boxed.0.core(),
        }
    }

    fn unpack(self) -> (Handle, Grant) {
        let (handle, charge, second, first) = match self.0 {
            Packed::Static { core, charge, second, first } => (Handle::Static(core), charge, second, first),
            Packed::Shared { core, charge, second, first } => (Handle::Shared(core), charge, second, first),
            Packed::Boxed(boxed) => return *boxed,
        };
        (handle, Grant { amounts: small(first, second), charge, wait: None })
    }
}

/// The amounts of a permit that is packed.
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
