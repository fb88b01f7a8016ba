//! `At`: the places of a request, for the grammar by which it is counted.
//!
//! A place says how what stands there is read, not where that is: the same list of texts is a place of several requests.

/// A place in a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Params,
    /// What is read as it stands.
    Text,
    /// What nobody told us of: counted as its text, keys included.
    Unknown,
    /// What has one price, however large it is.
    Flat(u64),
    /// An image: its URL, or a map with it; and how closely it is looked at.
    Image,
    Detail,
    /// What a tool made: an image's bytes, as a rule.
    Drawn,
    /// What the client itself cannot read.
    Sealed,

    /// The prompts of a completion or the inputs of an embedding: one, a list of them, or a token array.
    Prompts,
    /// One of several, or a token of the only one.
    Prompt,
    /// A token of one of several.
    Token,
    /// What follows each prompt.
    Suffix,

    /// Messages or items; a lone string is one too.
    Messages,
    Message,
    Role,
    Name,
    /// What a message says: a text, a list of parts, or a part.
    Content,
    /// The tools that a message calls, one of them, and what is passed to it.
    Calls,
    Call,
    Called,
    /// A stored prompt, and what is filled into it.
    Template,
    Variables,

    /// The tools that may be called; `begun` once there is one.
    Tools {
        begun: bool,
    },
    Tool,
    ToolType,
    /// The settings of a tool that the provider brings.
    BuiltIn,
    Function,
    /// A name before a colon.
    Heading,
    /// What follows a name and a colon: a type, a description.
    Label,
    Parameters,
    /// The properties of an object; `begun` once there is one.
    Properties {
        begun: bool,
    },
    Property,
    Enum,
    EnumItem,

    /// The form that the reply is to have.
    Format,
    /// What the model gets as JSON.
    Schema,
}

impl At {
    /// Where there is no rule for a field, but maybe a name that is given to text alone: code, the output of a program,
    /// what was searched for and found, the thoughts of a model. However it looks, such is no file.
    pub(super) fn unknown(key: &str) -> Self {
        match key {
            "text" | "content" | "code" | "diff" | "logs" | "stdout" | "stderr" | "queries"
            | "description" | "reasoning" | "reasoning_content" | "thinking" => Self::Text,
            _ => Self::Unknown,
        }
    }
}
