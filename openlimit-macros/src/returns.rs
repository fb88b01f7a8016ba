//! The function's return type: whether it is a future, and how to write it where `impl Trait` may not stand.
//!
//! Futures are recognised by name, since a macro sees no types: `impl Future`, `Box` and `Pin` of a
//! `dyn Future`, and the `BoxFuture`s of the `futures` crate.

use proc_macro2::Span;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{GenericArgument, PathArguments, PathSegment, Token, Type, TypeInfer, TypeParamBound};

/// What the future returns in the end (`_`, if it does not say), if `returned` is a future.
pub(crate) fn future_output(returned: &Type) -> Option<Type> {
    match returned {
        Type::ImplTrait(opaque) => output_of_bounds(&opaque.bounds),
        Type::TraitObject(object) => output_of_bounds(&object.bounds),
        Type::Paren(inner) => future_output(&inner.elem),
        Type::Group(inner) => future_output(&inner.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            match last.ident.to_string().as_str() {
                "Box" | "Pin" => types_of(last).next().and_then(future_output),
                "BoxFuture" | "LocalBoxFuture" => Some(copy(types_of(last).last())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether `returned` is a stream, by the same names.
pub(crate) fn is_stream(returned: &Type) -> bool {
    match returned {
        Type::ImplTrait(opaque) => trait_named("Stream", &opaque.bounds).is_some(),
        Type::TraitObject(object) => trait_named("Stream", &object.bounds).is_some(),
        Type::Paren(inner) => is_stream(&inner.elem),
        Type::Group(inner) => is_stream(&inner.elem),
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| match last.ident.to_string().as_str() {
                "Box" | "Pin" => types_of(last).next().is_some_and(is_stream),
                "BoxStream" | "LocalBoxStream" => true,
                _ => false,
            })
        }
        _ => false,
    }
}

fn output_of_bounds(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<Type> {
    let future = trait_named("Future", bounds)?;
    Some(copy(arguments(future).find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    })))
}

fn trait_named<'a>(name: &str, bounds: &'a Punctuated<TypeParamBound, Token![+]>) -> Option<&'a PathSegment> {
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().filter(|last| last.ident == name),
        _ => None,
    })
}

/// Parses the type again, because syn's own `Clone` would be built for this alone.
fn copy(ty: Option<&Type>) -> Type {
    ty.and_then(|ty| syn::parse2(ty.to_token_stream()).ok()).unwrap_or_else(infer)
}

fn arguments(segment: &PathSegment) -> impl Iterator<Item = &GenericArgument> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten()
}

fn types_of(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    arguments(segment).filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// The type as it may be written inside of a function: what only a signature may say is left to inference.
pub(crate) fn writable(mut ty: Type) -> Type {
    leave_to_inference(&mut ty);
    ty
}

fn leave_to_inference(ty: &mut Type) {
    match ty {
        Type::ImplTrait(_) | Type::Never(_) => *ty = infer(),
        Type::Array(array) => leave_to_inference(&mut array.elem),
        Type::Group(group) => leave_to_inference(&mut group.elem),
        Type::Paren(paren) => leave_to_inference(&mut paren.elem),
        Type::Ptr(pointer) => leave_to_inference(&mut pointer.elem),
        Type::Reference(reference) => leave_to_inference(&mut reference.elem),
        Type::Slice(slice) => leave_to_inference(&mut slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(leave_to_inference),
        Type::Path(path) => path.path.segments.iter_mut().for_each(|segment| {
            if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(argument) = argument {
                        leave_to_inference(argument);
                    }
                }
            }
        }),
        _ => {}
    }
}

/// `_`
fn infer() -> Type {
    Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token: Token![_](Span::mixed_site()) })
}
