//! `Output` and `Input`: whether a limiter reserves what it has learned.

/// What a call reserves for its output, until its real usage is known. See
/// [`Builder::output`](crate::Builder::output).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// The largest output that the request allows.
    ///
    /// It is right for providers that judge a call by it, such as OpenAI and Azure for many of
    /// their models: they refuse a call whose maximum does not fit, however little it would use.
    #[default]
    Named,
    /// About the mean of what the calls of the same [site](crate::Acquire::site) put out.
    ///
    /// It is right for providers that judge a call by what it uses, such as Anthropic.
    Learned,
}

/// What a call reserves for its prompt, until its real usage is known. See
/// [`Builder::input`](crate::Builder::input).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The tokens that this library counts, or more if the provider was seen to count more.
    #[default]
    Counted,
    /// The tokens that the provider was seen to count, more or fewer.
    Learned,
}
