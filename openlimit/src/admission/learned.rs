//! Lets calls reserve what was learned from those before them.
//!
//! The amounts of a call are decided when it arrives, and again while it waits: a program may start
//! thousands of calls at once, before the first one has taught anything.

use super::{Admission, Lazily, Plan, Policy, Seldom};
use crate::learning::{LearnedSite, Learning, Lesson};
use crate::limits::{Amounts, Dimension, Usage};

/// A waiting call is given other amounts if they differ by more than one part in so many. A slot of
/// a shared limit that was requested for it may be too small then, so it does not follow each small
/// change.
const STEP: u64 = 8;

/// Returns what a limiter with these parts has learned, if it learns.
fn learning_of<'a>(seldom: &'a Lazily<Seldom>, policy: &'a Policy) -> Option<&'a Learning> {
    seldom.get().learning.as_ref().or(policy.learning.as_ref())
}

impl Admission {
    /// Returns what was learned, if the limiter learns.
    fn learning(&self) -> Option<&Learning> {
        learning_of(&self.seldom, &self.policy)
    }

    /// Does the same to change it.
    pub(super) fn learning_mut(&mut self) -> Option<&mut Learning> {
        let new = self.policy.learning.as_ref()?;
        Some(self.seldom.change().learning.get_or_insert_with(|| new.of_another()))
    }

    /// Lets calls reserve for as many as a limit allows now.
    pub(super) fn learn_rate(&mut self, plan: &Plan, place: usize) {
        let allowed = self.allowed(place, plan);
        if let Some(learning) = self.learning_mut() {
            learning.set_rate(place, allowed);
        }
    }

    /// Replaces the amounts of a call that arrives by what was learned about its site.
    pub(crate) fn reserve(&self, lesson: &Lesson, amounts: &mut Amounts) {
        if let Some(learning) = self.learning() {
            learning.reserve(lesson, amounts);
        }
    }

    /// Does the same for the first calls in the queue.
    pub(crate) fn reprice(&mut self, most: usize) {
        let Self { seldom, policy, queue, .. } = self;
        let Some(learning) = learning_of(seldom, policy) else { return };
        let (reserve, dimensions) = (queue.reserve(), queue.dimensions());
        queue.reprice(most, |waiter| {
            let mut amounts = waiter.amounts.clone();
            learning.reserve(waiter.lesson.as_ref()?, &mut amounts);
            reserve.fill(&mut amounts, waiter.urgency.priority(), dimensions);
            differ(&waiter.amounts, &amounts).then_some(amounts)
        });
    }

    /// Returns what was learned of each site, the one that was taught last first.
    pub(crate) fn learned(&self) -> Vec<LearnedSite> {
        self.learning().map_or_else(Vec::new, |learning| learning.learned())
    }

    /// Learns from the usage of a call that has ended.
    ///
    /// When enough is known of a site, all waiting calls follow at once, because the wait of a
    /// newcomer depends on all of them. That happens once for each site.
    pub(crate) fn teach(&mut self, lesson: &Lesson, usage: &Usage) {
        if let Some(learning) = self.learning_mut()
            && learning.teach(lesson, usage)
        {
            self.reprice(usize::MAX);
        }
    }

    /// Learns from the provider's own prices of a call that it refused.
    pub(crate) fn teach_price(&mut self, lesson: &Lesson, dimension: &Dimension, price: u64) {
        if let Some(learning) = self.learning_mut() {
            learning.teach_price(lesson, dimension, price);
        }
    }
}

/// Returns true if an amount has changed by more than a [`STEP`].
fn differ(before: &Amounts, after: &Amounts) -> bool {
    let mut both = before.as_slice().iter().zip(after.as_slice());
    both.any(|(before, after)| before.abs_diff(*after) > before / STEP)
}
