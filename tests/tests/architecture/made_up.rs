//! The rules, applied to small trees that break them, so that it is known what the test would find.

use super::cycles::cycles;
use super::layout::{beside_folders, redis_conditions, without_docs};
use super::order::{broken, misplaced};
use super::tree::Tree;

/// The modules of most trees here.
const ROOT: &str = "//! Root.\nmod error;\nmod limiter;\nmod limits;\nmod queue;\n\
                    pub use limits::{Limit, rate::Rate as Speed};\npub use limiter::*;\n";

/// Returns what is broken in a tree in which `queue/mod.rs` holds this.
fn broken_by(queue: &str) -> Vec<String> {
    broken(&Tree::made_up(&[
        ("lib.rs", ROOT),
        ("limits/mod.rs", "mod limit;\npub mod rate;\npub use self::limit::Limit;"),
        ("limits/limit.rs", "use super::rate::Rate;\npub struct Limit(Rate);"),
        ("limits/rate.rs", "pub struct Rate;\nmacro_rules! per {}\npub(crate) use per;"),
        ("error/mod.rs", "pub struct Error;"),
        ("queue/mod.rs", queue),
        (
            "limiter/mod.rs",
            "mod permit;\nmod hidden;\npub use permit::Permit;\npub(crate) use crate::error::Error as Fault;",
        ),
        ("limiter/permit.rs", "pub struct Permit;\n#[macro_export]\nmacro_rules! declare {}"),
        ("limiter/hidden.rs", "pub(crate) mod deep { pub(crate) struct Depth; }"),
    ]))
}

#[track_caller]
fn is_broken(queue: &str, line: usize, path: &str) {
    let expected = format!(
        "queue/mod.rs:{line}: `{path}` imports from `limiter/`, which comes after `queue/` in the table of CONTRIBUTING.md"
    );
    assert_eq!(broken_by(queue), [expected], "{queue}");
}

#[track_caller]
fn is_in_order(queue: &str) {
    assert_eq!(broken_by(queue), [""; 0], "{queue}");
}

#[test]
fn imports_from_modules_above_are_in_order() {
    is_in_order(
        "use crate::limits::{Limit, rate::{self, Rate}};\nuse super::error::*;\nuse crate::limits::per;",
    );
    is_in_order("use crate::{Limit, Speed};\nuse std::{fmt, limiter::Permit};\nuse ::limiter::Other;");
    is_in_order(
        "pub(in crate::queue) fn f() -> crate::Limit { super::limits::rate::Rate::new(crate::Speed) }",
    );
    is_in_order("use limiter::Limiter;\nuse loom::{limiter, sync::Mutex};\nfn f() { limiter::g() }");
}

#[test]
fn a_broken_order_is_reported_with_file_line_and_import() {
    is_broken("use crate::limiter::Permit;", 1, "crate::limiter::Permit");
    is_broken("\npub(crate) use super::limiter::Permit as _;", 2, "super::limiter::Permit");
    is_broken("use crate::limiter;", 1, "crate::limiter");
    is_broken("use crate::limiter::*;", 1, "crate::limiter");
    is_broken("use openlimit::limiter::Permit;", 1, "openlimit::limiter::Permit");
    is_broken("use ::openlimit::limiter::Permit;", 1, "openlimit::limiter::Permit");
}

#[test]
fn a_leaf_of_a_group_is_reported_with_its_line() {
    let queue =
        "use crate::{\n    error::{self, Error},\n    limiter::{\n        Permit,\n    },\n    Limit,\n};";
    is_broken(queue, 4, "crate::limiter::Permit");
}

#[test]
fn a_re_export_of_the_root_is_an_import_of_what_defines_it() {
    is_broken("use crate::Permit;", 1, "crate::Permit");
    // Named, though what it leads to is defined above.
    is_broken("use crate::limiter::Fault;", 1, "crate::limiter::Fault");
    // Through the root it is not named.
    is_in_order("use crate::Fault;");
}

#[test]
fn a_path_in_the_code_is_an_import() {
    is_broken("fn f() {\n    let _ = crate::limiter::Permit;\n}", 2, "crate::limiter::Permit");
    is_broken(
        "impl From<super::limiter::hidden::deep::Depth> for u8 {}",
        1,
        "super::limiter::hidden::deep::Depth",
    );
    is_broken("mod inner {\n    fn f() -> super::super::Permit {}\n}", 2, "super::super::Permit");
    is_broken("struct Wrapped(pub crate::Permit);", 1, "crate::Permit");
    is_broken("fn f() { g::<crate::Permit>() }", 1, "crate::Permit");
    is_broken("macro_rules! m { () => { $crate::Permit::new() } }", 1, "crate::Permit::new");
    is_broken("crate::declare! { a }", 1, "crate::declare");
}

#[test]
fn text_that_looks_like_an_import_is_none() {
    is_in_order("//! use crate::limiter::Permit;\n/// [`crate::limiter::Permit`]\nfn f() {}");
    is_in_order(
        "/* use crate::limiter; /* crate::limiter */ crate::limiter */ fn f() { g(\"crate::limiter::Permit\") }",
    );
    is_in_order(
        "const A: &str = r#\"use crate::limiter::Permit; \"#;\nconst B: u8 = b'\"'; const C: char = '\"';",
    );
    is_in_order("fn f<'a>(x: &'a u8) -> impl Sized + use<'a> { x.crate_::limiter }");
}

