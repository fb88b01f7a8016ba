//! `SpendPrice`: a price in dollars, and the check of what it returns.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::{Dollars, ParamsError, Usage};

/// What a [price](crate::Builder::price) may return: [`Dollars`](struct@crate::Dollars), a number
/// of dollars, or an `Option` or `Result` of these. A model without a price is `None`, or an error
/// that says why.
pub trait IntoDollars {
    /// Returns the amount, or the reason why there is none.
    #[doc(hidden)]
    fn into_dollars(self) -> Result<Dollars, String>;
}

impl IntoDollars for Dollars {
    fn into_dollars(self) -> Result<Dollars, String> {
        Ok(self)
    }
}

/// Rounded up to a millionth. A number that is negative, infinite or NaN is an error.
impl IntoDollars for f64 {
    fn into_dollars(self) -> Result<Dollars, String> {
        Dollars::try_from(self).map_err(|error| error.to_string())
    }
}

impl<D: IntoDollars> IntoDollars for Option<D> {
    fn into_dollars(self) -> Result<Dollars, String> {
        self.ok_or_else(|| "`price` returned none".to_owned())?.into_dollars()
    }
}

impl<D: IntoDollars, E: fmt::Display> IntoDollars for Result<D, E> {
    fn into_dollars(self) -> Result<Dollars, String> {
        self.map_err(|error| error.to_string())?.into_dollars()
    }
}

/// The price of requests, by model and usage.
#[derive(Clone)]
pub(crate) struct SpendPrice {
    price: Arc<Price>,
    /// What `Debug` shows.
    shown: Arc<str>,
}

type Price = dyn Fn(&str, &Usage) -> Result<Dollars, String> + Send + Sync;

impl SpendPrice {
    pub(crate) fn new<D: IntoDollars>(
        shown: impl Into<Arc<str>>,
        price: impl Fn(&str, &Usage) -> D + Send + Sync + 'static,
    ) -> Self {
        let price = move |model: &str, usage: &Usage| price(model, usage).into_dollars();
        Self { price: Arc::new(price), shown: shown.into() }
    }

    /// Returns what a call of a model costs.
    ///
    /// # Errors
    /// The model is not known, or its price is none.
    pub(crate) fn of(&self, model: &str, usage: &Usage) -> Result<Dollars, ParamsError> {
        if model.is_empty() {
            let problem = "expected the name of the model, on which the price depends; name it in the request, \
                           or set the key `model`";
            return Err(ParamsError::new("model", problem));
        }
        // The price is shared, so it can only see what it has broken itself.
        let price = catch_unwind(AssertUnwindSafe(|| (self.price)(model, usage)));
        price.unwrap_or_else(|panic| Err(format!("`price` panicked: {}", message(&*panic)))).map_err(
            |problem| ParamsError::new("spend", format!("the model {model:?} has no price: {problem}")),
        )
    }
}

/// Returns the message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("without a message")
}

impl fmt::Debug for SpendPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
