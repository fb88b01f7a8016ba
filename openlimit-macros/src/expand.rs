//! Emits the function with a wait in front of its body.
//!
//! ```text
//! async fn call(request: Request) -> Result<Reply, Error> {
//!     let acquire = limiter(&(CHAT)).params(request(&(request)).checked());
//!     let permit = match acquire.await {
//!         Ok(permit) => permit,
//!         Err(error) => return refuse(error),
//!     };
//!     /* the user's tokens */
//! }
//! ```
//!
//! `limiter`, `refuse` and the `request` that is called are functions of `openlimit::__private`. In
//! the real expansion, the names of locals begin with `__openlimit_`.
//!
//! The body is neither parsed nor wrapped. A block, a closure or a second function around it would
//! store the arguments twice, capture `self` in a way that some code does not allow, and turn
//! rustc's messages about the body into messages about generated code. Only the options that need
//! the value that the body returns wrap it: see `outcome`.
//!
//! The price is read in a statement of its own, so nothing is borrowed while the call waits.
//!
//! Generated tokens have the hygiene of `mixed_site`: the body cannot see their locals, and lints
//! treat them as foreign code. They have the place of the option that they come from, so that rustc
//! points there.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Error, Expr};

use crate::check::check;
use crate::function::{self, Function, WaitKind};
use crate::options::{Given, KNOWN, Options, Role};
use crate::outcome::{self, Outcome};
use crate::tail;
use crate::tokens::{at, ends};

/// Returns the function with its wait, or the item as it was written with an error for each
/// mistake.
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
                // A closure is an expression, and must be replaced by one expression.
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
            WaitKind::Async | WaitKind::Blocking => self.with_wait(options, &self.body),
            WaitKind::Tail => {
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

    /// Puts the wait in front of the block.
    fn with_wait(&self, options: &Options, block: &Group) -> Group {
        let acquire = acquire(options, &self.name);
        let waited = match self.wait {
            WaitKind::Async | WaitKind::Tail => {
                quote_spanned!(Span::mixed_site()=> __openlimit_acquire.await)
            }
            WaitKind::Blocking => quote_spanned!(Span::mixed_site()=> __openlimit_acquire.blocking()),
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
        match outcome::body(self, options, block) {
            None => braces(block, &prologue, &block.stream()),
            Some(Outcome::Once(body)) => braces(block, &prologue, &body),
            Some(Outcome::Again { before, attempt }) => {
                let attempts = quote_spanned!(Span::mixed_site()=> #before loop { #prologue #attempt });
                braces(block, &TokenStream::new(), &attempts)
            }
        }
    }

    /// Emits the way out of the function for a refused call.
    fn refusal(&self, options: &Options) -> TokenStream {
        let error = quote_spanned!(Span::mixed_site()=> __openlimit_error);
        if let Some(Given { name, value }) = options.get("on_error") {
            let private = private_path(options, at(name.span()));
            // In a function that never returns, clippy rejects the `return`.
            let leave = (!self.diverges).then(|| quote_spanned!(at(name.span())=> return));
            let output = &self.output.ty;
            return quote_spanned!(at(name.span())=> #leave #private::#name::<#output>(#error, #value));
        }
        // rustc underlines the path, from its first token to its last. So give it the place of the
        // return type.
        let (first, last) = self.output_span;
        let private = private_path(options, at(first));
        let refuse = Ident::new("refuse", at(last));
        quote_spanned!(at(last)=> return #private::#refuse(#error))
    }
}

/// Emits the pending acquisition: the limiter, then a method call for each option. If requests are
/// priced, the function is their call site.
fn acquire(options: &Options, function: &Ident) -> TokenStream {
    // Never missing here: that would have been an error.
    let Some(Given { name, value: limiter }) = options.get("limiter") else { return TokenStream::new() };
    let private = private_path(options, at(name.span()));
    let mut chain = match several(limiter) {
        Some(limiters) => {
            let limiters = limiters.iter().map(by_reference);
            let stack = Ident::new("stack", name.span());
            quote_spanned!(at(name.span())=> #private::#stack((#(#limiters,)*)))
        }
        None => {
            let reference = by_reference(limiter);
            quote_spanned!(at(name.span())=> #private::#name #reference)
        }
    };
    for known in KNOWN.iter().filter(|known| matches!(known.role, Role::Method | Role::Priced)) {
        if known.name == "params" && options.get("params").or(options.get("cost")).is_none() {
            chain.extend(quote_spanned!(at(ends(limiter).0)=> .request()));
        }
        if let Some(Given { name, value }) = options.get(known.name) {
            let argument = match known.role {
                Role::Priced => request(options, value),
                _ => quote_spanned!(at(name.span())=> (#value)),
            };
            chain.extend(quote_spanned!(at(name.span())=> .#name #argument));
            if known.role == Role::Priced {
                chain.extend(site(function));
            }
        }
    }
    chain
}

/// Returns the limiters of a tuple.
fn several(limiter: &TokenStream) -> Option<Vec<TokenStream>> {
    let Ok(Expr::Tuple(limiters)) = syn::parse2(limiter.clone()) else { return None };
    Some(limiters.elems.into_iter().map(ToTokens::into_token_stream).collect())
}

/// Emits `.site(..)` with a name that no other function of the program has.
fn site(function: &Ident) -> TokenStream {
    let name = format!("::{}:", function.unraw());
    quote_spanned! {Span::mixed_site()=>
        .site(::core::concat!(::core::module_path!(), #name, ::core::line!()))
    }
}

/// Emits `(request(&(value)).checked())`, which rejects a value that is only text.
///
/// The path and the last parentheses have the user's spans. With generated spans, rustc would
/// underline the whole attribute, and not the value, when it cannot be priced.
fn request(options: &Options, value: &TokenStream) -> TokenStream {
    let (first, last) = ends(value);
    let (private, reference) = (private_path(options, first), by_reference(value));
    let request = Ident::new("request", first);
    let mut end = Group::new(Delimiter::Parenthesis, TokenStream::new());
    end.set_span(last);
    quote_spanned!(at(first)=> (#private::#request #reference.checked #end))
}

/// Emits `(&(value))`. rustc underlines it from the first token of the value to the last.
fn by_reference(value: &TokenStream) -> TokenStream {
    let (first, last) = ends(value);
    let value = quote_spanned!(at(last)=> (#value));
    quote_spanned!(at(first)=> (&#value))
}

/// Emits the path of what expansions may name. A `crate = ..` of the user keeps its hygiene, which
/// `$crate` needs.
pub(crate) fn private_path(options: &Options, span: Span) -> TokenStream {
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

/// Emits imports from which editors complete the names of options. An option that is still being
/// typed is a mistake, so only mistakes get them, and correct code costs nothing.
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

/// Returns the block with something in front of its contents.
///
/// The braces get a generated span. With the user's, lints would report our statements as the
/// user's.
pub(crate) fn braces(block: &Group, front: &TokenStream, contents: &TokenStream) -> Group {
    let mut braces = Group::new(block.delimiter(), quote!(#front #contents));
    braces.set_span(at(block.span()));
    braces
}
