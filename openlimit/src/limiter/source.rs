//! `Source`: where a limiter comes from. A declaration is built once, at its first use.
//!
//! A limiter for each key (`keyed`) comes from the same sources as a single one, so the type of
//! what is built, and of its builder, are parameters.

use std::cell::Cell;
use std::error::Error;
use std::ptr;

use once_cell::sync::OnceCell;

use super::building::Building;
use crate::error::{BuildError, BuildProblem};

/// Fills the builder of a declared limiter.
///
/// The cell names the key whose value is being computed, for the error of a value that fails.
pub(crate) type Fill<B> = fn(B, &Cell<&'static str>) -> Result<B, Box<dyn Error + Send + Sync>>;

/// The origin of a `T`, which a builder `B` builds.
pub(super) enum Source<B, T> {
    /// A declaration, which is built once, at first use. The result is kept.
    Declared { name: &'static str, fill: Fill<B>, built: OnceCell<Result<T, BuildError>> },
    /// A builder, or a clone.
    Built(T),
    /// A clone of a declared limiter that cannot be built.
    Failed(BuildError),
}

impl<B, T> Source<B, T> {
    /// Creates a declaration.
    pub(super) const fn declared(name: &'static str, fill: Fill<B>) -> Self {
        Self::Declared { name, fill, built: OnceCell::new() }
    }

    /// Returns what was built. If this is the first use of a declaration, `builder` creates a
    /// builder with the declared name, and `build` builds it once it is filled.
    #[inline(always)]
    pub(super) fn get(
        &self,
        builder: impl FnOnce(&'static str) -> B,
        build: impl FnOnce(B) -> Result<T, BuildError>,
    ) -> Result<&T, &BuildError> {
        match self {
            Self::Declared { name, fill, built } => match built.get() {
                Some(Ok(built)) => Ok(built),
                Some(Err(error)) => failed(error),
                None => build_declared(built, name, *fill, builder, build).as_ref(),
            },
            Self::Built(built) => Ok(built),
            Self::Failed(error) => Err(error),
        }
    }

    /// Returns what was built; `None` for a declaration that was not used yet.
    pub(super) fn known(&self) -> Option<Result<&T, &BuildError>> {
        match self {
            Self::Declared { built, .. } => built.get().map(Result::as_ref),
            Self::Built(built) => Some(Ok(built)),
            Self::Failed(error) => Some(Err(error)),
        }
    }

    /// Returns the name of a declaration; empty for any other source.
    pub(super) fn declared_name(&self) -> &'static str {
        if let Self::Declared { name, .. } = self { name } else { "" }
    }

    /// Returns an address that identifies it: for a declaration its own, and for others that of
    /// what was built, which clones share.
    pub(super) fn address<U>(&self, shared: impl FnOnce(&T) -> &U) -> usize {
        match self {
            Self::Declared { built, .. } => ptr::from_ref(built).addr(),
            Self::Built(built) => ptr::from_ref(shared(built)).addr(),
            Self::Failed(error) => ptr::from_ref(error).addr(),
        }
    }
}

impl<B, T> From<Result<T, BuildError>> for Source<B, T> {
    fn from(built: Result<T, BuildError>) -> Self {
        built.map_or_else(Self::Failed, Self::Built)
    }
}

/// Returns the error of a declaration that cannot be built.
///
/// It is a function of its own because the compiler would otherwise compute the address of either
/// result, and every call would wait for that.
#[cold]
#[inline(never)]
fn failed<T>(error: &BuildError) -> Result<&T, &BuildError> {
    Err(error)
}

/// Builds what was declared, unless another thread has done so meanwhile.
///
/// The two functions have no size, so the arguments are passed in registers.
#[cold]
#[inline(never)]
fn build_declared<'a, B, T>(
    built: &'a OnceCell<Result<T, BuildError>>,
    name: &'static str,
    fill: Fill<B>,
    builder: impl FnOnce(&'static str) -> B,
    build: impl FnOnce(B) -> Result<T, BuildError>,
) -> &'a Result<T, BuildError> {
    let Some(building) = Building::needs(ptr::from_ref(built).addr()) else {
        // The outer build keeps its own result, so there is no place for this one. It is leaked,
        // once for each use of a limiter in its own declaration.
        let error = BuildError::new(name.into(), BuildProblem::Recursive);
        return Box::leak(Box::new(Err(error)));
    };
    let built = built.get_or_init(|| {
        building.begins();
        let key = Cell::new("");
        let filled = fill(builder(name), &key);
        build(filled.map_err(|error| BuildError::declared(name, key.get(), error))?)
    });
    drop(building);
    built
}
