//! The table of modules in CONTRIBUTING.md, which newcomers read, says what the test enforces.

use std::collections::BTreeSet;

use super::order::ORDER;

/// Returns the first column of the table in which a row begins with `` | `limits/` | ``.
pub(crate) fn table(markdown: &str) -> Vec<String> {
    let mut table = Vec::new();
    for line in markdown.lines().chain([""]) {
        if !line.starts_with('|') {
            if table.iter().any(|module| module == ORDER[0]) {
                return table;
            }
            table.clear();
        } else if let Some(module) = folder(line) {
            table.push(module.to_owned());
        }
    }
    Vec::new()
}

/// Returns `limits` of `` | `limits/` | .. ``
fn folder(row: &str) -> Option<&str> {
    let cell = row.trim_start_matches('|').split('|').next()?;
    cell.trim().strip_prefix('`')?.strip_suffix("/`")
}

/// Returns what the table has wrong. It may leave out modules that do not exist yet.
pub(crate) fn problems(table: &[String], existing: &BTreeSet<&str>) -> Vec<String> {
    let is_listed = |module: &&str| existing.contains(module) || table.iter().any(|listed| listed == module);
    let expected: Vec<&str> = ORDER.into_iter().filter(is_listed).collect();
    if *table == expected {
        return Vec::new();
    }
    vec![format!(
        "CONTRIBUTING.md: its table lists {table:?}; expected the modules in their order, {expected:?}"
    )]
}

#[test]
fn the_table_is_found_among_others() {
    let markdown = "| | |\n| --- | --- |\n| `tests/` | |\n\nWords.\n\n| module | contains |\n| --- | --- |\n\
                    | `limits/` | `a` |\n| `error/`|b|\n\n| `queue/` | |\n";
    assert_eq!(table(markdown), ["limits", "error"]);
    assert!(table("| `tests/` | |\n").is_empty());
}

#[test]
fn a_table_in_another_order_or_without_a_module_is_reported() {
    let listed = |modules: &[&str]| modules.iter().map(|module| (*module).to_owned()).collect::<Vec<_>>();
    let existing = BTreeSet::from(["limits", "error", "queue"]);
    assert!(problems(&listed(&["limits", "error", "queue", "feedback"]), &existing).is_empty());
    assert_eq!(problems(&listed(&["error", "limits", "queue"]), &existing).len(), 1);
    assert_eq!(problems(&listed(&["limits", "queue"]), &existing).len(), 1);
    assert_eq!(problems(&listed(&["limits", "error", "queue", "other"]), &existing).len(), 1);
}
