//! The import order of the modules of `openlimit/src`.
//!
//! A file may import from its own module and from those above it in the table of CONTRIBUTING.md.
//! So the tree can be read from the top of the table to the bottom, and no cycle can arise between
//! two modules.
//!
//! * Imports are the leaves of `use`, and paths in the code such as `crate::queue::Key` or
//!   `super::super::x`.
//! * A path counts as an import of each module that it names, and of the module that defines what
//!   it leads to: `crate::Limit` is an import of `limits`.
//! * Code under `#[cfg(test)]` may import from anywhere: inline modules, and files such as
//!   `tests.rs` or those below `tests/` whose `mod` stands under it.
//! * [`NO_MODULES`] lists the files that belong to no module. They may import from anywhere.

use std::collections::BTreeSet;

use super::module::{Import, Module};
use super::tree::Tree;

/// The modules, from the bottom of the tree up.
pub(crate) const ORDER: [&str; 17] = [
    "limits",
    "error",
    "sync",
    "time",
    "bucket",
    "learning",
    "queue",
    "tokenizer",
    "pricing",
    "feedback",
    "backend",
    "admission",
    "limiter",
    "config",
    "macros",
    "clients",
    "testing",
];

/// Files that belong to no module, and why.
pub(crate) const NO_MODULES: [(&str, &str); 1] = [("lib.rs", "re-exports what users name, from all modules")];

/// Returns the index in [`ORDER`] of the module that a file belongs to.
pub(crate) fn rank(file: &str) -> Option<usize> {
    let (folder, _) = file.split_once('/')?;
    ORDER.iter().position(|module| *module == folder)
}

/// Returns the imports that break the order.
pub(crate) fn broken(tree: &Tree) -> Vec<String> {
    let modules = tree.modules.iter().enumerate().filter(|(_, module)| !module.is_test);
    let imports =
        modules.flat_map(|(index, module)| module.imports.iter().map(move |import| (index, module, import)));
    let mut broken = Vec::new();
    for (index, module, import) in imports {
        if NO_MODULES.iter().all(|(file, _)| *file != module.file)
            && let Some(why) = why_broken(tree, index, module, import)
        {
            broken.push(format!("{}:{}: `{}` {why}", module.file, import.line, import.path.join("::")));
        }
    }
    broken
}

fn why_broken(tree: &Tree, index: usize, module: &Module, import: &Import) -> Option<String> {
    let found = tree.find(index, import)?;
    let file = |module: usize| tree.modules[module].file.as_str();
    if NO_MODULES.iter().any(|(other, _)| *other == file(found.target)) {
        return Some(format!("imports from {}, which is above all modules", file(found.target)));
    }
    let own = rank(&module.file)?;
    let ranks: BTreeSet<usize> =
        found.named.iter().chain([&found.target]).filter_map(|module| rank(file(*module))).collect();
    let last = ranks.last().copied().filter(|last| *last > own)?;
    Some(format!(
        "imports from `{}/`, which comes after `{}/` in the table of CONTRIBUTING.md",
        ORDER[last], ORDER[own]
    ))
}

/// Returns the files that belong to no module of the table, and the exceptions that are not there.
pub(crate) fn misplaced(tree: &Tree) -> Vec<String> {
    let is_exception = |file: &str| NO_MODULES.iter().any(|(other, _)| *other == file);
    let files: BTreeSet<&str> = tree
        .modules
        .iter()
        .filter(|module| !module.is_test && rank(&module.file).is_none() && !is_exception(&module.file))
        .map(|module| module.file.as_str())
        .collect();
    let misplaced = files.into_iter().map(|file| format!("{file}: belongs to no module of the table"));
    let gone = NO_MODULES.iter().filter(|(file, _)| !tree.files.contains_key(*file));
    misplaced.chain(gone.map(|(file, _)| format!("{file}: is an exception, and does not exist"))).collect()
}
