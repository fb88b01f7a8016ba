//! A module of the crate: what it declares, imports and defines.

use std::collections::BTreeSet;

/// A module: a file, or `mod name { .. }` inside of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    /// Its path from the root of the crate, which is empty.
    pub(crate) path: Vec<String>,
    /// Its file, relative to `src`.
    pub(crate) file: String,
    /// True if it is compiled for tests only.
    pub(crate) is_test: bool,
    /// The modules that it declares and that are files of their own.
    pub(crate) children: Vec<Child>,
    pub(crate) imports: Vec<Import>,
    /// The names of its items, re-exports and modules excepted.
    pub(crate) items: BTreeSet<String>,
    /// The macros that it defines.
    pub(crate) macros: BTreeSet<String>,
}

/// `mod name;`
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) is_test: bool,
    /// The file that `#[path]` names, and whether it does so under a condition.
    pub(crate) other_file: Option<(String, bool)>,
}

/// A name that a module takes from elsewhere: one leaf of a `use`, or a path that stands in the
/// code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    /// As written, with the groups of a `use` written out.
    pub(crate) path: Vec<String>,
    pub(crate) kind: ImportKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImportKind {
    /// `use path as name;`, and whether it is re-exported.
    Name { name: String, is_public: bool },
    /// `use path::*;`, and whether it is re-exported.
    Glob { is_public: bool },
    /// A path in the code.
    Inline,
    /// A path in the code that calls a macro.
    Macro,
}

impl Import {
    /// Returns true for a `pub use`, whatever its visibility.
    pub(crate) fn is_re_export(&self) -> bool {
        matches!(self.kind, ImportKind::Name { is_public: true, .. } | ImportKind::Glob { is_public: true })
    }
}
