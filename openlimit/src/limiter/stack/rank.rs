//! The order in which stacked calls go from limiter to limiter.
//!
//! Any order that is the same for all calls excludes deadlocks. But a call keeps its place at the
//! head of a limiter while it waits for the later ones, so the limiters that few calls share (those
//! of a tenant) should come before those that many do (that of the account). Programs name them in
//! that order. So a limiter gets a rank when it is first part of a stack, by its place there, and
//! keeps it. If another stack names the same limiters the other way round, the ranks decide.

use parking_lot::Mutex;

use super::level::Level;

/// The distance between the ranks of two limiters that are new to stacks. Others fit in between.
const STEP: i64 = 1 << 32;

/// Held while ranks are given.
static RANKING: Mutex<()> = Mutex::new(());

/// Sorts levels by rank. Gives ranks to the limiters that have none, by their order.
pub(super) fn sort(levels: &mut [Level]) {
    if levels.iter().any(|level| level.core().plan.rank().is_none()) {
        let _ranking = RANKING.lock();
        for place in 0..levels.len() {
            let core = levels[place].core();
            if core.plan.rank().is_none() {
                let before = place.checked_sub(1).and_then(|before| levels[before].core().plan.rank());
                let after = levels[place..].iter().find_map(|level| level.core().plan.rank());
                core.plan.set_rank(between(before, after));
            }
        }
    }
    levels.sort_by_key(|level| (level.core().plan.rank(), level.core().id()));
}

/// Returns a rank between two others. If there is none, limiters of equal rank go by their age.
fn between(before: Option<i64>, after: Option<i64>) -> i64 {
    match (before, after) {
        (None, None) => 0,
        (Some(before), None) => before.saturating_add(STEP),
        (None, Some(after)) => after.saturating_sub(STEP),
        (Some(before), Some(after)) if before < after => before.midpoint(after),
        (Some(before), Some(_)) => before,
    }
}
