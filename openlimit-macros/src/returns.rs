//! Reads the return type: is it a future or a stream, and how is it written where `impl Trait` is
//! not allowed?
//!
//! A macro sees names, not types. So a future is recognised by its name: `impl Future`,
//! `Pin<Box<dyn Future>>`, or `BoxFuture` as in the `futures` crate. Streams likewise.

use std::mem;

use proc_macro2::Span;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{
    GenericArgument, PathArguments, PathSegment, Token, Type, TypeImplTrait, TypeInfer, TypeParamBound,
};

/// Returns the output type of a future, or `None` for any other type. It is `_` if it is not
/// written out.
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
                "BoxFuture" | "LocalBoxFuture" => Some(types_of(last).last().map_or_else(infer, copy)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns whether the type is a stream.
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
    Some(associated_type("Output", future).unwrap_or_else(infer))
}

/// Returns the type in `Trait<name = type>`.
fn associated_type(name: &str, of: &PathSegment) -> Option<Type> {
    arguments(of).find_map(|argument| match argument {
        GenericArgument::AssocType(associated) if associated.ident == name => Some(copy(&associated.ty)),
        _ => None,
    })
}

fn trait_named<'a>(name: &str, bounds: &'a Punctuated<TypeParamBound, Token![+]>) -> Option<&'a PathSegment> {
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().filter(|last| last.ident == name),
        _ => None,
    })
}

/// Copies a type by parsing it again. The `clone-impls` of syn would be compiled for this alone.
fn copy(ty: &Type) -> Type {
    syn::parse2(ty.to_token_stream()).unwrap_or_else(|_| infer())
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

/// A return type as it can be written inside of the function.
pub(crate) struct Writable {
    /// The type. Parts that only a signature may contain are `_`.
    pub(crate) ty: Type,
    /// The first `impl Trait` in it.
    pub(crate) opaque: Option<TypeImplTrait>,
}

impl Writable {
    pub(crate) fn new(mut ty: Type) -> Self {
        let mut opaque = None;
        leave_to_inference(&mut ty, &mut opaque);
        Self { ty, opaque }
    }

    /// Returns the `Item` of an `impl Stream`. It is `_` if it is not written out.
    pub(crate) fn item(&self) -> Type {
        let stream = self.opaque.as_ref().and_then(|opaque| trait_named("Stream", &opaque.bounds));
        let item = stream.and_then(|stream| associated_type("Item", stream));
        item.map_or_else(infer, |item| Self::new(item).ty)
    }
}

fn leave_to_inference(ty: &mut Type, opaque: &mut Option<TypeImplTrait>) {
    match ty {
        Type::ImplTrait(_) | Type::Never(_) => {
            if let Type::ImplTrait(found) = mem::replace(ty, infer()) {
                opaque.get_or_insert(found);
            }
        }
        Type::Array(array) => leave_to_inference(&mut array.elem, opaque),
        Type::Group(group) => leave_to_inference(&mut group.elem, opaque),
        Type::Paren(paren) => leave_to_inference(&mut paren.elem, opaque),
        Type::Ptr(pointer) => leave_to_inference(&mut pointer.elem, opaque),
        Type::Reference(reference) => leave_to_inference(&mut reference.elem, opaque),
        Type::Slice(slice) => leave_to_inference(&mut slice.elem, opaque),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|ty| leave_to_inference(ty, opaque)),
        Type::Path(path) => path.path.segments.iter_mut().for_each(|segment| {
            if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(argument) = argument {
                        leave_to_inference(argument, opaque);
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
