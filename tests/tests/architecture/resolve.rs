//! Finds the modules that a path names, through re-exports: `crate::Limit` is in `limits/limit.rs`.

use super::module::{Import, ImportKind, Module};
use super::tree::Tree;

/// The module or item that a path of this crate leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The modules that the path itself names.
    pub(crate) named: Vec<usize>,
    /// The module that it leads to, or that defines the item that it leads to.
    pub(crate) target: usize,
    /// True if it leads to a module, and false if it leads to an item in one.
    is_module: bool,
}

impl Tree {
    /// Returns what an import of `module` leads to, or nothing if that is another crate's or the
    /// module's own.
    pub(crate) fn find(&self, module: usize, import: &Import) -> Option<Found> {
        // A macro that is exported is an item of the crate's root, whichever module defines it.
        if let (ImportKind::Macro, [root, name]) = (&import.kind, &import.path[..])
            && matches!(root.as_str(), "crate" | "openlimit")
        {
            return self.of_macro(name);
        }
        // Other names at the beginning are imports, which count themselves, or types.
        if import.kind == ImportKind::Inline
            && !is_anchor(&import.path[0])
            && self.child(module, &import.path[0]).is_none()
        {
            return None;
        }
        self.follow(module, &import.path, 0)
    }

    fn follow(&self, module: usize, path: &[String], hops: usize) -> Option<Found> {
        /// More re-exports of re-exports than that go round in circles.
        const MOST_HOPS: usize = 20;
        if hops > MOST_HOPS {
            return None;
        }
        let mut rest = path;
        let mut at = module;
        let mut is_anchored = false;
        while let [first, others @ ..] = rest
            && is_anchor(first)
        {
            at = match first.as_str() {
                "super" => self.at(self.modules[at].path.split_last()?.1)?,
                "self" => at,
                _ => self.at(&[])?,
            };
            (rest, is_anchored) = (others, true);
        }
        let mut found = Found { named: Vec::new(), target: at, is_module: true };
        for (index, name) in rest.iter().enumerate() {
            if let Some(child) = self.child(found.target, name) {
                found.named.push(child);
                found.target = child;
                continue;
            }
            let next = self.imported(found.target, name, hops);
            match next {
                Some(next) => {
                    found.target = next.target;
                    found.is_module = next.is_module;
                }
                // Neither a module nor a name here: another crate.
                None if index == 0 && !is_anchored && !self.modules[at].items.contains(name) => return None,
                // The root re-exports the name from another crate.
                None if found.target == 0 && self.imports(0, name).next().is_some() => return None,
                None if found.target == 0 => {
                    return self.of_macro(name).or(Some(Found { is_module: false, ..found }));
                }
                None => found.is_module = false,
            }
            if !found.is_module {
                break;
            }
        }
        Some(found)
    }

    /// Returns what `name` is in a module that imports it.
    fn imported(&self, module: usize, name: &str, hops: usize) -> Option<Found> {
        let Module { imports, items, .. } = &self.modules[module];
        if items.contains(name) {
            return None;
        }
        // `use name;` is another crate's: it does not import itself.
        let named = self.imports(module, name).filter(|import| import.path[..] != [name]);
        let found = named.filter_map(|import| self.follow(module, &import.path, hops + 1)).next();
        found.or_else(|| {
            let globs = imports.iter().filter(|import| matches!(import.kind, ImportKind::Glob { .. }));
            globs.filter_map(|glob| self.follow(module, &glob.path, hops + 5)).find_map(|glob| {
                if glob.target == module {
                    return None;
                }
                if let Some(child) = self.child(glob.target, name) {
                    return Some(Found { named: Vec::new(), target: child, is_module: true });
                }
                let is_item = self.modules[glob.target].items.contains(name);
                let own = is_item.then(|| Found { is_module: false, ..glob.clone() });
                own.or_else(|| self.imported(glob.target, name, hops + 5))
            })
        })
    }

    /// Returns the imports of a module under this name.
    fn imports<'a>(&'a self, module: usize, name: &'a str) -> impl Iterator<Item = &'a Import> {
        let imports = self.modules[module].imports.iter();
        imports
            .filter(move |import| matches!(&import.kind, ImportKind::Name { name: own, .. } if own == name))
    }

    fn of_macro(&self, name: &str) -> Option<Found> {
        let target = self.modules.iter().position(|module| module.macros.contains(name))?;
        Some(Found { named: Vec::new(), target, is_module: false })
    }
}

/// Returns true for a word that a path of this crate can begin with, wherever it stands.
fn is_anchor(word: &str) -> bool {
    matches!(word, "crate" | "openlimit" | "self" | "super")
}
