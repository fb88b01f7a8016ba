//! What a limiter learns from the usage of its calls: how much the next ones should reserve.
//!
//! A call reserves its cost before it is sent, and is settled when it ends. What leaked from the
//! bucket meanwhile is gone, so a refund that comes later than the bucket takes to drain returns
//! little, however exact it is. A program whose calls take 5 s and name ten times the tokens that
//! they use would use 12 % of its limit. So it is better to reserve about what will be used.
//!
//! Two things are learned, for each call site:
//!
//! * the output of a call (`Output::Learned`),
//! * the provider's count of a prompt, divided by ours. A provider that counts more would refuse
//!   calls, so this ratio applies by itself if it is above one. Below one it applies on request
//!   (`Input::Learned`). Where a provider does not count what its cache served, the ratio is below
//!   one, too.
//!
//! A call site is a place in a program that makes one kind of call. Different kinds have different
//! outputs, so they are learned apart.
//!
//! | file | contains |
//! | --- | --- |
//! | `settings` | `Output`, `Input`: the options |
//! | `estimate` | `Estimate`: the mean of the latest calls, and what to add to it |
//! | `learned` | `LearnedSite`: what programs see of it |
//! | `sites` | `Sites`: the estimates of each call site |
//!
//! Pricing knows none of this. It returns the parts of a cost ([`Priced`]), and [`Learning`]
//! replaces them in the amounts that a call reserves. All of it is arithmetic, without a clock.

mod estimate;
mod learned;
mod settings;
mod sites;

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{Amounts, Dimension, Priced, Rate, Usage};

pub use self::learned::LearnedSite;
pub use self::settings::{Input, Output};
pub(crate) use self::sites::SiteId;
use self::sites::{Site, Sites};

/// The number of calls from which on a smaller reservation is learned. The first calls of a program
/// are often not typical.
const FIRST: u64 = 20;

/// The largest ratio of the provider's count of a prompt to ours. No tokenizer has so many more
/// tokens than another one. More than that comes from a file whose length is not in the request, or
/// from a wrong report.
const LARGEST_RATIO: f64 = 16.0;

/// A call whose parts are known, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Lesson {
    pub(crate) priced: Priced,
    pub(crate) site: SiteId,
}

/// A limit whose amounts follow from the tokens of a call.
#[derive(Clone, Debug)]
pub(crate) struct LearnedLimit {
    /// `Tokens`, `InputTokens`, `OutputTokens` or `Spend`.
    pub(crate) dimension: Dimension,
    /// Its place among the limiter's limits.
    pub(crate) limit: usize,
    /// The place of its dimension among the limiter's.
    pub(crate) place: usize,
    /// The rate in force.
    pub(crate) rate: Rate,
    /// The time in which a crowd of calls is admitted: the burst, and at least a second.
    pub(crate) crowd: Duration,
    /// The most that one call may take.
    pub(crate) most: u64,
}

impl LearnedLimit {
    /// Returns the amount that a crowd of calls takes.
    fn room(&self) -> u64 {
        self.rate.amount_in(self.crowd)
    }
}

/// What one limiter has learned.
#[derive(Clone, Debug)]
pub(crate) struct Learning {
    rules: Arc<Rules>,
    /// `None` before the first lesson.
    sites: Option<Box<Sites>>,
}

/// The part that lessons do not change. The limiters of all keys share it, until a rate changes.
#[derive(Clone, Debug)]
struct Rules {
    output: Output,
    input: Input,
    limits: Box<[LearnedLimit]>,
}

impl Learning {
    /// Creates the learning of a new limiter.
    pub(crate) fn new(output: Output, input: Input, limits: Vec<LearnedLimit>) -> Self {
        Self { rules: Arc::new(Rules { output, input, limits: limits.into() }), sites: None }
    }

    /// Returns one by the same rules that has learned nothing.
    pub(crate) fn of_another(&self) -> Self {
        Self { rules: Arc::clone(&self.rules), sites: None }
    }

    /// Returns true if later calls may reserve something else than by the same rules without any
    /// lesson. Lessons that are too few to change anything do not count.
    pub(crate) fn matters(&self) -> bool {
        let learns_output = self.rules.output == Output::Learned;
        let learns_less = self.rules.input == Input::Learned;
        let matters = |site: &Site| {
            learns_output && site.output.known() >= FIRST
                || learns_less && site.prompt.known() >= FIRST
                || site.prompt.reserve(1.0) > 1.0
        };
        self.sites.as_ref().is_some_and(|sites| sites.iter().any(matters))
    }

    /// Changes the limits. What was learned about the calls stays.
    pub(crate) fn change(&mut self, limits: Vec<LearnedLimit>) {
        Arc::make_mut(&mut self.rules).limits = limits.into();
    }

    /// Follows the rate of one of the limiter's limits, which now allows another amount.
    pub(crate) fn set_rate(&mut self, limit: usize, allowed: u64) {
        for of in Arc::make_mut(&mut self.rules).limits.iter_mut().filter(|of| of.limit == limit) {
            of.rate = Rate::new(allowed, of.rate.period());
        }
    }

    /// Returns what was learned of each site, the one that was taught last first.
    pub(crate) fn learned(&self) -> Vec<LearnedSite> {
        self.sites
            .iter()
            .flat_map(|sites| sites.latest())
            .map(|(id, site)| LearnedSite::of(id, site))
            .collect()
    }

