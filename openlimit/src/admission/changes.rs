//! Changes that a program makes while calls wait: it charges a call that was made elsewhere, and it
//! closes the limiter.
//!
//! # Closed
//!
//! A closed limiter looks like one whose quota is used up, so calls that are admitted at once do not
//! ask for it. Every other call is refused where a used-up quota refuses it, with another reason.

use super::Admission;
use crate::backend::{Buckets as _, UNNUMBERED};
use crate::limits::Amounts;

impl Admission {
    /// Charges a call that was not admitted here, into debt if need be. Returns the number of the
    /// charge, or [`UNNUMBERED`].
    pub(crate) fn charge(&mut self, amounts: &Amounts, now: u64) -> u64 {
        let charge = self.backend.owe(amounts, now).unwrap_or(UNNUMBERED);
        if let Some(remaining) = &mut self.remaining {
            remaining.charge(amounts.as_slice(), charge);
        }
        charge
    }

    /// Admits no call any more. The next [`pump`](Self::pump) refuses those that wait.
    pub(crate) fn close(&mut self, now: u64) {
        self.is_closed = true;
        self.backend.close(now);
    }

    /// Returns true if the limiter is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Closes the backend again after its holds have ended.
    pub(super) fn stay_closed(&mut self, now: u64) {
        if self.is_closed {
            self.backend.close(now);
        }
    }
}
