//! Parses the item: is it a function, and how can it wait?
//!
//! The head and the body are kept as tokens and emitted as they are. Only the signature is parsed.
//! So code that is not finished stays the business of rustc and the editor, and every kind of
//! argument works.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, ReturnType, Signature, Type, Visibility};

use crate::arguments::{self, Variable};
use crate::returns::{self, Writable};
use crate::tail;
use crate::tokens::{bare, bare_group, ends, is_punct, regroup};

/// A function that can wait.
pub(crate) struct Function {
    /// Attributes, visibility and signature.
    pub(crate) head: TokenStream,
    pub(crate) body: Group,
    /// Names the call site.
    pub(crate) name: Ident,
    pub(crate) wait: WaitKind,
    /// The return type of the block that waits, as it can be written in that block.
    pub(crate) output: Writable,
    /// True for `-> !`.
    pub(crate) diverges: bool,
    /// The spans of the first and last token of the return type, or of the name if there is no
    /// return type.
    pub(crate) output_span: (Span, Span),
    /// Only for the messages of `check`.
    pub(crate) arguments: TokenStream,
    /// The variables that the arguments bind.
    pub(crate) variables: Vec<Variable>,
    /// `self`, if the function takes it by value.
    pub(crate) taken_self: Option<Ident>,
}

/// Where a function waits, and how.
pub(crate) enum WaitKind {
    /// At the start of the body, with `.await`.
    Async,
    /// At the start of the body, with `.blocking()`.
    Blocking,
    /// At the start of the `async` block at the end of the body, with `.await`.
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
                let message = "`#[rate_limited]` needs a function with a body; put it on the implementation";
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
        let output_span = match &signature.output {
            ReturnType::Default => (signature.ident.span(), signature.ident.span()),
            ReturnType::Type(_, returned) => ends(&returned.to_token_stream()),
        };
        let arguments = signature.inputs.to_token_stream();
        let variables = arguments::variables(&signature.inputs);
        let taken_self = arguments::taken_self(&signature.inputs);
        let returned = match signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, returned) => Some(*returned),
        };
        let (wait, output) = if signature.asyncness.is_some() {
            (WaitKind::Async, returned)
        } else if let Some(output) = returned.as_ref().and_then(returns::future_output) {
            if tail::find(&body).is_none() {
                let message = "`#[rate_limited]` cannot put a wait into this future; make the function an \
                               `async fn`, or end it with `async {}`, `Box::pin(async {})` or \
                               `async {}.boxed()`";
                return Err(Error::new_spanned(&returned, message));
            }
            (WaitKind::Tail, Some(output))
        } else if returned.as_ref().is_some_and(returns::is_stream) {
            let message = "a function that returns a stream would block its thread while it waits; make \
                           it an `async fn` that returns `Result<impl Stream<..>, E>`";
            return Err(Error::new_spanned(&returned, message));
        } else {
            (WaitKind::Blocking, returned)
        };
        let diverges = matches!(output, Some(Type::Never(_)));
        let output = Writable::new(output.unwrap_or_else(|| syn::parse_quote!(())));
        let name = signature.ident;
        Ok(Self { head, body, name, wait, output, diverges, output_span, arguments, variables, taken_self })
    }
}

/// The part of an item that is parsed.
struct Header {
    /// The number of outer attributes.
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

/// Returns the message for an item that is no function.
fn no_function(item: ParseStream<'_>) -> Option<Error> {
    let tokens: TokenStream = item.fork().parse().ok()?;
    if is_closure(&tokens) {
        return Some(Error::new(ends(&tokens).0, CLOSURE));
    }
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
    } else if first == "let" {
        CLOSURE
    } else {
        "`#[rate_limited]` goes on a function"
    };
    Some(Error::new(first.span(), message))
}

const CLOSURE: &str = "`#[rate_limited]` goes on a function; a closure can wait by itself: \
                       `let _permit = CHAT.acquire(&request).await?;`";

/// Returns whether the tokens are a closure. rustc rejects attributes on closures, but expands them
/// first.
pub(crate) fn is_closure(tokens: &TokenStream) -> bool {
    let mut tokens = bare(tokens.clone()).into_iter().skip_while(|token| match token {
        TokenTree::Ident(word) => word == "async" || word == "move" || word == "static",
        _ => false,
    });
    tokens.next().is_some_and(|token| is_punct(&token, '|'))
}

/// Splits off the attributes at the top of the body, such as `#![allow(..)]`. They cannot follow a
/// statement, so they move to the head of the function.
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
