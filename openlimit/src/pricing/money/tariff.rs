//! `ModelPrices`: the prices of one model, and their sum for a usage.
//!
//! A price is an integer of 10^-15 dollars a token, so that sums are exact: the cheapest models
//! cost about 10^-8 dollars a token, with a few digits.

use std::collections::BTreeMap;

use crate::{Dollars, Usage};

/// The prices of one model.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelPrices {
    pub(super) base: TokenPrices,
    /// The prices of calls whose input is longer than a number of tokens.
    pub(super) above: BTreeMap<u64, TokenPrices>,
}

/// Prices of a token, in 10^-15 dollars.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenPrices {
    pub(super) input: Option<u64>,
    pub(super) cached: Option<u64>,
    pub(super) written: Option<u64>,
    pub(super) output: Option<u64>,
    /// The price of the call itself.
    pub(super) call: Option<u64>,
}

/// Units of a price in a millionth of a dollar.
const UNITS: u128 = 1_000_000_000;

/// Returns a price in units, of which one of `price` has so many. `None` unless it is a number that
/// is not negative and not too large.
pub(super) fn units(price: f64, scale: f64) -> Option<u64> {
    let units = (price * scale).round();
    // NaN is in no range.
    (0.0..u64::MAX as f64).contains(&units).then_some(units as u64)
}

impl ModelPrices {
    /// Returns what a call costs; `None` if a part that it uses has no price.
    pub(super) fn of(&self, usage: &Usage) -> Option<Dollars> {
        let parts = [usage.uncached_input(), usage.cached_input(), usage.cache_writes(), usage.output()];
        let input = parts[..3].iter().fold(0, |sum: u64, part| sum.saturating_add(*part));
        // The longest prices that apply, then shorter ones for the parts that they leave out.
        let applies = self.above.range(..input).rev().map(|(_, prices)| prices);
        let price =
            |part: fn(&TokenPrices) -> Option<u64>| applies.clone().chain([&self.base]).find_map(part);
        let input = price(|prices| prices.input);
        let prices = [
            input,
            price(|prices| prices.cached).or(input),
            price(|prices| prices.written).or(input),
            price(|prices| prices.output),
        ];
        let mut sum = u128::from(price(|prices| prices.call).unwrap_or(0));
        for (tokens, price) in parts.into_iter().zip(prices) {
            if tokens > 0 {
                // Each product is below 2^128, but their sum may not be.
                sum = sum.saturating_add(u128::from(tokens) * u128::from(price?));
            }
        }
        Some(Dollars::from_micros(u64::try_from(sum.div_ceil(UNITS)).unwrap_or(u64::MAX)))
    }
}
