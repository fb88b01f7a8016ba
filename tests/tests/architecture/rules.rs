//! The rules, applied to the sources of `openlimit`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::cycles::{ALLOWED, cycles};
use super::order::{ORDER, broken, misplaced, rank};
use super::tree::Tree;
use super::{contributing, layout};

static TREE: LazyLock<Tree> =
    LazyLock::new(|| Tree::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../openlimit/src")));

/// Fails with one problem a line.
#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}\n", problems.len(), problems.join("\n"));
}

#[test]
fn every_file_is_a_module_and_every_module_a_file() {
    none(&TREE.problems);
}

#[test]
fn every_file_belongs_to_a_module_of_the_table() {
    none(&misplaced(&TREE));
}

#[test]
fn modules_import_only_from_modules_above_them() {
    none(&broken(&TREE));
}

#[test]
fn inside_a_module_no_files_import_each_other() {
    none(&cycles(&TREE, &ALLOWED));
}

#[test]
fn contributing_shows_the_same_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    let markdown = fs::read_to_string(path).expect("CONTRIBUTING.md");
    let existing: BTreeSet<&str> =
        TREE.files.keys().filter_map(|file| rank(file)).map(|rank| ORDER[rank]).collect();
    none(&contributing::problems(&contributing::table(&markdown), &existing));
}

#[test]
fn every_file_opens_with_what_it_is() {
    none(&layout::without_docs(&TREE));
}

#[test]
fn folders_are_laid_out_with_a_mod_rs() {
    none(&layout::beside_folders(&TREE));
}

#[test]
fn few_lines_outside_of_the_backend_ask_for_redis() {
    none(&layout::redis_conditions(&TREE));
}
