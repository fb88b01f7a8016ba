//! The dependencies compile with the version of Rust that the workspace names as its
//! `rust-version`.
//!
//! The resolver keeps `Cargo.lock` so as long as there is a version of each dependency that allows
//! it. If there is none, it picks one that needs more, and only a build with the old compiler would
//! show that.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The builds that users make: with the default features, and with limits that processes share.
const BUILDS: [&[&str]; 2] = [&[], &["--features", "redis"]];

/// Returns what cargo prints.
#[track_caller]
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("cargo, which runs this test");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Returns the name and version, `serde 1.0.229`, of each crate in one build of `openlimit` on this
/// machine.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let tree =
        ["tree", "-p", "openlimit", "--locked", "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
    let printed = cargo(&[&tree, features].concat());
    let mut crates = BTreeSet::new();
    for line in printed.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            crates.insert(format!("{name} {}", version.trim_start_matches('v')));
        }
    }
    crates
}

/// Returns `[1, 88, 0]` for `1.88`.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

/// Returns the packages among `crates` whose `rust-version` is above `most`.
fn above(most: &str, crates: &BTreeSet<String>, packages: &[Value]) -> Vec<String> {
    let mut above = Vec::new();
    for package in packages {
        let text = |field: &str| package[field].as_str();
        if let (Some(name), Some(version), Some(rust)) = (text("name"), text("version"), text("rust_version"))
            && crates.contains(&format!("{name} {version}"))
            && numbers(rust) > numbers(most)
        {
            above.push(format!("{name} {version} asks for Rust {rust}, and the workspace for {most}"));
        }
    }
    above
}

#[test]
fn no_dependency_asks_for_a_newer_rust_than_the_workspace() {
    let about = cargo(&["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("the host of cargo");
    // Only for this machine: what others need may not be downloaded.
    let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let own = packages.iter().find(|package| package["name"] == "openlimit").expect("openlimit");
    let most = own["rust_version"].as_str().expect("the workspace names its rust-version");
    for features in BUILDS {
        let crates = crates(features);
        // Among them are the build's own, and those of `redis` if asked for: otherwise this would
        // prove nothing.
        assert!(crates.iter().any(|name| name.starts_with("syn ")), "{crates:?}");
        assert_eq!(crates.iter().any(|name| name.starts_with("redis ")), !features.is_empty(), "{crates:?}");
        let above = above(most, &crates, packages);
        assert!(above.is_empty(), "with {features:?}:\n{}", above.join("\n"));
    }
}

#[test]
fn a_dependency_that_asks_for_more_is_named() {
    let package = |name: &str, rust: Value| serde_json::json!({ "name": name, "version": "1.2.3", "rust_version": rust });
    let packages = [
        package("old", "1.9".into()),
        package("same", "1.88.0".into()),
        package("new", "1.88.1".into()),
        package("silent", Value::Null),
        package("other", "1.99".into()),
    ];
    let crates = ["old", "same", "new", "silent"].map(|name| format!("{name} 1.2.3")).into();
    assert_eq!(
        above("1.88", &crates, &packages),
        ["new 1.2.3 asks for Rust 1.88.1, and the workspace for 1.88"]
    );
}
