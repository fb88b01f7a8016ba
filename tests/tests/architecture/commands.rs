//! The commands in BENCHMARKS.md and CONTRIBUTING.md name packages and targets that exist.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::versions::cargo;

/// Returns the package and the target of each `-p package .. --bench target` in a text.
fn named(markdown: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> = markdown.split(|c: char| c.is_whitespace() || c == '`').collect();
    let mut named = Vec::new();
    let mut package = "";
    for pair in words.windows(2) {
        match *pair {
            ["cargo", _] => package = "",
            ["-p", name] => package = name,
            ["--bench" | "--test", target] => named.push((package, target)),
            _ => {}
        }
    }
    named
}

#[test]
fn each_command_names_a_target_of_its_package() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"]))
            .expect("cargo prints JSON");
    let mut targets = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        for target in package["targets"].as_array().expect("targets") {
            targets.insert((
                package["name"].as_str().expect("a name"),
                target["name"].as_str().expect("a name"),
            ));
        }
    }
    for file in ["BENCHMARKS.md", "CONTRIBUTING.md"] {
        let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
        let markdown = fs::read_to_string(&path).expect("the file is there");
        let named = named(&markdown);
        assert!(!named.is_empty(), "{file} names no target");
        for command in named {
            assert!(targets.contains(&command), "{file}: there is no {command:?}");
        }
    }
}

#[test]
fn a_command_without_a_package_is_found_too() {
    let markdown =
        "`cargo test -p one --test a x::`, `cargo bench --bench b`\n$ cargo bench -p two --bench c\n";
    assert_eq!(named(markdown), [("one", "a"), ("", "b"), ("two", "c")]);
}
