//! Parses the options of the attribute, and reports mistakes in them.
//!
//! A value is kept as the tokens that the user wrote, so that rustc checks it and points at it. All
//! mistakes are collected, so that one run of the compiler shows them all.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Path, Token};

use crate::nearest;

/// An option that exists. A plain option needs an entry in [`KNOWN`] and a method, and nothing
/// else.
pub(crate) struct KnownOption {
    pub(crate) name: &'static str,
    /// An example of a value, for messages.
    example: &'static str,
    pub(crate) role: Role,
}

/// The use of an option's value.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// The argument of the method with the option's name.
    Method,
    /// The same, by reference, after a check that it is a request.
    Priced,
    /// Has its own place in the expansion.
    Special,
    /// The same, without a value.
    Flag,
}

/// All options, in the order in which their methods are called. `options.rs` of `openlimit` lists
/// them for editors.
pub(crate) const KNOWN: &[KnownOption] = &[
    KnownOption { name: "limiter", example: "CHAT", role: Role::Special },
    KnownOption { name: "params", example: "request", role: Role::Priced },
    KnownOption { name: "cost", example: "900", role: Role::Method },
    KnownOption { name: "timeout", example: "Duration::from_secs(30)", role: Role::Method },
    KnownOption { name: "deadline", example: "deadline", role: Role::Method },
    KnownOption { name: "priority", example: "Priority::High", role: Role::Method },
    KnownOption { name: "on_error", example: "|error| Reply::refused(error)", role: Role::Special },
    KnownOption { name: "usage", example: "|reply| reply.total_tokens", role: Role::Special },
    KnownOption { name: "feedback", example: "", role: Role::Flag },
    KnownOption { name: "refused", example: "|error| error.to_observation()", role: Role::Special },
    KnownOption { name: "retry", example: "3", role: Role::Special },
    KnownOption { name: "stream", example: "", role: Role::Flag },
    KnownOption { name: "permit", example: "permit", role: Role::Special },
    KnownOption { name: "crate", example: "openlimit", role: Role::Special },
];

/// Pairs of options that cannot be combined, and the message for each.
const EXCLUSIVE: [(&str, &str, &str); 7] = [
    ("params", "cost", "`params` and `cost` both say what the call takes; keep one"),
    ("timeout", "deadline", "`timeout` and `deadline` both say how long the call may wait; keep one"),
    ("usage", "permit", "`usage` settles the permit, and `permit` leaves that to the body; keep one"),
    ("feedback", "permit", "`feedback` settles the permit, and `permit` leaves that to the body; keep one"),
    ("refused", "permit", "`refused` uses up the permit, and `permit` leaves that to the body; keep one"),
    (
        "stream",
        "permit",
        "`stream` moves the permit into the stream, and `permit` leaves that to the body; keep one",
    ),
    (
        "stream",
        "usage",
        "`stream` settles the call by what the stream states, so it takes no `usage`; keep one",
    ),
];

/// True if `openlimit` has what the expansion of `stream` names. Tests only look at the expansion.
const HAS_STREAM: bool = cfg!(any(feature = "stream", test));

/// `name = value`.
pub(crate) struct Given {
    pub(crate) name: Ident,
    pub(crate) value: TokenStream,
}

/// The options as written, including misspelt ones.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) given: Vec<Given>,
    errors: Option<Error>,
}

