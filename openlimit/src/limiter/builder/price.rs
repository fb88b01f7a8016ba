//! The keys `price` and `prices`: what requests cost in dollars.

use super::Builder;
use crate::limits::Usage;
use crate::pricing::money::{IntoDollars, Prices, SpendPrice};

impl<K, Keys> Builder<K, Keys> {
    /// Sets what a request costs in dollars, by its model and its usage, for a limit on
    /// [`spend`](Self::spend). Replaces [`prices`](Self::prices).
    ///
    /// It is called before a call waits, with the tokens of the prompt and the output that the call
    /// reserves, and again when the call is settled, with what it really used. The [`Usage`] has
    /// the parts that differ in price: [`uncached_input`](Usage::uncached_input),
    /// [`cached_input`](Usage::cached_input), [`output`](Usage::output) and others. It returns
    /// [`Dollars`](struct@crate::Dollars), a number of dollars, or an `Option` or `Result` of
    /// these, for models without a price.
    ///
    /// A request whose model has no price is refused with
    /// [`AcquireError::Params`](crate::AcquireError::Params). So is one whose price is negative or
    /// not a number, and one for which the function panics. Nothing is taken for it, and no other
    /// call is delayed: the function runs in its caller, outside of all locks. If it fails only
    /// when a call is settled, the call keeps the dollars that it reserved.
    ///
    /// Where a limiter [learns](Self::output) what to reserve, money follows, too. The function is
    /// then also called with the prompt alone, and the rest of the price is taken in proportion to
    /// the output.
    ///
    /// ```
    /// use openlimit::{ChatRateLimiter, Dollars, limiter};
    ///
    /// limiter! {
    ///     static CHAT: ChatRateLimiter = {
    ///         spend: Dollars(10) / hour,
    ///         price: |model, usage| match model {
    ///             "gpt-4o" => Some(
    ///                 2.5e-6 * usage.uncached_input() as f64
    ///                     + 1.25e-6 * usage.cached_input() as f64
    ///                     + 10e-6 * usage.output() as f64,
    ///             ),
    ///             _ => None,
    ///         },
    ///     };
    /// }
    ///
    /// let request = |model| serde_json::json!({
    ///     "model": model,
    ///     "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
    ///     "max_completion_tokens": 300,
    /// });
    /// let permit = CHAT.try_acquire(&request("gpt-4o"))?;
    /// permit.settle(openlimit::Usage::new(13, 45));
    /// let error = CHAT.try_acquire(&request("gpt-9")).unwrap_err();
    /// assert!(error.to_string().ends_with("the model \"gpt-9\" has no price: `price` returned none"));
    /// # Ok::<(), openlimit::AcquireError>(())
    /// ```
    pub fn price<F, D>(mut self, price: F) -> Self
    where
        F: Fn(&str, &Usage) -> D + Send + Sync + 'static,
        D: IntoDollars,
    {
        self.options.pricing.price = Some(SpendPrice::new("a function", price));
        self
    }

    /// Sets what requests cost in dollars by a file of prices, for a limit on
    /// [`spend`](Self::spend). Replaces [`price`](Self::price), which says what happens when.
    ///
    /// The file is LiteLLM's, or one of genai-prices: see [`Prices`].
    ///
    /// ```
    /// use openlimit::{ChatRateLimiter, Dollars, Prices, limiter};
    ///
    /// limiter! {
    ///     static CHAT: ChatRateLimiter = {
    ///         spend: Dollars(10) / hour,
    ///         prices: Prices::from_file("model_prices_and_context_window.json")?,
    ///     };
    ///     static AZURE: ChatRateLimiter = {
    ///         spend: Dollars(10) / hour,
    ///         prices: Prices::from_file("data_slim.json")?.provider("azure")?,
    ///     };
    /// }
    /// # assert!(CHAT.init().unwrap_err().to_string().contains("model_prices"));
    /// # assert!(AZURE.init().unwrap_err().to_string().contains("data_slim"));
    /// ```
    pub fn prices(mut self, prices: Prices) -> Self {
        let shown = format!("{prices:?}");
        self.options.pricing.price = Some(SpendPrice::new(shown, move |model, usage| {
            prices.of(model, usage).ok_or("it is not in the prices")
        }));
        self
    }
}