#[test]
fn tests_may_import_from_anywhere_and_what_follows_them_may_not() {
    is_in_order(
        "#[cfg(test)]\nmod tests {\n    use crate::limiter::Permit;\n    fn f() { crate::limiter::g() }\n}",
    );
    is_in_order("#[cfg(all(test, feature = \"x\"))]\nuse crate::limiter::Permit;");
    is_broken("#[cfg(test)]\nuse crate::{limiter::Permit};\nuse crate::Permit;", 3, "crate::Permit");
    is_broken(
        "struct A {\n    #[cfg(test)]\n    a: crate::Permit,\n    b: crate::Permit,\n}",
        4,
        "crate::Permit",
    );
    is_broken(
        "#[cfg(test)]\nfn f<A, B>() -> [crate::Permit; 2] { {} }\nfn g(_: crate::Permit) {}",
        3,
        "crate::Permit",
    );
    is_broken("#[cfg(any(test, unix))]\nuse crate::Permit;", 2, "crate::Permit");
    is_broken("#[cfg(not(test))]\nuse crate::Permit;", 2, "crate::Permit");
}

#[test]
fn files_of_tests_may_import_from_anywhere() {
    let files = |test: &'static str| {
        Tree::made_up(&[
            ("lib.rs", "mod queue; mod limiter;"),
            ("queue/mod.rs", test),
            ("queue/tests.rs", "mod world;"),
            ("queue/tests/world.rs", "use crate::limiter::Permit;"),
            ("limiter/mod.rs", "pub struct Permit;"),
        ])
    };
    assert!(broken(&files("#[cfg(test)]\nmod tests;")).is_empty());
    let broken = broken(&files("mod tests;"));
    assert_eq!(broken.len(), 1);
    assert!(broken[0].starts_with("queue/tests/world.rs:1: `crate::limiter::Permit` "), "{broken:?}");
}

#[test]
fn what_the_root_defines_itself_is_above_all_modules() {
    let tree = Tree::made_up(&[
        ("lib.rs", "mod queue; pub const VERSION: u8 = 1; pub use other_crate::attribute;"),
        ("queue/mod.rs", "use crate::attribute;\nuse crate::VERSION;\nuse super::*;"),
    ]);
    let expected = [(2, "crate::VERSION"), (3, "super")].map(|(line, path)| {
        format!("queue/mod.rs:{line}: `{path}` imports from lib.rs, which is above all modules")
    });
    assert_eq!(broken(&tree), expected);
}

#[test]
fn files_that_nobody_declares_or_that_are_not_there_are_reported() {
    let tree = Tree::made_up(&[
        (
            "lib.rs",
            "mod queue;\nmod gone;\n#[cfg_attr(any(), path = \"other.rs\")]\nmod choice;\nmod elsewhere;",
        ),
        ("queue/mod.rs", "#[path = \"a/b.rs\"]\nmod b;"),
        ("queue/a/b.rs", ""),
        ("queue/lost.rs", ""),
        ("choice.rs", ""),
        ("other.rs", ""),
        ("elsewhere/mod.rs", ""),
    ]);
    let expected =
        ["lib.rs:2: there is no file for `mod gone`", "queue/lost.rs: no module declares this file"];
    assert_eq!(tree.problems, expected);
    let misplaced = misplaced(&tree);
    let files: Vec<_> = misplaced.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(files, ["choice.rs", "elsewhere/mod.rs", "other.rs"]);
}

#[test]
fn files_of_one_module_that_import_each_other_are_reported_unless_that_is_allowed() {
    let tree = Tree::made_up(&[
        ("lib.rs", "mod queue;"),
        ("queue/mod.rs", "mod a; mod b; mod c; mod d;\npub(crate) use a::A;\npub(crate) use b::B;"),
        ("queue/a.rs", "use super::b::B;\npub(crate) struct A;"),
        ("queue/b.rs", "\nuse super::A;\npub(crate) struct B;"),
        ("queue/c.rs", "use super::{A, B};"),
        ("queue/d.rs", "#[cfg(test)]\nmod tests { use super::super::c; }"),
    ]);
    let found = cycles(&tree, &[]);
    let expected = "2 files import each other in a circle:\n    queue/a.rs:1: `super::b::B` imports from queue/b.rs\n    \
                    queue/b.rs:2: `super::A` imports from queue/a.rs";
    assert_eq!(found, [expected]);
    assert!(cycles(&tree, &[(&["queue/a.rs", "queue/b.rs"], "recursion")]).is_empty());
    assert_eq!(cycles(&tree, &[(&["queue/a.rs", "queue/c.rs"], "recursion")]).len(), 2);
}

#[test]
fn the_layout_is_checked() {
    let asks = "//! Asks.\n// #[cfg(feature = \"redis\")]\n#[cfg(feature = \"redis\")]\nmod a;\n";
    let five = asks.repeat(5);
    let tree = |queue: &str| {
        Tree::made_up(&[
            ("lib.rs", &five),
            ("queue.rs", "mod a;"),
            ("queue/a.rs", "/// No.\n//! Late."),
            ("queue/b/mod.rs", queue),
            ("backend/redis/mod.rs", &five),
        ])
    };
    let tree_of_five = tree(&five);
    assert_eq!(without_docs(&tree_of_five).len(), 2);
    assert_eq!(
        beside_folders(&tree_of_five),
        ["queue.rs: is beside the folder queue/; move it to queue/mod.rs"]
    );
    assert!(redis_conditions(&tree_of_five).is_empty());
    let lines = redis_conditions(&tree(&asks.repeat(6)));
    assert_eq!((lines.len(), lines[0].as_str()), (6, "queue/b/mod.rs:3: #[cfg(feature = \"redis\")]"));
}
