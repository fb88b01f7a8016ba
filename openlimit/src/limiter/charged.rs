//! `Charged`: what an admitted call is charged, and how that changes when the call is settled.
//!
//! A call may be settled in parts, up and down. What it used beyond its reservation are charges of
//! their own, with numbers of their own, and a refund names the charge that it belongs to.

use crate::admission::{Admission, Plan};
use crate::backend::Buckets as _;
use crate::limits::{Amounts, Dimension, Usage};
use crate::queue::Grant;

/// The charges of a call.
#[derive(Debug)]
pub(super) struct Charged {
    /// All amounts, those of `debts` included.
    pub(super) grant: Grant,
    /// The charges beyond the reservation, as far as their numbers are known, and their amounts.
    debts: Vec<(u64, Amounts)>,
    /// True once the reservation is part of the sums in the status.
    is_counted: bool,
    /// The input, if a part of the usage stated it. The rest of the usage may leave it out.
    input: Option<u64>,
}

/// How much of its usage a call is settled by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// More may follow.
    Part,
    /// All of it, from which the limiter learns.
    Whole,
}

/// The most debts that a call remembers. Nearly every call has none.
const MOST_DEBTS: usize = 16;

impl Charged {
    pub(super) fn new(grant: Grant) -> Self {
        Self { grant, debts: Vec::new(), is_counted: false, input: None }
    }

    /// Counts the reservation, when the call is first settled.
    pub(super) fn count(&mut self, admission: &mut Admission, plan: &Plan) {
        if !self.is_counted {
            self.is_counted = true;
            admission.count_reserved(plan.dimensions(), &self.grant.amounts);
        }
    }

    /// Lets the limiter learn from the usage, once all of it is known.
    pub(super) fn teach(&mut self, admission: &mut Admission, usage: &Usage, settled: Settled) {
        self.input = usage.amount(&Dimension::InputTokens).or(self.input);
        if settled == Settled::Whole
            && let Some(lesson) = self.grant.lesson.take()
        {
            let usage = usage.clone();
            admission.teach(
                &lesson,
                &match self.input {
                    Some(input) => usage.with(Dimension::InputTokens, input),
                    None => usage,
                },
            );
        }
    }

    /// Gives amounts back: first those of the latest charge, which has leaked least.
    pub(super) fn refund(&mut self, mut amounts: Amounts, admission: &mut Admission, plan: &Plan, now: u64) {
        self.grant.amounts.change(&amounts, u64::saturating_sub);
        for (charge, debt) in self.debts.iter_mut().rev() {
            let mut part = amounts.clone();
            part.change(debt, u64::min);
            // It was never reserved, so it does not count as given back.
            admission.backend.refund(&part, *charge, now, |_, _| ());
            debt.change(&part, u64::saturating_sub);
            amounts.change(&part, u64::saturating_sub);
        }
        self.debts.retain(|(_, debt)| !debt.is_zero());
        admission.give_back(plan.dimensions(), &amounts, self.grant.charge, now);
    }

    /// Charges amounts beyond the reservation.
    ///
    /// A refund of a debt that is not remembered names the first charge. So it may give back less,
    /// and never more.
    pub(super) fn owe(&mut self, amounts: Amounts, admission: &mut Admission, now: u64) {
        if !amounts.is_zero() {
            self.grant.amounts.change(&amounts, u64::saturating_add);
            if self.debts.len() == MOST_DEBTS {
                self.debts.remove(0);
            }
            self.debts.extend(admission.backend.owe(&amounts, now).map(|charge| (charge, amounts)));
        }
    }
}
