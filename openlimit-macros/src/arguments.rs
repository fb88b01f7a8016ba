//! Finds the variables that the arguments of a function bind.
//!
//! `retry` runs the body several times, so each attempt gets its own copies of them.

use proc_macro2::Ident;
use syn::punctuated::Punctuated;
use syn::{FnArg, Pat, ReceiverKind, Token, Type};

/// A variable that an argument binds.
pub(crate) struct Variable {
    pub(crate) name: Ident,
    /// True for `mut name`.
    pub(crate) is_mutable: bool,
    /// True for `name: &mut T`, which can be lent again, but not copied.
    pub(crate) is_lent: bool,
}

/// Returns the variables, in the order in which they are written, without `self`.
pub(crate) fn variables(arguments: &Punctuated<FnArg, Token![,]>) -> Vec<Variable> {
    let mut variables = Vec::new();
    for argument in arguments {
        if let FnArg::Typed(argument) = argument {
            let is_lent = matches!(&*argument.ty, Type::Reference(of) if of.mutability.is_some());
            bound_by(&argument.pat, is_lent, &mut variables);
        }
    }
    variables
}

/// Returns `self` if the function takes it by value. A later attempt could not use it any more.
pub(crate) fn taken_self(arguments: &Punctuated<FnArg, Token![,]>) -> Option<Ident> {
    let Some(FnArg::Receiver(receiver)) = arguments.first() else { return None };
    let is_taken = match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, of) => !matches!(&**of, Type::Reference(_)),
        _ => false,
    };
    is_taken.then(|| Ident::new("self", receiver.self_token.span))
}

fn bound_by(pattern: &Pat, is_lent: bool, variables: &mut Vec<Variable>) {
    match pattern {
        Pat::Ident(bound) => {
            let (name, is_mutable) = (bound.ident.clone(), bound.mutability.is_some());
            variables.push(Variable { name, is_mutable, is_lent });
            if let Some((_, inner)) = &bound.subpat {
                bound_by(inner, false, variables);
            }
        }
        Pat::Paren(inner) => bound_by(&inner.pat, is_lent, variables),
        Pat::Reference(inner) => bound_by(&inner.pat, false, variables),
        Pat::Type(inner) => bound_by(&inner.pat, false, variables),
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|pattern| bound_by(pattern, false, variables)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|pattern| bound_by(pattern, false, variables)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|pattern| bound_by(pattern, false, variables)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| bound_by(&field.pat, false, variables)),
        _ => {}
    }
}
