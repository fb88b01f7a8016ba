//! What rustc says about mistakes with the macros: one mistake a file, named as the mistake.
//!
//! They stand here rather than with the other tests, since whatever their package needs is built once more for
//! them, and that of the tests needs much more.
//!
//! The words are partly rustc's own and change with it, so they are compared under one version only.

#[rustversion::attr(not(stable(1.95)), ignore = "the expected messages are those of rustc 1.95")]
#[test]
fn every_mistake_has_a_good_message() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/attribute/*.rs");
    cases.compile_fail("tests/ui/limiter/*.rs");
}