impl Options {
    /// Parses all options. A mistake does not stop it.
    pub(crate) fn parse(tokens: TokenStream) -> Self {
        let mut options = Self::default();
        let read = |input: ParseStream<'_>| {
            options.read(input);
            Ok(())
        };
        if let Err(error) = read.parse2(tokens) {
            options.mistake(error);
        }
        options.check();
        options
    }

    /// Returns the option with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    /// Returns all mistakes.
    pub(crate) fn take_errors(&mut self) -> Option<Error> {
        self.errors.take()
    }

    /// Adds a mistake.
    pub(crate) fn mistake(&mut self, error: Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            errors => *errors = Some(error),
        }
    }

    fn read(&mut self, input: ParseStream<'_>) {
        while !input.is_empty() {
            match option(input) {
                Ok(given) => self.given.push(given),
                Err(Mistake { error, seen }) => {
                    self.mistake(error);
                    self.given.extend(seen.map(|name| Given { name, value: TokenStream::new() }));
                    skip_to_comma(input);
                }
            }
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                self.mistake(input.error("expected a comma between two options"));
                // If this is an option, go on with it. Anything else has just been reported.
                if !input.peek(syn::Ident::peek_any) || !input.peek2(Token![=]) {
                    skip_to_comma(input);
                    let _: Option<Token![,]> = input.parse().ok();
                }
            }
        }
    }

    /// Returns the error of an option that needs a feature.
    fn without_feature(&self, has_stream: bool) -> Option<Error> {
        let stream = self.get("stream").filter(|_| !has_stream)?;
        let message = "to use `stream`, enable the feature `stream` of openlimit: `cargo add openlimit --features \
                       stream`";
        Some(Error::new(stream.name.span(), message))
    }

    fn check(&mut self) {
        let mut errors = Vec::new();
        for (at, Given { name, .. }) in self.given.iter().enumerate() {
            let before = &self.given[..at];
            if before.iter().any(|given| given.name == *name) && is_known(name) {
                let several = if name == "limiter" { SEVERAL } else { "" };
                errors.push(Error::new(name.span(), format!("`{name}` is given twice{several}")));
            }
            for (one, other, message) in EXCLUSIVE {
                let rival = if name == one { other } else { one };
                if (name == one || name == other) && before.iter().any(|given| given.name == rival) {
                    errors.push(Error::new(name.span(), message));
                }
            }
        }
        if let Some(retry) = self.get("retry")
            && self.get("feedback").or(self.get("refused")).is_none()
        {
            let message = "`retry` needs `feedback`, or `refused = |error| ..`: they tell whether the provider \
                           refused the call";
            errors.push(Error::new(retry.name.span(), message));
        }
        errors.extend(self.without_feature(HAS_STREAM));
        // Any other mistake may be in the limiter.
        if errors.is_empty() && self.errors.is_none() && self.get("limiter").is_none() {
            let message = "name the limiter to wait for: `#[rate_limited(limiter = CHAT)]`";
            errors.push(Error::new(Span::call_site(), message));
        }
        for error in errors {
            self.mistake(error);
        }
    }
}

/// A mistake, with the option's name if it has one.
struct Mistake {
    error: Error,
    seen: Option<Ident>,
}

fn option(input: ParseStream<'_>) -> Result<Given, Mistake> {
    if !input.peek(syn::Ident::peek_any) {
        let nameless = Expr::parse_without_eager_brace(&input.fork()).is_ok();
        let message = if nameless { NAMELESS } else { "expected an option, such as `limiter = CHAT`" };
        return Err(Mistake { error: input.error(message), seen: None });
    }
    let start = input.fork();
    let name = Ident::parse_any(input).map_err(|error| Mistake { error, seen: None })?;
    let assigned = input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>]);
    let ends = input.is_empty() || input.peek(Token![,]);
    let error = match KNOWN.iter().find(|known| name == known.name) {
        Some(KnownOption { role: Role::Flag, .. }) if ends => {
            return Ok(Given { name, value: TokenStream::new() });
        }
        Some(KnownOption { role: Role::Flag, .. }) => {
            Error::new(name.span(), format!("`{name}` takes no value: write `{name}` alone"))
        }
        Some(known) if assigned => match value(&name, known, input) {
            Ok(value) => return Ok(Given { name, value }),
            Err(error) => error,
        },
        Some(known) if ends => expected_value(name.span(), known),
        // `crate::CHAT` is a path, not an option.
        Some(known) if !input.peek(Token![::]) => {
            let message = format!("expected `=`, as in `{} = {}`", known.name, known.example);
            input.error(message)
        }
        None if assigned || is_near(&name) => unknown(&name),
        _ => start.error(NAMELESS),
    };
    Err(Mistake { error, seen: Some(name) })
}

