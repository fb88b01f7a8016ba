//! `Place`: where a value stands in a request, as far as that decides how it is counted.

use crate::pricing::common::{Plain, plain_place};

/// A place in a request. A part has a number, by which the facts about its file find each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The request itself.
    Params,
    Plain(Plain),
    /// Encrypted content, which the client cannot read.
    Sealed,
    Contents,
    /// A content: a map with its parts, or a text.
    Content,
    Parts,
    Part(u32),
    /// A file: its type, and its bytes or its name.
    Blob(u32),
    MimeType(u32),
    Data(u32),
    Uri(u32),
    /// The resolution of a file: a name, or a map with it.
    Resolution(u32),
    /// The part of a video that is read.
    Video(u32),
    Start(u32),
    End(u32),
    Frames(u32),
    /// A call of a function.
    Call,
    /// The result of a call.
    Response,
    Tools,
    Tool,
    Functions,
    Function,
    /// The settings of the reply.
    Generation,
}

impl Place {
    pub(super) const TEXT: Self = Self::Plain(Plain::Text);
    pub(super) const JSON: Self = Self::Plain(Plain::Json);
}

plain_place!(Place);
