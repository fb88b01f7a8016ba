//! Compares the compiler's messages for mistakes with the macros. Each file has one mistake, and
//! its name.
//!
//! These tests have a package of their own, because trybuild builds the dependencies of the package
//! again, and the package of tests has many more.
//!
//! Parts of the messages are rustc's own and change with its version, so one version is compared.

#[rustversion::attr(not(stable(1.95)), ignore = "the expected messages are those of rustc 1.95")]
#[test]
fn every_mistake_has_a_good_message() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/attribute/*.rs");
    cases.compile_fail("tests/ui/limiter/*.rs");
}
