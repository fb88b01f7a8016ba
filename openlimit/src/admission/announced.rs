//! Calls of several limiters that have not joined this queue yet, because they wait for others
//! first.
//!
//! What refuses all calls that wait here would not reach them: they would go on waiting for the
//! other limiters. So they are announced, and woken when this limiter refuses all calls.

use std::mem;
use std::task::Waker;

use super::Admission;
use crate::backend::Buckets as _;
use crate::queue::Refusal;

impl Admission {
    /// Announces a call, under a number of its own. It is woken once, when all calls are refused.
    ///
    /// # Errors
    /// They are refused already.
    pub(crate) fn announce(&mut self, call: usize, waker: Waker, now: u64) -> Result<(), Refusal> {
        if let Some(refusal) = self.exhausted(now) {
            self.backend.refresh(now);
            return Err(refusal);
        }
        self.seldom.change().announced.insert(call, waker);
        Ok(())
    }

    /// Notes that an announced call is over. Returns its waker.
    pub(crate) fn withdraw(&mut self, call: usize) -> Option<Waker> {
        self.seldom.changed()?.announced.remove(&call)
    }

    /// Collects the wakers of all announced calls, if all calls are refused.
    pub(super) fn wake_announced(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        if !self.seldom.get().announced.is_empty() && self.exhausted(now).is_some() {
            wakers.extend(mem::take(&mut self.seldom.change().announced).into_values());
        }
    }
}
