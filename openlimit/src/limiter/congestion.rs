//! Congestion control: a refusal cuts the rate, which then climbs back by itself.
//!
//! A call that is refused was not foreseen. Where responses say in time what is left, a limiter
//! fills its buckets by that and draws hardly any refusal. But many providers do not say it, and
//! what a response says after seconds is old. Then a refusal is all that shows that others use the
//! same limit, or that less is allowed than was declared.
//!
//! # The rule
//!
//! - A refusal halves the rate of the limits that it can be about, and holds all calls for a
//!   moment. Then the rate climbs back, as `climb` of the module `bucket` describes.
//! - It does so **once per crowd**. Calls that were in flight when the rate was cut say nothing of
//!   the new rate. So their refusals do not cut it again.
//! - The later refusals arrive, the slower the rate climbs. What is too much is only noticed when
//!   the refusal of the first such call arrives, and by then all calls after it are refused, too.
//! - A refusal is about **the limits that it names**. Otherwise it is about all limits of less than
//!   a day, apart from those of which it says that enough is left. A quota of a day that is used up
//!   is another kind of refusal.
//! - A refusal whose **wait is tiny** comes from a price that was a little too low. The hold
//!   repairs that, and the rate is kept. So it is if the provider is overloaded: that says nothing
//!   of the limits.
//!
//! A simulation has another consumer that takes a random 0 to 70 % of the same limit, from a bucket
//! of one second. Without this rule 12 % of our calls were refused, and 40 % of the other's. With
//! it, 0.6 % and 1.7 % are, and 98 % of what the other leaves is used. The figures are the same
//! where responses say what is left, but only after the bucket has refilled.

use super::core::{Core, State};
use super::refused::DAY;
use crate::admission::Standing;
use crate::backend::Buckets as _;
use crate::bucket::{CLIMB, SLOW_CLIMB};
use crate::feedback::{Denial, DenialKind, Observation, ObservedLimit};
use crate::limits::{Amounts, Dimension, Limit};
use crate::time::nanos;

/// The least hold after a refusal that cuts the rate, in nanoseconds: 0.3 s. So the provider's
/// bucket is not empty when the calls go on. Without it, 1 to 2 % less of the limit was used in
/// the simulation above, and the other consumer was refused a third more often.
const REST: u64 = 300_000_000;

/// The part of a call that is tiny: one in so many. If less than that was missing, the call was
/// refused because the provider prices it a little higher: estimates are hardly ever wrong by more.
/// Where others use the limit, any part of a call may be missing, so four of five refusals still
/// cut the rate.
const TINY: u64 = 5;

/// The least time of a climb, divided by the delay of the refusal. So the rate climbs by at most a
/// twentieth of the whole while a refusal is on its way. In the simulation above, with refusals
/// that take a second, 3 % of our calls are refused, and 5 % with the same climb for all.
const SPAN_BY_DELAY: u64 = 20;

/// The longest of these times, in nanoseconds. With refusals that take three seconds, it more than
/// halves them, from 9 % to 4 %, and 95 % of what the other leaves is used. If the climb were
/// slower still, a tenth of that would stay unused.
const LONGEST_BY_DELAY: u64 = 4 * CLIMB;

impl Core {
    /// Cuts the rates that a refusal of a call is about. Returns the time for which to hold all
    /// calls: `wait`, or longer if a rate was cut.
    pub(super) fn cut_rates(
        &self,
        state: &mut State,
        refusal: &Observation,
        wait: u64,
        (amounts, charge): (&Amounts, u64),
        now: u64,
    ) -> u64 {
        let span = match refusal.denial().map(|denial| denial.kind()) {
            Some(DenialKind::RateLimited) => CLIMB,
            Some(DenialKind::SlowDown) => SLOW_CLIMB,
            _ => return wait,
        };
        let stated = refusal.verdict().retry_after().map(nanos).filter(|_| span == CLIMB);
        let is_tiny = |place: usize, wait| wait < self.flows_back(state, place, amounts, now) / TINY;
        let mut places = self.refused_by(refusal, amounts);
        places.retain(|place| stated.is_none_or(|wait| !is_tiny(*place, wait)));
        let delay = state.admission.age(&self.plan, charge, now);
        let span = span.max(delay.saturating_mul(SPAN_BY_DELAY).min(LONGEST_BY_DELAY));
        let mut is_cut = false;
        for place in places {
            is_cut |= state.admission.backend.cut(place, span, charge, now);
        }
        if is_cut { wait.max(REST) } else { wait }
    }

    /// Returns the places of the limits that a refusal can be about.
    fn refused_by(&self, refusal: &Observation, amounts: &Amounts) -> Vec<usize> {
        let violations = refusal.denial().map_or(&[][..], Denial::violations);
        let is_named = |limit: &Limit| {
            violations.iter().any(|violation| {
                let window = violation.window();
                violation.dimension() == Some(limit.dimension())
                    && window.is_none_or(|window| window == limit.rate().period())
            })
        };
        let plan = self.plan.now();
        let limits = || plan.limits().iter().enumerate();
        let named: Vec<_> = limits().filter(|(_, limit)| is_named(limit)).map(|(place, _)| place).collect();
        if !named.is_empty() {
            return named;
        }
        let taken = |place: usize| amounts.as_slice()[self.plan.dimensions()[place]];
        let mut places: Vec<_> = limits()
            // A budget is the user's own.
            .filter(|(_, limit)| *limit.dimension() != Dimension::Spend)
            .filter(|(place, limit)| limit.rate().period() < DAY && taken(*place) > 0)
            .map(|(place, _)| place)
            .collect();
        let has_enough = |observed: &ObservedLimit| {
            let Standing { place, remaining, .. } = self.standing(observed)?;
            (remaining? >= taken(place)).then_some(place)
        };
        let enough: Vec<_> = refusal.limits().filter_map(has_enough).collect();
        if places.iter().any(|place| !enough.contains(place)) {
            places.retain(|place| !enough.contains(place));
        }
        places
    }

    /// Returns in how many nanoseconds amounts flow back at one of the limits, or it resets.
    pub(super) fn flows_back(&self, state: &State, place: usize, amounts: &Amounts, now: u64) -> u64 {
        let plan = self.plan.now();
        let rate = plan.limits()[place].rate();
        let amount = u128::from(amounts.as_slice()[self.plan.dimensions()[place]]);
        // The provider may allow another amount than was declared.
        let allowed = state.admission.allowed(place, &plan);
        let resets_in = state.admission.backend.look(now)[place].resets_in;
        let time = amount.saturating_mul(rate.period().as_nanos()) / u128::from(allowed.max(1));
        u64::try_from(time).unwrap_or(u64::MAX).min(resets_in.unwrap_or(u64::MAX))
    }
}
