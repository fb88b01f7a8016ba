//! `Place`: where a value stands in a request, as far as that decides how it is counted.

use crate::pricing::common::{Plain, plain_place};

/// A place in a request. A block has a number, by which the parts of its file find each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The request itself.
    Params,
    Plain(Plain),
    /// Encrypted content, which the client cannot read.
    Sealed,
    Messages,
    Message,
    /// The content of a message or of a block: a text, a list of blocks, or a block.
    Content,
    Block(u32),
    /// The type of a block.
    BlockType(u32),
    /// The source of an image or a document, or of a search result.
    Source(u32),
    /// The bytes of a file, or its text.
    Data(u32),
    /// A name of a file that the client does not have.
    Remote(u32),
    Tools,
    Tool,
    /// The type of a tool.
    ToolType,
    ToolChoice,
    /// The type of the choice.
    Choice,
    /// The settings of the reply.
    Output,
    /// The format of the reply.
    Format,
}

impl Place {
    pub(super) const TEXT: Self = Self::Plain(Plain::Text);
}

plain_place!(Place);
