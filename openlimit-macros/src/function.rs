//! The function as it was written: its head and its body are kept as tokens and emitted untouched. Only the
//! signature is parsed, to learn what kind of function it is; the arguments are never looked at.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, ReturnType, Signature, Type, Visibility};

use crate::returns;

/// A function that can wait for its admission.
pub(crate) struct Function {
    /// Attributes, visibility and signature.
    pub(crate) head: TokenStream,
    pub(crate) body: Group,
    pub(crate) wait: Wait,
    /// What the waiting block returns, as far as that is known and can be written inside of it.
    pub(crate) output: Type,
    /// Whether it never returns: `-> !`.
    pub(crate) diverges: bool,
    /// The first and the last token of the return type, or the function's name if it has none.
    pub(crate) output_span: (Span, Span),
}

/// How and where a function waits.
pub(crate) enum Wait {
    /// At the start of the body, without blocking the thread.
    Async,
    /// At the start of the body, blocking the thread.
    Blocking,
    /// At the start of the `async` block in which the body ends.
    Tail,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self, Error> {
        let Header { attributes, signature } = header.parse2(item.clone())?;
        if let Some(constness) = signature.constness {
            return Err(Error::new(constness.span, "a `const fn` cannot wait for a rate limiter"));
        }
        let mut head: Vec<TokenTree> = bare(item).into_iter().collect();
        let body = match head.pop().map(bare_group) {
            Some(Some(body)) if body.delimiter() == Delimiter::Brace => body,
            _ => {
                let message = "`#[rate_limited]` needs a function body; put it on the implementation";
                return Err(Error::new_spanned(signature.fn_token, message));
            }
        };
        let (inner, rest) = split_inner_attributes(body.stream());
        let body = regroup(&body, rest);
        // Each outer attribute is two tokens: `#` and `[..]`.
        head.splice(2 * attributes..2 * attributes, inner);
        Self::new(head.into_iter().collect(), signature, body)
    }

    fn new(head: TokenStream, signature: Signature, body: Group) -> Result<Self, Error> {
        let output_span = span_of(&signature);
        let returned = match signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, returned) => Some(*returned),
        };
        let (wait, output) = if signature.asyncness.is_some() {
            (Wait::Async, returned)
        } else if let Some(output) = returned.as_ref().and_then(returns::future_output) {
            if in_tail_block(&body, Group::clone).is_none() {
                let message = "this function returns a future that `#[rate_limited]` cannot see into; \
                               make it an `async fn`, or end it with `async {}`, `Box::pin(async {})` or \
                               `async {}.boxed()`";
                return Err(Error::new_spanned(&returned, message));
            }
            (Wait::Tail, Some(output))
        } else {
            (Wait::Blocking, returned)
        };
        let diverges = matches!(output, Some(Type::Never(_)));
        let output = output.map_or_else(|| syn::parse_quote!(()), returns::writable);
        Ok(Self { head, body, wait, output, diverges, output_span })
    }
}

/// What is parsed of an item.
struct Header {
    /// How many outer attributes it has.
    attributes: usize,
    signature: Signature,
}

fn header(input: ParseStream<'_>) -> syn::Result<Header> {
    let attributes = input.call(Attribute::parse_outer)?.len();
    let _: Visibility = input.parse()?;
    let keyword = input.fork();
    match input.parse() {
        Ok(signature) => {
            let _: TokenStream = input.parse()?;
            Ok(Header { attributes, signature })
        }
        Err(error) => Err(no_function(&keyword).unwrap_or(error)),
    }
}

/// What to say of an item that is no function.
fn no_function(item: ParseStream<'_>) -> Option<Error> {
    let tokens: TokenStream = item.fork().parse().ok()?;
    let mut words = tokens.into_iter().map_while(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        // The ABI of an `extern` block.
        TokenTree::Literal(abi) => Some(abi.to_string()),
        _ => None,
    });
    if words.any(|word| word == "fn") {
        return None;
    }
    let block = ["impl", "trait", "mod", "extern", "unsafe"];
    let first = Ident::parse_any(item).ok()?;
    let message = if block.iter().any(|word| first == word) {
        "`#[rate_limited]` goes on each function that it should limit, not on the block around them"
    } else {
        "`#[rate_limited]` goes on a function"
    };
    Some(Error::new(first.span(), message))
}

fn span_of(signature: &Signature) -> (Span, Span) {
    let name = signature.ident.span();
    let ReturnType::Type(_, returned) = &signature.output else { return (name, name) };
    let mut spans = returned.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or(name);
    (first, spans.last().unwrap_or(first))
}

/// Attributes at the top of the body (`#![allow(..)]`) are the function's own; they may not follow a
/// statement, so they are moved to the head.
fn split_inner_attributes(body: TokenStream) -> (Vec<TokenTree>, TokenStream) {
    let mut tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut end = 0;
    while let [hash, bang, _, ..] = &tokens[end..]
        && is_punct(hash, '#')
        && is_punct(bang, '!')
    {
        end += 3;
    }
    let rest = tokens.split_off(end).into_iter().collect();
    tokens.retain(|token| !is_punct(token, '!'));
    (tokens, rest)
}

/// Replaces the `async` block in which `body` ends, if it ends in one: as it is, in `Box::pin(..)`, or before
/// `.boxed()`.
pub(crate) fn in_tail_block(body: &Group, replace: impl FnOnce(&Group) -> Group) -> Option<Group> {
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
        Delimiter::Brace if ends_in_async(&tokens[..at]) => replace(group),
        Delimiter::Parenthesis if at == last && ends_in_box_pin(&tokens[..at]) => {
            in_tail_block(group, replace)?
        }
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

fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// The tokens without the invisible delimiters that `macro_rules!` puts around what it was given (`$item`).
fn bare(tokens: TokenStream) -> TokenStream {
    let mut inside = tokens.clone().into_iter();
    match (inside.next(), inside.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => bare(group.stream()),
        _ => tokens,
    }
}

/// The same for the one group that `token` is (`$body`).
fn bare_group(token: TokenTree) -> Option<Group> {
    match bare(token.into()).into_iter().next() {
        Some(TokenTree::Group(group)) => Some(group),
        _ => None,
    }
}

/// A group with other contents.
fn regroup(group: &Group, contents: TokenStream) -> Group {
    let mut regrouped = Group::new(group.delimiter(), contents);
    regrouped.set_span(group.span());
    regrouped
}
