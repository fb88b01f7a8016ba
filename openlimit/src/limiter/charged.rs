//! `Charged`: what an admitted call is charged, and how that changes when the call is settled.
//!
//! A call may be settled in parts, up and down. What it used beyond its reservation are charges of
//! their own, with numbers of their own, and a refund names the charge that it belongs to.

use crate::admission::{Admission, Plan};
use crate::backend::Buckets as _;
use crate::limits::Amounts;
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
        Self { grant, debts: Vec::new(), is_counted: false }
    }

    /// Returns the amounts and the number of the only charge, if they are all that is known.
    pub(super) fn into_few(self) -> Result<([u64; Amounts::FEW], u64), Self> {
        match self.grant {
            Grant { amounts: Amounts::Few(few), lesson: None, charge, wait: None, is_probe: false }
                if self.debts.is_empty() =>
            {
                Ok((few, charge))
            }
            _ => Err(self),
        }
    }

    /// Counts the reservation, when the call is first settled.
    pub(super) fn count(&mut self, admission: &mut Admission, plan: &Plan) {
        if !self.is_counted {
            self.is_counted = true;
            admission.count_reserved(plan.dimensions(), &self.grant.amounts);
        }
    }

    /// Gives amounts back: first those of the latest charge, which has leaked least.
    pub(super) fn refund(&mut self, mut amounts: Amounts, admission: &mut Admission, plan: &Plan, now: u64) {
        self.grant.amounts.change(&amounts, u64::saturating_sub);
        for (charge, debt) in self.debts.iter_mut().rev() {
            let mut part = amounts.clone();
            part.change(debt, u64::min);
            admission.give_back(plan.dimensions(), &part, *charge, now);
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
