//! The rules for the layout of files: one way to name them, an opening sentence in each, and
//! `redis` at the entrance of a module.

use super::tree::Tree;

/// The most lines outside of `backend/`, `error/` and `lib.rs` that may hold [`REDIS`].
const MOST_REDIS: usize = 5;

/// The condition that parts programs with shared limits from those without.
const REDIS: &str = r#"feature = "redis""#;

/// Returns the files that do not open with `//!`: what is in them, and why.
pub(crate) fn without_docs(tree: &Tree) -> Vec<String> {
    let files = tree.files.iter().filter(|(_, source)| !source.starts_with("//!"));
    files.map(|(file, _)| format!("{file}: does not open with `//!`")).collect()
}

/// Returns the files `foo.rs` beside a folder `foo/`, which should be `foo/mod.rs`.
pub(crate) fn beside_folders(tree: &Tree) -> Vec<String> {
    let is_folder = |folder: &str| tree.files.keys().any(|file| file.starts_with(folder));
    let names = tree.files.keys().filter_map(|file| file.strip_suffix(".rs"));
    let beside = names.filter(|name| is_folder(&format!("{name}/")));
    beside.map(|name| format!("{name}.rs: is beside the folder {name}/; move it to {name}/mod.rs")).collect()
}

/// Returns the lines that ask for the feature `redis` in the wrong places, if there are too many of
/// them.
pub(crate) fn redis_conditions(tree: &Tree) -> Vec<String> {
    let is_elsewhere = |file: &str| {
        file != "lib.rs" && !["backend/", "error/"].iter().any(|folder| file.starts_with(folder))
    };
    let mut lines = Vec::new();
    for (file, source) in tree.files.iter().filter(|(file, _)| is_elsewhere(file)) {
        let conditions = source.lines().enumerate().filter(|(_, line)| line.contains(REDIS));
        let code = conditions.filter(|(_, line)| !line.trim_start().starts_with("//"));
        lines.extend(code.map(|(index, line)| format!("{file}:{}: {}", index + 1, line.trim())));
    }
    if lines.len() > MOST_REDIS { lines } else { Vec::new() }
}
