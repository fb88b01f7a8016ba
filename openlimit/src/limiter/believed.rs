//! Bounds what a reply can say that its call used.
//!
//! A wrong or hostile reply could state any number of tokens, and make a debt of centuries. A call
//! may really use more than its limit allows in a period, such as a long output under a limit per
//! second. So a reply is believed up to what flows back within the longest hold, or within ten
//! minutes if that is longer, or up to the largest call that the limit admits if that is more. A
//! program that allows only short holds still gets replies that are long.

use std::borrow::Cow;
use std::time::Duration;

use super::core::Core;
use crate::limits::Usage;

/// The least time whose amount a reply is believed.
const LEAST_BELIEVED: Duration = Duration::from_secs(600);

impl Core {
    /// Returns the part of a usage that is believed: all of it, unless it was read from a reply.
    pub(super) fn believed<'a>(&self, mut usage: Cow<'a, Usage>) -> Cow<'a, Usage> {
        if !usage.is_read() {
            return usage;
        }
        let plan = self.plan.now();
        let longest = Duration::from_nanos(plan.max_hold).max(LEAST_BELIEVED);
        for (limit, metering) in plan.limits().iter().zip(plan.meterings()) {
            let most = metering.most.max(metering.rate.amount_in(longest));
            if usage.amount(limit.dimension()).is_some_and(|used| used > most) {
                usage = Cow::Owned(usage.into_owned().with(limit.dimension().clone(), most));
            }
        }
        usage
    }
}
