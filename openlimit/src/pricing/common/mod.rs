//! The parts that all grammars share.
//!
//! | file | contains |
//! | --- | --- |
//! | `tally` | `Tally`: the tokens that were counted so far |
//! | `plain` | `Plain`: values that count as their text, because no rule names them |
//! | `fields` | `Fields`: the fields of a kind of request, as tables |
//! | `in_hand` | `InHand`: the file that is being read, whose facts come in any order |
//! | `outline` | `Outline`: the first reading, which finds the model and the numbers |
//! | `unknown` | `UnknownReader`: lists the fields that no rule names |
//! | `grammar` | `Grammar`: what a provider's folder implements, and the price that follows |
//!
//! A file imports only from files above it.

mod fields;
mod grammar;
mod in_hand;
mod outline;
mod plain;
mod tally;
mod unknown;

pub(super) use self::fields::{CAMEL, Fields, First, camel_case};
pub(super) use self::grammar::{Grammar, price, unknown_fields};
pub(super) use self::in_hand::InHand;
pub(super) use self::outline::Outline;
pub(super) use self::plain::{IsUnknown, Plain, plain_place};
pub(super) use self::tally::{Length, Prices, Tally, Total};
