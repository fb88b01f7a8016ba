//! The keys that say what a request costs in tokens: how its texts are counted, and what it
//! reserves for its output.

use super::Builder;
use crate::learning::{Input, Output};
use crate::pricing::tokens::Charge;
use crate::tokenizer::{Plugged, Tokenizer};

impl<K, Keys> Builder<K, Keys> {
    /// Sets the output tokens to reserve for a request that names no maximum. Default: 16, which
    /// OpenAI itself appears to reserve.
    ///
    /// A `MessagesRateLimiter` and a `GenerateContentRateLimiter` reserve it for each request, plus
    /// its thinking budget, and at most the maximum that it names. The reason is that Anthropic and
    /// Gemini count the output that there was, and not the maximum. Their default is 500, a long
    /// answer. To reserve the whole maximum, as Bedrock does, give `u64::MAX`.
    pub fn default_output(mut self, tokens: u64) -> Self {
        self.options.pricing.default_output = Some(tokens);
        self
    }

    /// Sets the model of requests that name none, because the API has it in the path: Gemini's, and
    /// Azure's. Default: a new model of the provider.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.options.pricing.model = Some(name.into());
        self
    }

    /// Sets the factor by which the tokens of texts are multiplied, from 0.01 to 100. Default: the
    /// [`factor`](crate::tokens::factor) of each request's model, or 1 with a
    /// [`tokenizer`](Self::tokenizer).
    ///
    /// For a model whose tokenizer is not public, divide the input tokens that the provider reports
    /// by the limiter's own count, over requests like yours.
    pub fn input_factor(mut self, factor: f64) -> Self {
        self.options.pricing.input_factor = Some(factor);
        self
    }

    /// Sets what a request reserves for its output, until its real usage is known. Default:
    /// [`Output::Named`], the largest output that the request allows.
    ///
    /// What a call does not use is given back when it is [settled](crate::Permit::settle), but what
    /// has leaked by then is lost. A program whose calls take 5 s and name ten times the tokens
    /// that they use reaches 12 % of its limit with the default burst. With
    /// [`Output::Learned`] it reaches 80 %, and calls reserve about the mean of what earlier calls
    /// of the same [site](crate::Acquire::site) put out.
    ///
    /// | | |
    /// | --- | --- |
    /// | OpenAI, Azure | `Named`, the default: many of their models refuse by the named maximum |
    /// | Anthropic (`output_tokens`) | `Learned`: output counts as it is written |
    /// | others that settle when a call ends | `Learned` |
    ///
    /// It learns from each call that is settled, and applies from the 20th call of a site on. It
    /// reserves the mean plus two standard errors for the calls of one burst, and never more than
    /// the maximum that the request names. So it covers all calls in flight together, and not each
    /// of them: what they use may exceed the limit for a moment, in a simulation by at most 0.5 s
    /// of the rate. Later calls wait for it. Waiting calls follow what is learned meanwhile.
    ///
    /// A cost that a program gives outright is reserved as it is. With
    /// [`Charge::OpenAi`](crate::Charge) the cost in tokens stays the named one, too.
    ///
    /// ```
    /// use openlimit::{ChatRateLimiter, Output, limiter};
    ///
    /// limiter! {
    ///     static CHAT: ChatRateLimiter = {
    ///         requests: 1_000 / minute,
    ///         output_tokens: 80_000 / minute,
    ///         output: Output::Learned,
    ///     };
    /// }
    /// # CHAT.init().unwrap();
    /// ```
    pub fn output(mut self, output: Output) -> Self {
        self.options.output = output;
        self
    }

    /// Sets what a request reserves for its prompt, until its real usage is known. Default:
    /// [`Input::Counted`], what this library counts, or more.
    ///
    /// A provider may count a prompt in another way. If the usage of settled calls or the message
    /// of a refusal shows that it counts more, later calls of the same [site](crate::Acquire::site)
    /// reserve more from then on, by the ratio of the two counts (16 at most).
    ///
    /// With [`Input::Learned`], a ratio below one applies as well, from the 20th call of a site on.
    /// That is right if the provider's limit counts what its usage says. For example, Anthropic
    /// does not count input that its cache has served. OpenAI does.
    ///
    /// A cost that a program gives outright is reserved as it is. With
    /// [`Charge::OpenAi`](crate::Charge) the cost in tokens stays as it is counted.
    pub fn input(mut self, input: Input) -> Self {
        self.options.input = input;
        self
    }

    /// Sets the [`Tokenizer`](crate::tokens::Tokenizer) that counts the texts of requests. Default:
    /// this library's own counter, with the [`Encoding`](crate::tokens::Encoding) of each request's
    /// model.
    pub fn tokenizer(mut self, tokenizer: impl Tokenizer + 'static) -> Self {
        self.options.pricing.tokenizer = Some(Plugged::new(tokenizer));
        self
    }

    /// Sets what a request takes of a limit on `tokens` before its usage is known. Default:
    /// [`Charge::Sum`](crate::Charge), the prompt plus the largest output.
    pub fn admission(mut self, charge: Charge) -> Self {
        self.options.pricing.charge = charge;
        self
    }
}
