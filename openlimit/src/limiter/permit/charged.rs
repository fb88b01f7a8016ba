//! `Charged`: what an admitted call is charged, and how that changes when the call is settled.
//!
//! A call may be settled in parts, up and down. What it used beyond its reservation are charges of
//! their own, with numbers of their own, and a refund names the charge that it belongs to.

use std::borrow::Cow;

use crate::admission::{Admission, Plan};
use crate::backend::Buckets as _;
use crate::limits::{Amounts, Dimension, Usage};
use crate::queue::Grant;

/// The charges of a call.
#[derive(Debug)]
pub(in crate::limiter) struct Charged {
    /// All amounts, those of `debts` included.
    pub(in crate::limiter) grant: Grant,
    /// The charges beyond the reservation, as far as their numbers are known, and their amounts.
    debts: Vec<(u64, Amounts)>,
    /// True once the reservation is part of the sums in the status.
    is_counted: bool,
    /// The last usage that stated the input. Later ones may leave it out.
    stated: Option<Usage>,
    /// True once the limiter has learned from it, or is not to.
    has_taught: bool,
}

/// How much of its usage a call is settled by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::limiter) enum Settled {
    /// More may follow.
    Part,
    /// All of it, from which the limiter learns.
    Whole,
    /// The same, and the call has ended. So that is one step, and a call for which a refund makes
    /// room departs after it.
    End,
}

/// The most debts that a call remembers. Nearly every call has none.
const MOST_DEBTS: usize = 16;

impl Charged {
    pub(in crate::limiter) fn new(grant: Grant) -> Self {
        Self { grant, debts: Vec::new(), is_counted: false, stated: None, has_taught: false }
    }

    /// Counts the reservation, when the call is first settled.
    pub(in crate::limiter) fn count(&mut self, admission: &mut Admission, plan: &Plan) {
        if !self.is_counted {
            self.is_counted = true;
            admission.count_reserved(plan.dimensions(), &self.grant.amounts, self.grant.charge);
        }
    }

    /// Lets the limiter learn from the usage, once all of it is known.
    pub(in crate::limiter) fn teach(&mut self, admission: &mut Admission, usage: &Usage, settled: Settled) {
        if settled >= Settled::Whole
            && !self.has_taught
            && let Some(lesson) = &self.grant.lesson
        {
            self.has_taught = true;
            let usage = usage.clone();
            admission.teach(
                lesson,
                &match self.stated.as_ref().and_then(|stated| stated.amount(&Dimension::InputTokens)) {
                    Some(input) => usage.with(Dimension::InputTokens, input),
                    None => usage,
                },
            );
        }
    }

    /// Lets the limiter learn nothing from the call, because a part of its usage is not believed.
    pub(in crate::limiter) fn teach_nothing(&mut self) {
        self.has_taught = true;
    }

    /// Remembers what a part of the usage says about the input.
    pub(in crate::limiter) fn note(&mut self, usage: &Usage) {
        if self.grant.lesson.is_some() && usage.amount(&Dimension::InputTokens).is_some() {
            self.stated = Some(usage.clone());
        }
    }

    /// Returns the usage with what the call costs in dollars, if that follows from it. It calls the
    /// user's price, so it must not run under the lock.
    ///
    /// What the usage leaves out is as an earlier part stated it, or as it was reserved. A price
    /// that fails leaves the reservation, which was computed by the same one.
    pub(in crate::limiter) fn with_spend<'a>(&self, usage: &'a Usage, plan: &Plan) -> Cow<'a, Usage> {
        let spend = || {
            let priced = &self.grant.lesson.as_ref()?.priced;
            let model = priced.model.as_deref()?;
            let [tokens, output, spend] =
                [Dimension::Tokens, Dimension::OutputTokens, Dimension::Spend].map(|of| usage.amount(&of));
            let stated =
                self.stated.as_ref().filter(|stated| stated.amount(&Dimension::InputTokens).is_some());
            if spend.is_some() || (stated.is_none() && tokens.or(output).is_none()) {
                return None;
            }
            let whole = stated.cloned().unwrap_or_default();
            let input = whole.amount(&Dimension::InputTokens).unwrap_or(priced.input);
            let output = output.or_else(|| Some(tokens?.saturating_sub(input))).unwrap_or(priced.output);
            let whole = whole.with(Dimension::InputTokens, input).with(Dimension::OutputTokens, output);
            plan.pricing().spend(model, &whole)
        };
        spend().map_or(Cow::Borrowed(usage), |spend| Cow::Owned(usage.clone().spend(spend)))
    }

    /// Gives amounts back: first those of the latest charge, which has leaked least.
    pub(in crate::limiter) fn refund(
        &mut self,
        mut amounts: Amounts,
        admission: &mut Admission,
        plan: &Plan,
        now: u64,
    ) {
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
    pub(in crate::limiter) fn owe(&mut self, amounts: Amounts, admission: &mut Admission, now: u64) {
        if !amounts.is_zero() {
            self.grant.amounts.change(&amounts, u64::saturating_add);
            if self.debts.len() == MOST_DEBTS {
                self.debts.remove(0);
            }
            self.debts.extend(admission.backend.owe(&amounts, now).map(|charge| (charge, amounts)));
        }
    }
}
