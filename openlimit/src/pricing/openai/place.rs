//! `Place`: where a value stands in a request, as far as that decides how it is counted.
//!
//! A place is a rule and not a path: the same list of texts is a place of several requests. The
//! places form families, one for each part of a request, and each family has a file of rules in
//! `grammar`.

use crate::pricing::common::{Plain, plain_place};

/// A place in a request, by family.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The request itself, whose fields are listed in its `Shape`.
    Params,
    Plain(Plain),
    Prompt(PromptPlace),
    Message(MessagePlace),
    Media(MediaPlace),
    Tool(ToolPlace),
    Format(FormatPlace),
}

/// The prompts of a completion, or the inputs of an embedding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PromptPlace {
    /// All prompts or inputs: one, a list of them, or an array of tokens.
    All,
    /// One of several prompts, or a token of the only one.
    One,
    /// A token of one of several prompts.
    Token,
    /// The text after each prompt.
    Suffix,
}

/// The messages of a chat, or the items of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MessagePlace {
    /// All messages. A lone string is one message.
    All,
    One,
    Role,
    Name,
    /// The content of a message: a text, a list of parts, or a part.
    Content,
    /// The tool calls that a message repeats.
    Calls,
    Call,
    /// The function of a call, with what is passed to it.
    Called,
    /// A stored prompt.
    Template,
    /// The values to fill into a stored prompt.
    Variables,
    /// Encrypted content, which the client cannot read.
    Sealed,
    /// A predicted reply.
    Prediction,
}

/// Images, sounds and files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MediaPlace {
    /// A value that counts as this many tokens, however large it is.
    Flat(u64),
    /// An image: its URL, or a map with it.
    Image,
    /// The detail at which the model looks at the image.
    Detail,
    /// The result of a tool: the bytes of an image, as a rule.
    Drawn,
}

/// The tools that the model may call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ToolPlace {
    /// All tools. `begun` is set by the first.
    All {
        begun: bool,
    },
    One,
    Type,
    /// The settings of a tool that the provider runs.
    BuiltIn,
    Function,
    /// A name, which stands before a colon.
    Heading,
    /// The text after a name and a colon: a type or a description.
    Label,
    Parameters,
    /// The properties of an object. `begun` is set by the first.
    Properties {
        begun: bool,
    },
    Property,
    Enum,
    EnumItem,
}

/// The format that the reply must have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormatPlace {
    Settings,
}

impl Place {
    pub(super) const TEXT: Self = Self::Plain(Plain::Text);
}

plain_place!(Place);
