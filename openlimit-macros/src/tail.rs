//! Finds the `async` block at the end of a body.
//!
//! A function that is not `async` but returns a future must end in such a block, and the call waits
//! in it. The body is searched from its end, token by token, because its expressions are never
//! parsed.

use proc_macro2::{Delimiter, Group, TokenTree};

use crate::tokens::{is_punct, regroup};

/// Returns the block, if the body ends in one.
pub(crate) fn find(body: &Group) -> Option<Group> {
    let mut found = None;
    replace(body, |block| found.insert(block.clone()).clone())?;
    found
}

/// Replaces the block, if the body ends in one: `async {}`, `Box::pin(async {})` or `async
/// {}.boxed()`.
pub(crate) fn replace(body: &Group, with: impl FnOnce(&Group) -> Group) -> Option<Group> {
    let mut tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let last = tokens.len().checked_sub(1)?;
    let at = match &tokens[last] {
        comma if is_punct(comma, ',') => last.checked_sub(1)?,
        TokenTree::Group(call) if call.stream().is_empty() && ends_in_boxed(&tokens[..last]) => {
            last.checked_sub(3)?
        }
        _ => last,
    };
    let TokenTree::Group(group) = &tokens[at] else { return None };
    let replaced = match group.delimiter() {
        Delimiter::Brace if ends_in_async(&tokens[..at]) => with(group),
        Delimiter::Parenthesis if at == last && ends_in_box_pin(&tokens[..at]) => replace(group, with)?,
        _ => return None,
    };
    tokens[at] = replaced.into();
    Some(regroup(body, tokens.into_iter().collect()))
}

fn ends_in_async(tokens: &[TokenTree]) -> bool {
    match tokens {
        [.., TokenTree::Ident(word)] if word == "async" => true,
        [.., TokenTree::Ident(before), TokenTree::Ident(word)] => before == "async" && word == "move",
        _ => false,
    }
}

fn ends_in_boxed(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [.., dot, TokenTree::Ident(method)]
        if is_punct(dot, '.') && (method == "boxed" || method == "boxed_local"))
}

fn ends_in_box_pin(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [.., TokenTree::Ident(ty), first, second, TokenTree::Ident(method)]
        if ty == "Box" && is_punct(first, ':') && is_punct(second, ':') && method == "pin")
}
