//! `BuildError`: the reason why a limiter cannot be built.
//!
//! The builder's setters never fail, so every mistake in a limiter's options ends here. The message
//! names the limiter, because a static may be built far from where it is declared. What is wrong is
//! a [`BuildProblem`].

use std::error::Error;
use std::sync::Arc;

use super::BuildProblem;
use crate::limits::Name;

/// The error of a limiter that cannot be built or updated: its name and the problem.
///
/// [`Builder::build`](crate::Builder::build) and [`Limiter::update`](crate::Limiter::update) return
/// it. A declared limiter is built at its first use, and returns it from
/// [`init`](crate::Limiter::init) and, as [`AcquireError::Build`](crate::AcquireError::Build), from
/// every acquire.
#[derive(Clone, Debug, thiserror::Error)]
#[error("limiter `{limiter}` cannot be {attempt}: {problem}")]
pub struct BuildError {
    limiter: Name,
    /// What was attempted.
    attempt: &'static str,
    problem: BuildProblem,
}

impl BuildError {
    pub(crate) fn new(limiter: Name, problem: BuildProblem) -> Self {
        Self { limiter, attempt: "built", problem }
    }

    /// Creates the error of an update of a limiter.
    pub(crate) fn of_update(limiter: Name, problem: BuildProblem) -> Self {
        Self { limiter, attempt: "updated", problem }
    }

    /// Creates the error of a declaration whose value for `key` failed.
    ///
    /// Returns a `BuildError` unchanged: it names a limiter and a problem already.
    pub(crate) fn declared(
        limiter: &'static str,
        key: &'static str,
        error: Box<dyn Error + Send + Sync>,
    ) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => {
                Self::new(limiter.into(), BuildProblem::Declaration { key, error: Arc::from(error) })
            }
        }
    }

    /// Returns the limiter's name.
    #[must_use]
    pub fn limiter(&self) -> &str {
        &self.limiter
    }

    pub(crate) fn name(&self) -> &Name {
        &self.limiter
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &BuildProblem {
        &self.problem
    }
}
