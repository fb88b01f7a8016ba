//! `WithModel`: a request and its model, for APIs that have the model in the path.

use std::borrow::Borrow;

use serde::Serialize;

use super::options::PriceOptions;
use super::params::ReadsParams;
use super::price::Price;
use crate::{Cost, ParamsError};

/// A request and the model that it is for, where the API has the model in the path and not in the
/// request. Gemini's and Azure's do.
///
/// A limiter that prices such requests accepts it in place of the request. A limiter of one model
/// does not need it: see [`Builder::model`](crate::Builder::model). If the request names a model,
/// that one counts.
///
/// ```
/// use openlimit::tokens::WithModel;
/// use openlimit::{Dimension, GenerateContentRateLimiter, limiter};
/// use serde_json::json;
///
/// limiter! {
///     static GEMINI: GenerateContentRateLimiter = { input_tokens: 1_000_000 / minute };
/// }
///
/// let request = json!({ "contents": [{ "parts": [
///     { "fileData": { "mimeType": "image/png", "fileUri": "files/a1" } },
/// ] }] });
/// let input = |model| {
///     let cost = GEMINI.cost(WithModel::new(model, &request))?;
///     Ok::<_, openlimit::AcquireError>(cost.amount(&Dimension::InputTokens))
/// };
/// assert_eq!(input("gemini-2.5-flash")?, 1 + 2_064);
/// assert_eq!(input("gemini-3-pro")?, 1 + 1_120);
/// # Ok::<(), openlimit::AcquireError>(())
/// ```
#[derive(Debug)]
pub struct WithModel<'a, T: ?Sized> {
    model: &'a str,
    params: &'a T,
}

impl<'a, T: Serialize + ?Sized> WithModel<'a, T> {
    /// Creates a request to this model.
    #[must_use]
    pub const fn new(model: &'a str, params: &'a T) -> Self {
        Self { model, params }
    }
}

impl<K: ReadsParams, T: Serialize + ?Sized> Price<K> for WithModel<'_, T> {
    fn cost(&self, options: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        K::read(self.params, &PriceOptions { model: Some(self.model.to_owned()), ..options.clone() })
    }
}

impl<K: ReadsParams, T: Serialize + ?Sized> Price<K> for &WithModel<'_, T> {
    fn cost(&self, options: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        Price::<K>::cost(*self, options)
    }
}
