//! Emits what happens after the body: its value settles the permit, says that the provider refused
//! the call, and may lead to another attempt.
//!
//! Only these options need the value that the body returns, so only they wrap the body:
//!
//! ```text
//! let mut retries = retries(3);
//! loop {
//!     /* the wait */
//!     let reply = {
//!         let request = again(&request);
//!         async { let request = request; /* the user's tokens */ }.await
//!     };
//!     let verdict = reply(&reply).judged(permit, found, |permit, error| ..);
//!     if !retries.again(verdict) {
//!         break reply;
//!     }
//! }
//! ```
//!
//! Without `retry`, there is no loop, and the body gets the arguments themselves. With `stream`,
//! the permit moves into the reply: see `stream`.

use proc_macro2::{Group, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use crate::arguments::Variable;
use crate::expand::{braces, private_path};
use crate::function::{Function, WaitKind};
use crate::options::{Given, Options};
use crate::stream;
use crate::tokens::{at, mentions};

/// The body of a function whose value is looked at.
pub(crate) enum Outcome {
    /// Runs once.
    Once(TokenStream),
    /// Runs in a loop, after the statements of `before`. The wait is part of the loop.
    Again { before: TokenStream, attempt: TokenStream },
}

/// Emits the body and what follows it. Returns `None` if no option needs its value.
pub(crate) fn body(function: &Function, options: &Options, block: &Group) -> Option<Outcome> {
    let End { option, with_verdict, alone } = end(function, options)?;
    let private = private_path(options, at(option.name.span()));
    let Some(Given { name, value }) = options.get("retry") else {
        let body = once(function, &private, block);
        return Some(Outcome::Once(quote_spanned! {Span::mixed_site()=>
            let __openlimit_reply = #body;
            #alone
            __openlimit_reply
        }));
    };
    let body = again(function, options, &private, block);
    let retries = private_path(options, at(name.span()));
    let before = quote_spanned!(at(name.span())=> let mut __openlimit_retries = #retries::retries(#value););
    let attempt = quote_spanned! {Span::mixed_site()=>
        let __openlimit_reply = #body;
        #with_verdict
        if !__openlimit_retries.again(__openlimit_verdict) {
            break __openlimit_reply;
        }
    };
    Some(Outcome::Again { before, attempt })
}

/// What happens to the value of the body.
struct End<'a> {
    /// The option that asks for it.
    option: &'a Given,
    /// The statement that uses up the permit.
    alone: TokenStream,
    /// The same, if the verdict is needed.
    with_verdict: TokenStream,
}

fn end<'a>(function: &Function, options: &'a Options) -> Option<End<'a>> {
    if let Some(option) = options.get("stream") {
        let streamed = stream::streamed(function, options, option, refused(options));
        return Some(End {
            option,
            alone: quote_spanned!(Span::mixed_site()=> let (__openlimit_reply, _) = #streamed;),
            with_verdict: quote_spanned! {Span::mixed_site()=>
                let (__openlimit_reply, __openlimit_verdict) = #streamed;
            },
        });
    }
    let (option, settled) = settled(options)?;
    let span = at(option.name.span());
    let private = private_path(options, span);
    // Of the option's place, or else rustc reports a reply that cannot be read twice.
    let settled = quote_spanned!(span=> #private::reply(&__openlimit_reply)#settled;);
    let with_verdict = quote_spanned!(span=> let __openlimit_verdict = #settled);
    Some(End { option, alone: settled, with_verdict })
}

/// Emits the method call that settles the permit. Returns also the option that asks for it.
fn settled(options: &Options) -> Option<(&Given, TokenStream)> {
    let (usage, feedback) = (options.get("usage"), options.get("feedback"));
    let Some(refused) = refused(options) else {
        let Given { name, value } = usage?;
        return Some((usage?, quote_spanned!(at(name.span())=> .#name(__openlimit_permit, #value))));
    };
    let judge = feedback.or(options.get("refused"))?;
    let span = at(judge.name.span());
    let private = private_path(options, span);
    let found = match (usage, feedback) {
        (Some(usage), _) => usage.value.clone(),
        (None, Some(_)) => quote_spanned!(span=> #private::found),
        (None, None) => quote_spanned!(span=> #private::unknown),
    };
    Some((judge, quote_spanned!(span=> .judged(__openlimit_permit, #found, #refused))))
}

/// Emits a closure that finds out whether the provider refused the call. Returns `None` if no
/// option asks for it.
fn refused(options: &Options) -> Option<TokenStream> {
    let refused = options.get("refused");
    let span = at(options.get("feedback").or(refused)?.name.span());
    let private = private_path(options, span);
    let judged = match refused {
        Some(Given { name, value }) => {
            let private = private_path(options, at(name.span()));
            quote_spanned!(at(name.span())=> #private::#name(__openlimit_permit, __openlimit_error, #value))
        }
        None => quote_spanned!(span=> #private::failed(__openlimit_error).judged(__openlimit_permit)),
    };
    Some(quote_spanned!(span=> |__openlimit_permit, __openlimit_error| #judged))
}

/// Emits the value of a body that runs once.
fn once(function: &Function, private: &TokenStream, block: &Group) -> TokenStream {
    let output = &function.output.ty;
    match function.wait {
        WaitKind::Blocking => {
            let body = braces(block, &TokenStream::new(), &block.stream());
            // Passed to a function that takes `FnOnce`, so that it can return a borrow of `&mut
            // self`.
            quote_spanned!(Span::mixed_site()=> #private::run(move || -> #output #body))
        }
        WaitKind::Async | WaitKind::Tail => {
            let body = braces(block, &returns_type(output), &block.stream());
            // `move`, because a reference to an argument that is not `Sync` would not be `Send`.
            quote_spanned!(Span::mixed_site()=> async move #body.await)
        }
    }
}

/// Emits the value of a body that may run again, with copies of the arguments.
///
/// Only the copies move into the body. Not everything may: `self` is needed for the next attempt.
fn again(function: &Function, options: &Options, private: &TokenStream, block: &Group) -> TokenStream {
    let used = || function.variables.iter().filter(|variable| mentions(&block.stream(), &variable.name));
    let copies = used().map(|Variable { name, is_mutable, is_lent }| {
        let span = at(name.span());
        let private = private_path(options, span);
        match (is_lent, is_mutable) {
            (true, _) => quote_spanned!(span=> let #name = &mut *#name;),
            // So that rustc does not call the `mut` of the argument unused.
            (false, true) => quote_spanned!(span=> let #name = #private::again(&mut #name);),
            (false, false) => quote_spanned!(span=> let #name = #private::again(&#name);),
        }
    });
    let moves = used().map(|Variable { name, is_mutable, .. }| {
        let span = at(name.span());
        let mutable = is_mutable.then(|| quote_spanned!(span=> mut));
        quote_spanned!(span=> let #mutable #name = #name;)
    });
    let moves = quote!(#(#moves)*);
    let output = &function.output.ty;
    let value = match function.wait {
        WaitKind::Blocking => {
            let body = braces(block, &moves, &block.stream());
            quote_spanned!(Span::mixed_site()=> #private::run(|| -> #output #body))
        }
        WaitKind::Async | WaitKind::Tail => {
            let returns = returns_type(output);
            let body = braces(block, &quote!(#returns #moves), &block.stream());
            quote_spanned!(Span::mixed_site()=> async #body.await)
        }
    };
    quote_spanned!(Span::mixed_site()=> { #(#copies)* #value })
}

/// Emits a `return` that never runs. It tells rustc the return type of an `async` block.
fn returns_type(output: &Type) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        if let ::core::option::Option::Some(__openlimit_reply) = ::core::option::Option::None::<#output> {
            return __openlimit_reply;
        }
    }
}
