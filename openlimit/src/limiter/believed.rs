//! Bounds what a reply can say that its call used.
//!
//! A wrong or hostile reply could state any number of tokens, and make a debt of centuries. A call
//! may really use more than its limit allows in a period, such as a long output under a limit per
//! second. So a reply is believed up to what flows back within the longest hold, or within ten
//! minutes if that is longer, or up to the largest call that the limit admits if that is more. A
//! program that allows only short holds still gets replies that are long. The tokens of the input
//! and of the output are parts of all tokens, so a limit on those bounds the parts, too. The
//! limiter learns from the parts.

use std::borrow::Cow;
use std::slice;
use std::time::Duration;

use super::core::Core;
use crate::limits::{Dimension, Usage};

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
            for dimension in bounded_by(limit.dimension()) {
                if usage.amount(dimension).is_some_and(|used| used > most) {
                    usage = Cow::Owned(usage.into_owned().with(dimension.clone(), most));
                }
            }
        }
        usage
    }
}

/// All tokens, and the parts of them.
const TOKENS: &[Dimension] = &[Dimension::Tokens, Dimension::InputTokens, Dimension::OutputTokens];

/// Returns the dimensions of which no call uses more than of this one.
fn bounded_by(dimension: &Dimension) -> &[Dimension] {
    if *dimension == Dimension::Tokens { TOKENS } else { slice::from_ref(dimension) }
}
