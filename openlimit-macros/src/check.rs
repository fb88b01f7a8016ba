//! Finds mistakes that need both the options and the function.
//!
//! rustc finds these mistakes too. But it finds them in the expansion, and can only say there that
//! some name does not exist.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{Error, Expr, UnOp};

use crate::function::{Function, WaitKind};
use crate::options::{Given, Options};
use crate::tokens::{is_punct, is_word, mentions};
use crate::{stream, tail};

/// Adds the mistakes to those in the options.
pub(crate) fn check(function: &Function, options: &mut Options) {
    let closures = [("usage", "reply"), ("refused", "error"), ("on_error", "error")];
    let mut errors: Vec<Error> =
        closures.iter().filter_map(|(name, input)| no_closure(function, options.get(name)?, input)).collect();
    errors.extend(unpacked_later(function, options));
    errors.extend(taken_by_the_first_attempt(function, options));
    errors.extend(stream::without_result(function, options));
    for error in errors {
        options.mistake(error);
    }
}

/// Returns an error if the value cannot be a closure or a function, as in `usage = reply.total`.
fn no_closure(function: &Function, Given { name, value }: &Given, input: &str) -> Option<Error> {
    let value: Expr = syn::parse2(value.clone()).ok()?;
    let kind = kind_of(&value);
    let input = match &kind {
        Kind::Callable => return None,
        Kind::Plain(root) => root.as_ref().map_or_else(|| input.to_owned(), Ident::to_string),
        // An argument can have a closure in a field. The block at the end of the body can also use
        // locals.
        Kind::PartOf(root)
            if matches!(function.wait, WaitKind::Tail) || mentions(&function.arguments, root) =>
        {
            return None;
        }
        Kind::PartOf(root) => root.to_string(),
    };
    Some(Error::new_spanned(value, format!("`{name}` takes a closure: `{name} = |{input}| ..`")))
}

/// The kinds of value that the shape of an expression allows.
enum Kind {
    /// It may be a closure or a function.
    Callable,
    /// It is neither. Holds the variable that it starts with, if any.
    Plain(Option<Ident>),
    /// It is a field of this variable, or the result of one of its methods.
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

/// Returns the variable that a chain of fields and methods starts with. A name in upper case is a
/// static, not a variable.
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

/// Returns an error if an option uses a name from a pattern in an argument under `#[async_trait]`.
///
/// `#[async_trait]` turns the argument `(a, b): Pair` into `__arg1: Pair`, and binds `a` and `b` in
/// the block that waits. The wait comes first in that block.
fn unpacked_later(function: &Function, options: &Options) -> Option<Error> {
    if !matches!(function.wait, WaitKind::Tail) {
        return None;
    }
    let names = names_of_patterns(tail::find(&function.body)?.stream());
    let values = ["limiter", "params", "cost", "timeout", "deadline", "priority"];
    let values = values.iter().filter_map(|name| options.get(name));
    let mut used = values.flat_map(|given| variables(given.value.clone()));
    let name = used.find(|name| names.contains(name))?;
    let message = format!(
        "`{name}` does not exist yet, because `#[async_trait]` unpacks patterns after the wait; give the \
         argument a name, and use that here"
    );
    Some(Error::new(name.span(), message))
}

/// Returns the variables that `let (a, b) = { .. __arg1 .. };` binds.
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

/// Returns all names, apart from those of fields, methods and modules.
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

/// Returns an error if `retry` would need `self` again, after the first attempt has taken it.
fn taken_by_the_first_attempt(function: &Function, options: &Options) -> Option<Error> {
    options.get("retry")?;
    let taken = function.taken_self.as_ref().filter(|taken| mentions(&function.body.stream(), taken))?;
    let message = "`retry` calls the body again, but the first attempt takes `self`; take `&self`";
    Some(Error::new(taken.span(), message))
}