    /// Replaces the amounts that a call reserves by what was learned about its site.
    pub(crate) fn reserve(&self, lesson: &Lesson, amounts: &mut Amounts) {
        let Some(site) = self.sites.as_ref().and_then(|sites| sites.get(lesson.site)) else { return };
        let priced = &lesson.priced;
        let (input, output) = (self.input(priced, site), self.output(priced, site));
        for limit in &self.rules.limits {
            let (learned, counted) = match limit.dimension {
                Dimension::InputTokens => (input, priced.input),
                Dimension::OutputTokens => (output, priced.output),
                Dimension::Spend => {
                    let spend = |input, output| priced.spend_of(input, output);
                    match spend(input, output).zip(spend(priced.input, priced.output)) {
                        Some(spend) => spend,
                        None => continue,
                    }
                }
                // It is no sum if the provider judges by the named maximum.
                _ if !priced.is_sum => continue,
                _ => (input.saturating_add(output), priced.input.saturating_add(priced.output)),
            };
            // What was learned makes no call too large that is not so by itself.
            amounts.as_mut_slice()[limit.place] = learned.min(limit.most.max(counted));
        }
    }

    /// Learns from the usage of a call that has ended. Returns true if it was the call from which
    /// on less is reserved.
    pub(crate) fn teach(&mut self, Lesson { priced, site }: &Lesson, usage: &Usage) -> bool {
        let total = usage.amount(&Dimension::Tokens);
        let input = usage.amount(&Dimension::InputTokens);
        let output = usage.amount(&Dimension::OutputTokens);
        let input = match total {
            // Embeddings have no output.
            Some(_) if priced.output == 0 => input.or(total),
            _ => input,
        };
        // If only the total is known, the prompt is taken to be as long as counted.
        let rest = || Some(total?.saturating_sub(input.unwrap_or(priced.input)));
        let output =
            output.or_else(rest).filter(|_| self.rules.output == Output::Learned && priced.output > 0);
        if input.is_none() && output.is_none() {
            return false;
        }
        let site = self.sites.get_or_insert_default().teach(*site);
        let before = site.output.known().max(site.prompt.known());
        if let Some(output) = output {
            site.output.teach(f64::from(priced.choices.max(1)), output as f64);
        }
        if let Some(input) = input {
            teach_prompt(site, priced.input, input);
        }
        before < FIRST && site.output.known().max(site.prompt.known()) >= FIRST
    }

    /// Learns from a refusal, in which the provider states its own price of the call in one
    /// dimension.
    ///
    /// A total contains the output by the provider's own rule. It is taken to be the largest output
    /// if that leaves more for the prompt than was counted, and tells nothing otherwise.
    pub(crate) fn teach_price(&mut self, lesson: &Lesson, dimension: &Dimension, price: u64) {
        let Lesson { priced, site } = lesson;
        let input = match dimension {
            Dimension::InputTokens => price,
            Dimension::Tokens if priced.is_sum => price.saturating_sub(priced.output),
            _ => return,
        };
        if input > priced.input {
            teach_prompt(self.sites.get_or_insert_default().teach(*site), priced.input, input);
        }
    }

    /// Returns the tokens to reserve for a prompt.
    fn input(&self, priced: &Priced, site: &Site) -> u64 {
        let crowd = self.crowd(priced, site, &Dimension::InputTokens);
        let ratio = site.prompt.reserve(crowd);
        let falls = self.rules.input == Input::Learned && site.prompt.known() >= FIRST;
        let ratio = if falls { ratio } else { ratio.max(1.0) };
        // Exact where both count alike, whatever the size.
        if ratio == 1.0 { priced.input } else { whole(priced.input as f64 * ratio) }
    }

    /// Returns the tokens to reserve for the output.
    fn output(&self, priced: &Priced, site: &Site) -> u64 {
        if self.rules.output != Output::Learned || site.output.known() < FIRST || priced.output == 0 {
            return priced.output;
        }
        let crowd = self.crowd(priced, site, &Dimension::OutputTokens);
        let learned = whole(site.output.reserve(crowd) * f64::from(priced.choices.max(1)));
        if priced.is_named { learned.min(priced.output) } else { learned }
    }

    /// Returns how many calls like this one fit into the smallest burst of the limits that count
    /// this part of it.
    fn crowd(&self, priced: &Priced, site: &Site, part: &Dimension) -> f64 {
        let input = priced.input as f64;
        let output = match site.output.known() {
            0 => priced.output as f64,
            _ => site.output.mean() * f64::from(priced.choices.max(1)),
        };
        let counting = self.rules.limits.iter().filter_map(|limit| match &limit.dimension {
            Dimension::Tokens => Some((limit.room(), input + output)),
            Dimension::Spend => Some((limit.room(), priced.spend_of(priced.input, whole(output))? as f64)),
            dimension if dimension == part => {
                Some((limit.room(), if *part == Dimension::InputTokens { input } else { output }))
            }
            _ => None,
        });
        let crowds = counting.map(|(room, size)| room as f64 / size.max(1.0));
        crowds.fold(f64::INFINITY, f64::min)
    }
}

/// Teaches a site how long a prompt of `ours` tokens is to the provider.
fn teach_prompt(site: &mut Site, ours: u64, theirs: u64) {
    if ours > 0 {
        let ours = ours as f64;
        site.prompt.teach(ours, (theirs as f64).min(ours * LARGEST_RATIO));
    }
}

/// Rounds up to an integer.
fn whole(amount: f64) -> u64 {
    // A cast of a float never overflows.
    amount.ceil() as u64
}

#[cfg(test)]
mod tests;
