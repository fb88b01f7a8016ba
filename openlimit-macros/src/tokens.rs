//! Small questions about tokens, and their places.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

pub(crate) fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// The tokens without the invisible delimiters that `macro_rules!` puts around what it was given (`$item`).
pub(crate) fn bare(tokens: TokenStream) -> TokenStream {
    let mut inside = tokens.clone().into_iter();
    match (inside.next(), inside.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => bare(group.stream()),
        _ => tokens,
    }
}

/// The same for the one group that `token` is (`$body`).
pub(crate) fn bare_group(token: TokenTree) -> Option<Group> {
    match bare(token.into()).into_iter().next() {
        Some(TokenTree::Group(group)) => Some(group),
        _ => None,
    }
}

/// A group with other contents.
pub(crate) fn regroup(group: &Group, contents: TokenStream) -> Group {
    let mut regrouped = Group::new(group.delimiter(), contents);
    regrouped.set_span(group.span());
    regrouped
}

/// The places of the first and of the last token.
pub(crate) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// Generated, at the place of something that the user wrote.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// Whether the token is this word.
pub(crate) fn is_word(token: &TokenTree, expected: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == expected)
}
