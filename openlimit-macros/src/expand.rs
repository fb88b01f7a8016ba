//! The expansion: a prologue in front of the function's own, unparsed body.
//!
//! ```text
//! async fn call(request: Request) -> Result<Reply, Error> {
//!     let acquire = ::openlimit::__private::limiter(&(CHAT)).params(&(request));
//!     let permit = match acquire.await {
//!         Ok(permit) => permit,
//!         Err(error) => return ::openlimit::__private::refuse(error),
//!     };
//!     /* the user's tokens */
//! }
//! ```
//!
//! The body is not wrapped into a block, a closure or a second function, because each of them stores the
//! arguments again, captures `self` in some way that somebody's code does not allow, and turns rustc's
//! messages into messages about generated code. The price is read in a statement of its own, so that nothing
//! is borrowed while the call waits. Only `usage` wraps the body, since it has to see what that returns.
//!
//! Generated tokens have the hygiene of `mixed_site` (their locals are invisible to the body, and lints take
//! them for foreign code) and the place of the option that they serve, which is where rustc then points.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Error, Type};

use crate::check::check;
use crate::function::{self, Function, Wait};
use crate::options::{Given, KNOWN, Options, Role};
use crate::tail;
use crate::tokens::{at, ends};

/// Returns the function with its wait, or the item as it was written with an error for each mistake.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut options = Options::parse(options);
    match Function::parse(item.clone()) {
        Ok(function) => {
            check(&function, &mut options);
            match options.take_errors() {
                None => function.limited(&options),
                Some(errors) => function.unlimited(&options, &errors),
            }
        }
        Err(error) => {
            options.mistake(error);
            let errors = options.take_errors().map(Error::into_compile_error);
            if function::is_closure(&item) {
                // In the place of an expression there can be one only.
                quote_spanned!(Span::mixed_site()=> { #errors #item })
            } else {
                quote!(#item #errors)
            }
        }
    }
}

impl Function {
    fn limited(self, options: &Options) -> TokenStream {
        let body = match self.wait {
            Wait::Async | Wait::Blocking => self.with_wait(options, &self.body),
            Wait::Tail => {
                let replaced = tail::replace(&self.body, |block| self.with_wait(options, block));
                replaced.unwrap_or(self.body)
            }
        };
        let head = self.head;
        quote!(#head #body)
    }

    fn unlimited(self, options: &Options, errors: &Error) -> TokenStream {
        let body = braces(&self.body, &completion(options), &self.body.stream());
        let (head, errors) = (self.head, errors.to_compile_error());
        quote!(#head #body #errors)
    }

    /// The block, with the wait in front.
    fn with_wait(&self, options: &Options, block: &Group) -> Group {
        let acquire = acquire(options);
        let waited = match self.wait {
            Wait::Async | Wait::Tail => quote_spanned!(Span::mixed_site()=> __openlimit_acquire.await),
            Wait::Blocking => quote_spanned!(Span::mixed_site()=> __openlimit_acquire.blocking()),
        };
        let permit = options.get("permit").map_or_else(
            || quote_spanned!(Span::mixed_site()=> __openlimit_permit),
            |permit| permit.value.clone(),
        );
        let refusal = self.refusal(options);
        let prologue = quote_spanned! {Span::mixed_site()=>
            let __openlimit_acquire = #acquire;
            let #permit = match #waited {
                ::core::result::Result::Ok(__openlimit_permit) => __openlimit_permit,
                ::core::result::Result::Err(__openlimit_error) => #refusal,
            };
        };
        let body = match options.get("usage") {
            Some(usage) => self.settled(options, usage, block),
            None => block.stream(),
        };
        braces(block, &prologue, &body)
    }

    /// Returns what the function has to return for a refused call.
    fn refusal(&self, options: &Options) -> TokenStream {
        let error = quote_spanned!(Span::mixed_site()=> __openlimit_error);
        if let Some(Given { name, value }) = options.get("on_error") {
            let private = private_path(options, at(name.span()));
            // A function that never returns has nothing to return here either, and clippy would say so.
            let leave = (!self.diverges).then(|| quote_spanned!(at(name.span())=> return));
            let output = &self.output;
            return quote_spanned!(at(name.span())=> #leave #private::#name::<#output>(#error, #value));
        }
        // rustc underlines from the path's first token to its last: the return type, if that is at fault.
        let (first, last) = self.output_span;
        let private = private_path(options, at(first));
        let refuse = Ident::new("refuse", at(last));
        quote_spanned!(at(last)=> return #private::#refuse(#error))
    }

    /// The body, and the settling of the permit by what it returns.
    fn settled(&self, options: &Options, usage: &Given, block: &Group) -> TokenStream {
        let Given { name, value } = usage;
        let private = private_path(options, at(name.span()));
        let output = &self.output;
        let body = match self.wait {
            Wait::Blocking => {
                let body = braces(block, &TokenStream::new(), &block.stream());
                // A closure that may be called once, so that it may give away a part of `&mut self`.
                quote_spanned!(Span::mixed_site()=> #private::run(move || -> #output #body))
            }
            Wait::Async | Wait::Tail => {
                let body = braces(block, &returns_type(output), &block.stream());
                // By value, since a reference to an argument that is not `Sync` is not `Send`.
                quote_spanned!(Span::mixed_site()=> async move #body.await)
            }
        };
        quote_spanned! {Span::mixed_site()=>
            let __openlimit_reply = #body;
            #private::reply(&__openlimit_reply).#name(__openlimit_permit, #value);
            __openlimit_reply
        }
    }
}

/// The acquisition: the limiter, what it prices, and the options of the wait.
fn acquire(options: &Options) -> TokenStream {
    // The limiter is there: its absence is an error of the options.
    let Some(Given { name, value: limiter }) = options.get("limiter") else { return TokenStream::new() };
    let private = private_path(options, at(name.span()));
    let reference = by_reference(limiter);
    let mut chain = quote_spanned!(at(name.span())=> #private::#name #reference);
    for known in KNOWN.iter().filter(|known| known.role != Role::Special) {
        if known.name == "params" && options.get("params").or(options.get("cost")).is_none() {
            chain.extend(quote_spanned!(at(ends(limiter).0)=> .request()));
        }
        if let Some(Given { name, value }) = options.get(known.name) {
            let argument = match known.role {
                Role::Priced => request(options, value),
                Role::Method | Role::Special => quote_spanned!(at(name.span())=> (#value)),
            };
            chain.extend(quote_spanned!(at(name.span())=> .#name #argument));
        }
    }
    chain
}

/// `(request(&(value)).checked())`: the value of `params`, if it is not just text.
///
/// The path and the parentheses count as the user's. Otherwise rustc would point at the whole attribute, and not at the
/// value, when it reports a type that cannot be priced.
fn request(options: &Options, value: &TokenStream) -> TokenStream {
    let (first, last) = ends(value);
    let (private, reference) = (private_path(options, first), by_reference(value));
    let request = Ident::new("request", first);
    let mut end = Group::new(Delimiter::Parenthesis, TokenStream::new());
    end.set_span(last);
    quote_spanned!(at(first)=> (#private::#request #reference.checked #end))
}

/// `(&(value))`, underlined from the value's first token to its last.
fn by_reference(value: &TokenStream) -> TokenStream {
    let (first, last) = ends(value);
    let value = quote_spanned!(at(last)=> (#value));
    quote_spanned!(at(first)=> (&#value))
}

/// A way out of an `async` block that tells rustc what the block returns.
fn returns_type(output: &Type) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        if let ::core::option::Option::Some(__openlimit_reply) = ::core::option::Option::None::<#output> {
            return __openlimit_reply;
        }
    }
}

/// The path of the runtime's side of the macros, at a place of the caller's choice. A `crate = ..` of the user's keeps
/// its own hygiene, which `$crate` needs.
fn private_path(options: &Options, span: Span) -> TokenStream {
    let path = match options.get("crate") {
        Some(path) if !path.value.is_empty() => path
            .value
            .clone()
            .into_iter()
            .map(|mut token: TokenTree| {
                token.set_span(token.span().located_at(span));
                token
            })
            .collect(),
        _ => quote_spanned!(span=> ::openlimit),
    };
    let private = Ident::new("__private", span);
    quote_spanned!(span=> #path::#private)
}

/// Editors complete the names of options from these imports. Only for options that are wrong, as one that is
/// being typed is: code that is right pays nothing.
fn completion(options: &Options) -> TokenStream {
    let seen = options.given.iter().map(|given| &given.name).filter(|name| *name != "crate");
    let private = private_path(options, Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            use #private::options::{#(#seen as _,)*};
        };
    }
}

/// The block again, with something in front of its contents.
///
/// Its braces count as generated: with braces of the user's, lints would blame the user for our statements in
/// front of theirs.
fn braces(block: &Group, front: &TokenStream, contents: &TokenStream) -> Group {
    let mut braces = Group::new(block.delimiter(), quote!(#front #contents));
    braces.set_span(at(block.span()));
    braces
}
