//! Tests of the source tree itself: its import order, its layout, and the versions of Rust that its
//! dependencies need.
//!
//! They read `openlimit/src` as text. `order` documents the rules and lists the exceptions.

mod attributes;
mod commands;
mod contributing;
mod cycles;
mod layout;
mod lexer;
mod made_up;
mod module;
mod order;
mod reader;
mod resolve;
mod rules;
mod tree;
mod versions;
