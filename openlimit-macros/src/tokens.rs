//! Helpers for tokens and their spans.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

pub(crate) fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// Removes the invisible delimiters that `macro_rules!` puts around a variable such as `$item`.
pub(crate) fn bare(tokens: TokenStream) -> TokenStream {
    let mut inside = tokens.clone().into_iter();
    match (inside.next(), inside.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => bare(group.stream()),
        _ => tokens,
    }
}

/// Removes them around a single group, such as `$body`.
pub(crate) fn bare_group(token: TokenTree) -> Option<Group> {
    match bare(token.into()).into_iter().next() {
        Some(TokenTree::Group(group)) => Some(group),
        _ => None,
    }
}

/// Returns the group with other contents.
pub(crate) fn regroup(group: &Group, contents: TokenStream) -> Group {
    let mut regrouped = Group::new(group.delimiter(), contents);
    regrouped.set_span(group.span());
    regrouped
}

/// Returns the spans of the first and the last token.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// Returns the span of generated code at a place that the user wrote.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

pub(crate) fn is_word(token: &TokenTree, expected: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == expected)
}

/// Returns whether the name occurs anywhere in the tokens.
pub(crate) fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(other) => other == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}
