//! Import cycles between the files of one module.
//!
//! Re-exports of a `mod.rs` are no imports here: it names what its neighbours may use, without
//! using it.

use std::collections::{BTreeMap, BTreeSet};

use super::order::rank;
use super::tree::Tree;

/// Groups of files that may import each other, and why.
pub(crate) const ALLOWED: [(&[&str], &str); 1] = [(
    &["pricing/walk/inside.rs", "pricing/walk/walker.rs"],
    "serde's recursion: a value is walked by its parts, and each part is a value",
)];

/// The first import of one file by another: its line and its path.
type Edges = BTreeMap<(String, String), (usize, String)>;

/// Returns the groups of files of one module that import each other in circles, without those that
/// are allowed.
pub(crate) fn cycles(tree: &Tree, allowed: &[(&[&str], &str)]) -> Vec<String> {
    let edges = edges(tree);
    let groups = groups(&edges);
    let covers =
        |files: &[&str], group: &BTreeSet<String>| group.iter().all(|file| files.contains(&file.as_str()));
    let is_allowed = |group: &&BTreeSet<String>| allowed.iter().any(|(files, _)| covers(files, group));
    let mut problems: Vec<String> =
        groups.iter().filter(|group| !is_allowed(group)).map(|group| describe(group, &edges)).collect();
    let stale = allowed.iter().filter(|(files, _)| !groups.iter().any(|group| covers(files, group)));
    problems.extend(stale.map(|(files, _)| format!("{files:?}: may import each other, and do not")));
    problems
}

/// Returns which file imports which other of the same module.
fn edges(tree: &Tree) -> Edges {
    let mut edges = Edges::new();
    for (index, module) in tree.modules.iter().enumerate().filter(|(_, module)| !module.is_test) {
        for import in &module.imports {
            if import.is_re_export() && module.file.ends_with("mod.rs") {
                continue;
            }
            let Some(found) = tree.find(index, import) else { continue };
            let target = &tree.modules[found.target].file;
            if *target != module.file && rank(target).is_some() && rank(target) == rank(&module.file) {
                let edge = (module.file.clone(), target.clone());
                edges.entry(edge).or_insert_with(|| (import.line, import.path.join("::")));
            }
        }
    }
    edges
}

/// Returns the groups of two files or more of which each reaches each.
fn groups(edges: &Edges) -> BTreeSet<BTreeSet<String>> {
    let reached = |start: &String| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(file) = open.pop() {
            let next = edges.keys().filter(|(from, _)| from == file).map(|(_, to)| to);
            open.extend(next.filter(|to| reached.insert((*to).clone())));
        }
        reached
    };
    let files: BTreeSet<&String> = edges.keys().map(|(from, _)| from).collect();
    let reach: BTreeMap<&String, BTreeSet<String>> =
        files.into_iter().map(|file| (file, reached(file))).collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(*file) {
            let is_mutual = |other: &&String| reach.get(other).is_some_and(|back| back.contains(*file));
            groups.insert(reached.iter().filter(is_mutual).cloned().collect());
        }
    }
    groups
}

fn describe(group: &BTreeSet<String>, edges: &Edges) -> String {
    let inside = edges.iter().filter(|((from, to), _)| group.contains(from) && group.contains(to));
    let imports =
        inside.map(|((from, to), (line, path))| format!("\n    {from}:{line}: `{path}` imports from {to}"));
    format!("{} files import each other in a circle:{}", group.len(), imports.collect::<String>())
}
