//! `ParamsError`: params that cannot be read as a request.

use std::borrow::Cow;

/// The error of params that are not a request which the limiter can price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{field}` of the params: {problem}")]
pub struct ParamsError {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl ParamsError {
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests have params"))]
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// Returns the name of the field that is missing or has the wrong shape.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}
