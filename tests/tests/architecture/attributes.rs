//! The attributes that decide where a module is and whether it is for tests only.

use super::lexer::{Kind, Token};

/// The relevant attributes before an item.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) is_test: bool,
    pub(crate) other_file: Option<(String, bool)>,
}

/// Returns true if an attribute is `cfg` and asks for `test`, alone or among others.
pub(crate) fn is_test_only(attribute: &[Token]) -> bool {
    let [_, cfg, open, predicate @ ..] = attribute else { return false };
    cfg.is("cfg") && open.is_sign("(") && asks_for_test(predicate)
}

fn asks_for_test(predicate: &[Token]) -> bool {
    match predicate {
        [first, ..] if first.is("test") => true,
        [first, _, inside @ ..] if first.is("all") => arguments(inside).into_iter().any(asks_for_test),
        [first, _, inside @ ..] if first.is("any") => arguments(inside).into_iter().all(asks_for_test),
        _ => false,
    }
}

/// Splits at the commas up to the closing bracket.
fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut start, mut arguments) = (0_usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") && depth > 0 {
            depth -= 1;
        } else if depth == 0 && (token.is_sign(",") || token.is_sign(")")) {
            if at > start {
                arguments.push(&tokens[start..at]);
            }
            start = at + 1;
            if token.is_sign(")") {
                break;
            }
        }
    }
    arguments
}

/// Returns the file of `path = ".."`, and whether `cfg_attr` makes it conditional.
pub(crate) fn other_file(attribute: &[Token]) -> Option<(String, bool)> {
    let is_conditional = attribute.get(1).is_some_and(|token| token.is("cfg_attr"));
    let at = attribute.windows(2).position(|pair| pair[0].is("path") && pair[1].is_sign("="))?;
    let file = attribute.get(at + 2).filter(|token| token.kind == Kind::Literal)?;
    Some((file.text.clone(), is_conditional))
}
