//! The function's return type: whether it is a future, and how to write it where `impl Trait` may not stand.
//!
//! Futures are recognised by name, since a macro sees no types: `impl Future`, `Box` and `Pin` of a
//! `dyn Future`, and the `BoxFuture`s of the `futures` crate.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::{GenericArgument, PathArguments, PathSegment, Token, Type, TypeInfer, TypeParamBound};

/// What a future returns in the end: `Some(None)` for a future that does not say.
pub(crate) fn future_output(returned: &Type) -> Option<Option<&Type>> {
    match returned {
        Type::ImplTrait(opaque) => output_of_bounds(&opaque.bounds),
        Type::TraitObject(object) => output_of_bounds(&object.bounds),
        Type::Paren(inner) => future_output(&inner.elem),
        Type::Group(inner) => future_output(&inner.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            match last.ident.to_string().as_str() {
                "Box" | "Pin" => types_of(last).next().and_then(future_output),
                "BoxFuture" | "LocalBoxFuture" => Some(types_of(last).last()),
                _ => None,
            }
        }
        _ => None,
    }
}

fn output_of_bounds(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<Option<&Type>> {
    let future = bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().filter(|last| last.ident == "Future"),
        _ => None,
    })?;
    Some(arguments(future).find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    }))
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

/// The type as it may be written inside of a function: every `impl Trait` left to inference.
pub(crate) fn without_impl_trait(mut ty: Type) -> Type {
    leave_out_impl_trait(&mut ty);
    ty
}

fn leave_out_impl_trait(ty: &mut Type) {
    match ty {
        Type::ImplTrait(_) => *ty = infer(),
        Type::Array(array) => leave_out_impl_trait(&mut array.elem),
        Type::Group(group) => leave_out_impl_trait(&mut group.elem),
        Type::Paren(paren) => leave_out_impl_trait(&mut paren.elem),
        Type::Ptr(pointer) => leave_out_impl_trait(&mut pointer.elem),
        Type::Reference(reference) => leave_out_impl_trait(&mut reference.elem),
        Type::Slice(slice) => leave_out_impl_trait(&mut slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(leave_out_impl_trait),
        Type::Path(path) => path.path.segments.iter_mut().for_each(|segment| {
            if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(argument) = argument {
                        leave_out_impl_trait(argument);
                    }
                }
            }
        }),
        _ => {}
    }
}

/// `_`
pub(crate) fn infer() -> Type {
    Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token: Token![_](Span::mixed_site()) })
}
