//! All modules of a crate, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::module::{Child, Module};
use super::reader::read;

/// The modules and the files of a crate.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The content of each `.rs` file, by its path relative to `src`, with `/`.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) modules: Vec<Module>,
    /// The module of each path. Where conditions choose among several files, the first one.
    by_path: BTreeMap<Vec<String>, usize>,
    /// Files that no module is, and modules without a file.
    pub(crate) problems: Vec<String>,
}

impl Tree {
    /// Reads the `.rs` files under `src`.
    ///
    /// # Panics
    /// If a file cannot be read.
    pub(crate) fn of(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(src, "", &mut files);
        Self::new(files)
    }

    /// Makes a tree of these files, by path and content.
    pub(crate) fn made_up(files: &[(&str, &str)]) -> Self {
        Self::new(files.iter().map(|(file, source)| ((*file).to_owned(), (*source).to_owned())).collect())
    }

    fn new(files: BTreeMap<String, String>) -> Self {
        let mut tree = Self { files, ..Self::default() };
        let mut read = BTreeSet::new();
        tree.read("lib.rs", &[], false, &mut read);
        for file in tree.files.keys().filter(|file| !read.contains(*file)) {
            tree.problems.push(format!("{file}: no module declares this file"));
        }
        tree
    }

    /// Reads a file, and the files of the modules that it declares.
    fn read(&mut self, file: &str, path: &[String], is_test: bool, done: &mut BTreeSet<String>) {
        done.insert(file.to_owned());
        let source = self.files.get(file).cloned().unwrap_or_default();
        for module in read(file, path.to_vec(), is_test, &source) {
            let (path, is_test) = (module.path.clone(), module.is_test);
            let children = module.children.clone();
            self.by_path.entry(path.clone()).or_insert(self.modules.len());
            self.modules.push(module);
            for child in children {
                let found = self.files_of(file, &path, &child);
                if found.is_empty() {
                    let Child { line, name, .. } = &child;
                    self.problems.push(format!("{file}:{line}: there is no file for `mod {name}`"));
                }
                let path = [&path[..], &[child.name]].concat();
                for file in found {
                    self.read(&file, &path, is_test || child.is_test, done);
                }
            }
        }
    }

    /// Returns the files that a module may be in: two, if a condition chooses.
    fn files_of(&self, parent: &str, path: &[String], child: &Child) -> Vec<String> {
        let mut places = Vec::new();
        if child.other_file.as_ref().is_none_or(|(_, is_conditional)| *is_conditional) {
            let base: String = path.iter().map(|name| format!("{name}/")).collect();
            places.extend([format!("{base}{}/mod.rs", child.name), format!("{base}{}.rs", child.name)]);
        }
        if let Some((other, _)) = &child.other_file {
            let folder = parent.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            places.push(folder + other);
        }
        places.retain(|place| self.files.contains_key(place));
        places
    }

    /// Returns the module at a path from the root.
    pub(crate) fn at(&self, path: &[String]) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Returns the module `name` inside of `module`.
    pub(crate) fn child(&self, module: usize, name: &str) -> Option<usize> {
        self.at(&[&self.modules[module].path[..], &[name.to_owned()]].concat())
    }
}

/// Reads all `.rs` files below a folder.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".rs") {
            let source =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(format!("{prefix}{name}"), source);
        }
    }
}
