//! `__mistake!`: reports an error at one token of `limiter!`.
//!
//! `limiter!` is a `macro_rules!` macro, and a `compile_error!` of such a macro underlines the
//! whole declaration. A procedural macro can point at the wrong token. It can also suggest the
//! nearest key.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitStr, Token};

use crate::nearest;

/// Expands `at TOKEN, "message"`, or `key TOKEN, KEYS`, to an error at the token.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    mistake.parse2(input).unwrap_or_else(|error| error).into_compile_error()
}

fn mistake(input: ParseStream<'_>) -> syn::Result<Error> {
    let what = input.call(Ident::parse_any)?;
    let token: TokenTree = input.parse()?;
    let _: Token![,] = input.parse()?;
    let message = if what == "key" {
        let mut keys = Vec::new();
        while !input.is_empty() {
            keys.push(input.call(Ident::parse_any)?.to_string());
        }
        unknown_key(&token.to_string(), &keys)
    } else {
        input.parse::<LitStr>()?.value()
    };
    Ok(Error::new(span_of(&token), message))
}

/// Returns the message for an unknown key. Other libraries have `requests_per_minute`, where ours
/// is `requests`.
fn unknown_key(name: &str, keys: &[String]) -> String {
    let keys = || keys.iter().map(String::as_str);
    if let Some((amount, unit)) = name.split_once("_per_")
        && let Some(meant) = keys().find(|key| *key == amount).or_else(|| nearest::nearest(amount, keys()))
    {
        let unit = if ["second", "minute", "hour", "day", "month"].contains(&unit) { unit } else { "minute" };
        return format!("unknown key `{name}`; did you mean `{meant}: 200 / {unit}`?");
    }
    nearest::unknown("key", name, keys())
}

/// Returns the place of a token. `macro_rules!` wraps `$value` in invisible delimiters, which have
/// no place.
fn span_of(token: &TokenTree) -> Span {
    match token {
        TokenTree::Group(group) => {
            group.stream().into_iter().next().map_or(group.span(), |first| span_of(&first))
        }
        token => token.span(),
    }
}