const NAMELESS: &str = "name the option: `limiter = CHAT`";

fn value(name: &Ident, known: &KnownOption, input: ParseStream<'_>) -> syn::Result<TokenStream> {
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(expected_value(name.span(), known));
    }
    match known.name {
        "permit" => {
            let mutable: Option<Token![mut]> = input.parse()?;
            let message = "`permit` takes a name: `permit = permit`, or `permit = mut permit`";
            let binding: Ident = input.parse().map_err(|error| Error::new(error.span(), message))?;
            Ok(quote::quote!(#mutable #binding))
        }
        "crate" => {
            let message = "`crate` takes the path of the openlimit crate: `crate = ::openlimit`";
            let path = input.call(Path::parse_mod_style);
            Ok(path.map_err(|error| Error::new(error.span(), message))?.into_token_stream())
        }
        _ => match input.parse::<Expr>() {
            Ok(value @ Expr::Array(_)) if known.name == "limiter" => {
                Err(Error::new_spanned(value, format!("`limiter` takes no array{SEVERAL}")))
            }
            Ok(Expr::Tuple(limiters))
                if known.name == "limiter" && !(2..5).contains(&limiters.elems.len()) =>
            {
                Err(Error::new_spanned(limiters, "`limiter` takes one limiter, or a tuple of two to four"))
            }
            Ok(value) => Ok(value.into_token_stream()),
            // The error of syn would underline the whole attribute.
            Err(_) if input.is_empty() => {
                Err(Error::new(name.span(), format!("the value of `{name}` is incomplete")))
            }
            Err(error) => Err(error),
        },
    }
}

/// The advice for several limiters.
const SEVERAL: &str = "; to wait for several, write a tuple: `limiter = (TENANT, ACCOUNT)`";

fn expected_value(span: Span, known: &KnownOption) -> Error {
    Error::new(span, format!("expected a value: `{} = {}`", known.name, known.example))
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Option<proc_macro2::TokenTree> = input.parse().ok();
    }
}

fn is_known(name: &Ident) -> bool {
    KNOWN.iter().any(|known| name == known.name)
}

fn is_near(name: &Ident) -> bool {
    meant(&name.to_string()).is_some()
}

fn unknown(name: &Ident) -> Error {
    let name_text = name.to_string();
    let message = match meant(&name_text) {
        Some(meant) => format!("unknown option `{name}`; did you mean `{meant}`?"),
        None => nearest::unknown("option", &name_text, KNOWN.iter().map(|known| known.name)),
    };
    Error::new(name.span(), message)
}

/// Returns the option that was probably meant.
fn meant(name: &str) -> Option<&'static str> {
    if name == "tokens" {
        return Some("cost");
    }
    nearest::nearest(name, KNOWN.iter().map(|known| known.name))
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::{KNOWN, Options};

    // A file in `tests/ui` cannot show it, because the examples in the docs need the feature.
    #[test]
    fn the_option_stream_says_which_feature_it_needs() {
        let of = |options| Options::parse(options).without_feature(false).map(|error| error.to_string());
        let message = "to use `stream`, enable the feature `stream` of openlimit: `cargo add openlimit --features \
                       stream`";
        assert_eq!(of(quote!(limiter = CHAT, stream)).as_deref(), Some(message));
        assert_eq!(of(quote!(limiter = CHAT)), None);
        assert!(Options::parse(quote!(limiter = CHAT, stream)).without_feature(true).is_none());
    }

    #[test]
    fn editors_know_every_option() {
        let source = include_str!("../../openlimit/src/macros/options.rs");
        let completed = source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(" {}"));
        let known = KNOWN.iter().map(|known| known.name).filter(|name| *name != "crate");
        assert!(completed.eq(known), "`KNOWN` and `openlimit/src/macros/options.rs` differ");
    }
}
