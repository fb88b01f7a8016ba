//! Emits the move of the permit into the stream that the body returns: the option `stream`.
//!
//! A stream behind `impl Stream` gets another type, and a boxed one keeps it. No alias can hide an
//! `impl`, so the signature tells the two apart. Everything else is decided by type. The item type
//! of an `impl Stream` helps rustc to infer what the body leaves open, as in `stream.map(Ok)`.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::{Error, Type};

use crate::expand::private_path;
use crate::function::Function;
use crate::options::{Given, Options};
use crate::tokens::at;

/// Emits the return value with the permit in it, and the verdict on a call that failed. `refused`
/// is the closure that judges the error of the function.
pub(crate) fn streamed(
    function: &Function,
    options: &Options,
    Given { name, .. }: &Given,
    refused: Option<TokenStream>,
) -> TokenStream {
    let span = at(name.span());
    let private = private_path(options, span);
    let kind = if function.output.opaque.is_some() { "opaque" } else { "boxed" };
    let kind = Ident::new(kind, span);
    let item = function.output.item();
    let refused = refused.unwrap_or_else(|| quote_spanned!(span=> #private::kept));
    let observe = match options.get("feedback") {
        Some(_) => {
            quote_spanned!(span=> |__openlimit_error| #private::failed(__openlimit_error).observed())
        }
        None => quote_spanned!(span=> #private::unobserved),
    };
    quote_spanned! {span=>
        #private::returned(&__openlimit_reply).streamed(
            __openlimit_permit,
            __openlimit_reply,
            |__openlimit_permit, __openlimit_reply| {
                #private::#kind(__openlimit_permit, __openlimit_reply, |__openlimit_tap, __openlimit_item: &#item| {
                    #private::item(__openlimit_item).show(
                        __openlimit_tap,
                        |__openlimit_tap, __openlimit_event| {
                            #private::event(__openlimit_event).read(__openlimit_tap)
                        },
                        #observe,
                    )
                })
            },
            #refused,
        )
    }
}

/// Returns an error for a function that returns nothing but an `impl Stream`.
///
/// Its type is that of the stream with the permit. For a refused call, no closure of `on_error` can
/// make a value of that type.
pub(crate) fn without_result(function: &Function, options: &Options) -> Option<Error> {
    let stream = options.get("stream").filter(|_| matches!(function.output.ty, Type::Infer(_)))?;
    let message = "with `stream`, a refused call has no `impl Stream` to return; return `Result<impl \
                   Stream<..>, E>`, or a boxed stream and `on_error`";
    Some(Error::new(stream.name.span(), message))
}
