//! The second reading of a request, which counts what the model gets to read.
//!
//! A grammar here is a set of places and rules. [`Place`](super::place::Place) names the places
//! where a value can stand, and [`Rules`](rules::Rules) say for each place what a value there adds
//! and where its parts stand.
//!
//! # The rules
//!
//! Three decide about a field:
//!
//! 1. Content that the model reads is counted.
//! 2. Content that only the API reads (ids, types, log probabilities) is skipped.
//! 3. Unknown content counts as its text. An estimate that is too high wastes a little of the
//!    limit. One that is too low breaks it.
//!
//! Images, sounds and files have prices of their own, and their bytes are never counted as text.
//!
//! # An example
//!
//! The request
//!
//! ```json
//! { "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi", "name": "bob" }] }
//! ```
//!
//! is read from `Place::Params` on:
//!
//! | value | place | adds |
//! | --- | --- | --- |
//! | the request | `Params` | 3 for the start of the reply |
//! | `"gpt-4o"` | none: only the API reads it | 0 |
//! | the list | `Message(All)` | 0 |
//! | the map | `Message(One)` | 3 for its frame, and 1 for a role |
//! | `"user"` | `Message(Role)` | 1 for the text, and -1, since the role is named |
//! | `"Hi"` | `Message(Content)` | 1 |
//! | `"bob"` | `Message(Name)` | 1 for the text, and 1 for a name |
//!
//! The sum is 10 tokens, as the cookbook's formula says: `3 + (3 + 1 + 1 + 1 + 1)`.
//!
//! # The files
//!
//! `rules` has the defaults, `prompts`, `messages`, `media`, `tools` and `formats` the rules of one
//! family of places each. A field that OpenAI adds is a line in one of them. `reader` picks the
//! family of a place.

mod formats;
mod media;
mod messages;
mod prompts;
mod reader;
mod rules;
mod tools;

pub(crate) use self::reader::PromptReader;
