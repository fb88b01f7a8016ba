//! Mistakes that show only when the options and the function are read together.
//!
//! rustc finds them too, but in the expansion, and can only say that it cannot find some name.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{Error, Expr, UnOp};

use crate::function::{Function, Wait};
use crate::options::{Given, Options};
use crate::tail;
use crate::tokens::{is_punct, is_word};

/// Adds the mistakes to those of the options.
pub(crate) fn check(function: &Function, options: &mut Options) {
    let closures = [("usage", "reply"), ("on_error", "error")];
    let mut errors: Vec<Error> =
        closures.iter().filter_map(|(name, input)| no_closure(function, options.get(name)?, input)).collect();
    errors.extend(unpacked_later(function, options));
    for error in errors {
        options.mistake(error);
    }
}

/// Returns an error for a value that cannot be a closure or a function: `usage = reply.total`.
fn no_closure(function: &Function, Given { name, value }: &Given, input: &str) -> Option<Error> {
    let value: Expr = syn::parse2(value.clone()).ok()?;
    let kind = kind_of(&value);
    let input = match &kind {
        Kind::Callable => return None,
        Kind::Plain(root) => root.as_ref().map_or_else(|| input.to_owned(), Ident::to_string),
        // It can be a closure in a field of an argument. In a block at the end, any local may be meant.
        Kind::PartOf(root) if matches!(function.wait, Wait::Tail) || mentions(&function.arguments, root) => {
            return None;
        }
        Kind::PartOf(root) => root.to_string(),
    };
    Some(Error::new_spanned(value, format!("`{name}` takes a closure: `{name} = |{input}| ..`")))
}

enum Kind {
    /// It can be called, as far as its shape says.
    Callable,
    /// It cannot be called. With the name that it starts with, if it starts with one.
    Plain(Option<Ident>),
    /// A field of a variable of this name, or what a method of it returns.
    PartOf(Ident),
}

fn kind_of(value: &Expr) -> Kind {
    match value {
        Expr::Paren(inner) => kind_of(&inner.expr),
        Expr::Group(inner) => kind_of(&inner.expr),
        Expr::Reference(inner) => kind_of(&inner.expr),
        Expr::Field(field) => part_of(&field.base),
        Expr::MethodCall(call) => part_of(&call.receiver),
        Expr::Index(index) => part_of(&index.expr),
        Expr::Try(inner) => part_of(&inner.expr),
        Expr::Binary(binary) => Kind::Plain(root_of(&binary.left)),
        Expr::Cast(cast) => Kind::Plain(root_of(&cast.expr)),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_) | UnOp::Not(_)) => {
            Kind::Plain(root_of(&unary.expr))
        }
        Expr::Lit(_) | Expr::Tuple(_) | Expr::Array(_) | Expr::Range(_) | Expr::Repeat(_) => {
            Kind::Plain(None)
        }
        _ => Kind::Callable,
    }
}

fn part_of(whole: &Expr) -> Kind {
    root_of(whole).map_or(Kind::Callable, Kind::PartOf)
}

/// The variable that a chain of fields and methods starts from. Statics are not variables, by their upper case.
fn root_of(value: &Expr) -> Option<Ident> {
    match value {
        Expr::Paren(inner) => root_of(&inner.expr),
        Expr::Group(inner) => root_of(&inner.expr),
        Expr::Reference(inner) => root_of(&inner.expr),
        Expr::Field(field) => root_of(&field.base),
        Expr::MethodCall(call) => root_of(&call.receiver),
        Expr::Index(index) => root_of(&index.expr),
        Expr::Try(inner) => root_of(&inner.expr),
        Expr::Path(path) => {
            let name = path.path.get_ident()?;
            let is_variable =
                name != "self" && name.to_string().starts_with(|first: char| first.is_lowercase());
            is_variable.then(|| name.clone())
        }
        _ => None,
    }
}

/// Returns an error for a name from an argument's pattern under `#[async_trait]`. That turns `(a, b): Pair` into
/// `__arg1: Pair`, and binds `a` and `b` in the block that waits.
fn unpacked_later(function: &Function, options: &Options) -> Option<Error> {
    if !matches!(function.wait, Wait::Tail) {
        return None;
    }
    let names = names_of_patterns(tail::find(&function.body)?.stream());
    let values = ["limiter", "params", "cost", "timeout"].iter().filter_map(|name| options.get(name));
    let mut used = values.flat_map(|given| variables(given.value.clone()));
    let name = used.find(|name| names.contains(name))?;
    let message = format!(
        "`#[async_trait]` binds `{name}` after the wait, because it is part of a pattern; give the whole argument a \
         name, and use that name here"
    );
    Some(Error::new(name.span(), message))
}

/// The variables in the patterns of `let (a, b) = { .. __arg1 .. };`.
fn names_of_patterns(block: TokenStream) -> Vec<Ident> {
    let mut names = Vec::new();
    let mut tokens = block.into_iter();
    while tokens.by_ref().any(|token| is_word(&token, "let")) {
        let pattern: TokenStream = tokens.by_ref().take_while(|token| !is_punct(token, '=')).collect();
        let value: TokenStream = tokens.by_ref().take_while(|token| !is_punct(token, ';')).collect();
        if variables(value).iter().any(|name| name.to_string().starts_with("__arg")) {
            names.extend(variables(pattern));
        }
    }
    names
}

/// All names but those of fields, methods and modules.
fn variables(tokens: TokenStream) -> Vec<Ident> {
    let mut names = Vec::new();
    let mut after_dot = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let before_colon = tokens.peek().is_some_and(|next| is_punct(next, ':'));
        match &token {
            TokenTree::Ident(name) if !after_dot && !before_colon => names.push(name.clone()),
            TokenTree::Group(group) => names.extend(variables(group.stream())),
            _ => {}
        }
        after_dot = is_punct(&token, '.');
    }
    names
}

fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(other) => other == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}
