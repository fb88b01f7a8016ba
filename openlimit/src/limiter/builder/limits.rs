//! The keys that add limits: one for each dimension.
//!
//! A limit is added and never replaced, so a dimension may have several, such as one a minute and
//! one a day.

use super::Builder;
use crate::limits::{Budget, Dimension, Limit, Rate};

impl<K, Keys> Builder<K, Keys> {
    /// Adds a limit on requests.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Requests, rate))
    }

    /// Adds a limit on tokens, input and output together.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Tokens, rate))
    }

    /// Adds a limit on input tokens.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::InputTokens, rate))
    }

    /// Adds a limit on output tokens.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::OutputTokens, rate))
    }

    /// Adds a limit on images that calls ask to be generated.
    ///
    /// Only [`Cost::images`](crate::Cost::images) takes from it. The images in the prompt of a
    /// request count as tokens.
    pub fn images(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Images, rate))
    }

    /// Adds a limit on what calls cost in money: `spend: Dollars(10) / day`.
    ///
    /// A call takes its whole price before it is sent, the largest output included, and gives back
    /// what it did not use when it is settled. So the budget holds, however many calls are in
    /// flight. Prices come from `price` or `prices`, or stand in the cost: [`Cost::spend`]. A call
    /// whose price is not known is refused with
    /// [`AcquireError::Params`](crate::AcquireError::Params), and is not free.
    ///
    /// The budget flows back continuously: of ten dollars a day, an hour after all of it was spent
    /// 42 cents are back. Up to 31 days can be given: `Dollars(300) / (30 * DAY)`. A budget per
    /// calendar month, `Dollars(300) / month`, is back as a whole on the first, and any other may
    /// [reset](Budget::resets_at), too. Its whole amount may be spent at once, unless
    /// [`burst`](Budget::burst) says less. It is the user's own: no response of a provider changes
    /// it, and `refunds: false` does not apply to it.
    ///
    /// [`Cost::spend`]: crate::Cost::spend
    pub fn spend(self, budget: Budget) -> Self {
        self.limit(Limit::new(Dimension::Spend, budget.rate()))
    }

    /// Adds a limit on any dimension: `limit: Limit::new("audio_seconds", Rate::per_hour(7_200))`.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.options.declared.limits.push(limit);
        self
    }
}
