//! `ParamsError`: params that cannot be read as a request.
//!
//! It carries a field and a text and no limiter, so that the functions in `tokens`, which price
//! requests without a limiter, can return it too.

use std::borrow::Cow;

/// The error of params that cannot be read as a request, so that they have no price.
///
/// It names the field that is missing or has the wrong shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{field}` of the params: {problem}")]
pub struct ParamsError {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl ParamsError {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// Returns the name of the field that is missing or has the wrong shape.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}
