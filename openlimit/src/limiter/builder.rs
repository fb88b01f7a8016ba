//! `Builder`: the options of a limiter.
//!
//! The setters accept any value and never fail, so that `limiter!` can call them in any order.
//! `build` checks all options together.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Burst, Overflow, Waiting};
use crate::admission::OnWait;
use crate::backend::Choice;
use crate::bucket::LONGEST_PERIOD;
use crate::learning::{Input, Output};
use crate::limits::{Budget, Concurrency, Counting, Dimension, Limit, Name, Percent, Priority, Rate};
use crate::pricing::PriceOptions;
use crate::time::Time;

/// Builds a [`Limiter`](crate::Limiter). Each option is also a key of [`limiter!`](crate::limiter).
///
/// A limiter needs at least one limit or a [concurrency](Self::concurrency), unless it
/// [discovers](Self::discover) its limits. Giving a
/// dimension again adds a limit to it, for example one per day beside one per minute. All other
/// options have defaults.
///
/// `K` is how calls are priced. `Keys` is [`Single`], or [`PerKey`](crate::PerKey) for a
/// [limiter for each key](Self::keyed).
///
/// ```
/// use openlimit::{Percent, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder()
///     .requests(Rate::per_minute(200))
///     .requests(Rate::per_day(10_000))
///     .tokens(Rate::per_minute(40_000))
///     .burst(Duration::from_secs(10))
///     .headroom(Percent(5))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<K, Keys = Single> {
    /// The name that the user gave.
    pub(super) name: Option<Name>,
    /// The name if the user gave none: the path of the declaration.
    pub(super) path: Name,
    pub(super) limits: Vec<Limit>,
    pub(super) burst: Option<Burst>,
    pub(super) jitter: Duration,
    pub(super) headroom: Option<Percent>,
    pub(super) counting: Counting,
    pub(super) refunds: bool,
    pub(super) max_hold: Duration,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) reserve: Option<(Priority, Percent)>,
    pub(super) max_waiting: Option<usize>,
    pub(super) overflow: Option<Overflow>,
    pub(super) on_wait: Option<OnWait>,
    pub(super) output: Output,
    pub(super) input: Input,
    pub(super) adopt_limits: bool,
    pub(super) discover: bool,
    pub(super) pricing: PriceOptions,
    pub(super) time: Option<Time>,
    pub(super) backend: Choice,
    keys: Keys,
    kind: PhantomData<fn() -> K>,
}

/// Marks the builder of a single limiter, beside that of one for each key. See
/// [`Builder::keyed`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Single;

/// Longer than the windows of most limits, and short beside a day that a wrong header would cost.
const DEFAULT_MAX_HOLD: Duration = Duration::from_secs(600);

impl<K, Keys: Default> Builder<K, Keys> {
    /// Creates a builder with the defaults. `path` is the name if the user gives none.
    pub(super) fn named(path: &'static str) -> Self {
        Self {
            name: None,
            path: path.into(),
            limits: Vec::new(),
            burst: None,
            jitter: DEFAULT_JITTER,
            headroom: None,
            counting: Counting::default(),
            refunds: true,
            max_hold: DEFAULT_MAX_HOLD,
            concurrency: None,
            reserve: None,
            max_waiting: None,
            overflow: None,
            on_wait: None,
            output: Output::default(),
            input: Input::default(),
            adopt_limits: false,
            discover: false,
            pricing: PriceOptions::default(),
            time: None,
            backend: Choice::default(),
            keys: Keys::default(),
            kind: PhantomData,
        }
    }
}

impl<K, Keys> Builder<K, Keys> {
    /// Returns the builder of another kind, with other options of keys, and the ones that it had.
    pub(super) fn replace_keys<Kind, Others>(self, others: Others) -> (Builder<Kind, Others>, Keys) {
        let builder = Builder {
            name: self.name,
            path: self.path,
            limits: self.limits,
            burst: self.burst,
            jitter: self.jitter,
            headroom: self.headroom,
            counting: self.counting,
            refunds: self.refunds,
            max_hold: self.max_hold,
            reserve: self.reserve,
            max_waiting: self.max_waiting,
            overflow: self.overflow,
            on_wait: self.on_wait,
            concurrency: self.concurrency,
            output: self.output,
            input: self.input,
            adopt_limits: self.adopt_limits,
            discover: self.discover,
            pricing: self.pricing,
            time: self.time,
            backend: self.backend,
            keys: others,
            kind: PhantomData,
        };
        (builder, self.keys)
    }

    /// Returns the options of keys, to change them.
    pub(super) fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    /// Returns the name that errors show.
    pub(super) fn shown_name(&self) -> Name {
        self.name.clone().unwrap_or_else(|| self.path.clone())
    }

    /// Sets the name that errors and `Debug` show. Default: the path of a declared limiter's
    /// static.
    ///
    /// A shared limiter is identified by its name and must have one.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// Adds a limit on requests.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Requests, rate))
    }

    /// Adds a limit on tokens, input and output together.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Tokens, rate))
    }

    /// Adds a limit on input tokens.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::InputTokens, rate))
    }

    /// Adds a limit on output tokens.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::OutputTokens, rate))
    }

    /// Adds a limit on images that calls ask to be generated.
    ///
    /// Only [`Cost::images`](crate::Cost::images) takes from it. The images in the prompt of a
    /// request count as tokens.
    pub fn images(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Images, rate))
    }

    /// Adds a limit on what calls cost in money: `spend: Dollars(10) / day`.
    ///
    /// A call takes its whole price before it is sent, the largest output included, and gives back
    /// what it did not use when it is settled. So the budget holds, however many calls are in
    /// flight. Prices come from `price` or `prices`, or stand in the cost: [`Cost::spend`]. A call
    /// whose price is not known is refused with
    /// [`AcquireError::Params`](crate::AcquireError::Params), and is not free.
    ///
    /// The budget flows back continuously: of ten dollars a day, an hour after all of it was spent
    /// 42 cents are back. Up to 31 days can be given: `Dollars(300) / (30 * DAY)`. A budget per
    /// calendar month, `Dollars(300) / month`, is back as a whole on the first, and any other may
    /// [reset](Budget::resets_at), too. Its whole amount may be spent at once, unless
    /// [`burst`](Budget::burst) says less. It is the user's own: no response of a provider changes
    /// it, and `refunds: false` does not apply to it.
    ///
    /// [`Cost::spend`]: crate::Cost::spend
    pub fn spend(self, budget: Budget) -> Self {
        self.limit(Limit::new(Dimension::Spend, budget.rate()))
    }

    /// Adds a limit on any dimension: `limit: Limit::new("audio_seconds", Rate::per_hour(7_200))`.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// Sets how much may be taken at once after an idle time: a [`Duration`], as time of the rate,
    /// or [`Burst::Observed`], as much as the provider's own bucket was seen to hold. Default: one
    /// second.
    ///
    /// It applies to each limit with a period of up to a minute whose rate states no
    /// [burst](Rate::burst) of its own. A limit with a longer period allows its whole amount at
    /// once, unless its rate states a burst: `requests: Rate::per_hour(1_000).burst(..)`. Limits
    /// that are counted in windows have [other defaults](Self::counting).
    ///
    /// For example, a burst of 10 seconds of 60 per minute is 10. The [jitter](Self::jitter) keeps
    /// a little of it back, so after an idle time 9 calls are admitted at once, and the tenth 50 ms
    /// later.
    pub fn burst(mut self, burst: impl Into<Burst>) -> Self {
        self.burst = Some(burst.into());
        self
    }

    /// Sets how much of the burst is kept back, given as time of the rate, because calls sent on
    /// schedule can reach the provider in bunches. Default: 50 ms. Zero turns it off.
    ///
    /// Half of the jitter covers delays in this process: a timer that fires late, and a clock
    /// reading that is about 0.1 ms old. The other half covers differences between the delays of
    /// the network. For calls that fit into the rest of the burst, the rate stays the same.
    ///
    /// A call that leaves no room for jitter in the burst waits longer instead. Calls as large as
    /// the burst, or larger, are spaced by the jitter more than the rate asks. By default, that is
    /// 5 % at 60 per minute: one call every 1.05 s. At 3 per minute it is 0.25 %: one call every
    /// 20.05 s. A jitter longer than the burst slows down all calls. A longer [burst](Self::burst)
    /// avoids this, if the provider allows one.
    ///
    /// A rate that [resets](Rate::resets_at) has no burst. There, no call departs for this time
    /// before a reset.
    ///
    /// A jitter above 31 days counts as 31 days.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter.min(LONGEST_PERIOD);
        self
    }

    /// Sets the part of every rate that is left to other users of the same quota, from 0 to 99 %.
    /// Default: 0.02 %, which covers the difference between two machines' clocks; nothing of a rate
    /// that [resets](Rate::resets_at).
    ///
    /// It slows down the refill. The burst stays the same, and so does the largest call that is
    /// admitted.
    pub fn headroom(mut self, headroom: Percent) -> Self {
        self.headroom = Some(headroom);
        self
    }

    /// Sets how the provider counts. Default: [`Counting::Refilling`].
    ///
    /// It does not apply to rates that [reset](Rate::resets_at), which have windows of their own.
    ///
    /// With [`Counting::InWindows`], at most the amount is admitted in any window of one period,
    /// wherever it starts. So calls are spread over the period:
    ///
    /// - The default burst is one request for limits on requests of up to a minute. It is a
    ///   twentieth of the amount for all other limits, those per day included.
    /// - A limit uses all but its burst: 95 % with a burst of a twentieth, 98.5 % of 600 per minute
    ///   with one of a second, and all of it if single requests leave one by one.
    /// - A call larger than the burst waits longer, until the window that it ends has room for it.
    ///   Such calls alone use as little as half of the limit. So the burst should hold most calls,
    ///   and be no larger.
    /// - A burst above half of the period is an error. So a quota per day can be used by half at
    ///   once, at most.
    /// - The jitter takes nothing of the burst. It lengthens the period instead.
    ///
    /// The bound holds for what this limiter admits, also through Redis, where all processes must
    /// set the same. After a restart of the program, it counts anew unless the limits are shared.
    /// With leases over Redis, calls leave later than they are counted, so each process can exceed
    /// it by one slice.
    pub fn counting(mut self, counting: Counting) -> Self {
        self.counting = counting;
        self
    }

    /// Sets whether [`settle`](crate::Permit::settle) gives back what was reserved and not used.
    /// Default: `true`.
    ///
    /// With `false` it only adds what was used beyond the reservation. That is right for providers
    /// whose limits count reservations, and not what calls really used.
    /// [`cancel`](crate::Permit::cancel) gives back either way.
    pub fn refunds(mut self, refunds: bool) -> Self {
        self.refunds = refunds;
        self
    }

    /// Sets the longest [hold](crate::Limiter::hold). Default: 10 minutes. A longer one is cut to
    /// it.
    ///
    /// It bounds what a wrong or hostile `retry-after` can do. If a provider asks for more, calls
    /// do not wait: they are refused with
    /// [`AcquireError::Exhausted`](crate::AcquireError::Exhausted), and after `max_hold` one of
    /// them tries. Zero turns all of that off: then `retry` of the attribute makes its attempts
    /// without a pause.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold;
        self
    }

    /// Keeps a part of every rate, from 1 to 99 %, for calls of a priority and those above it.
    /// Default: none.
    ///
    /// Calls of lower priorities take at most the rest, their share: of each rate, and of each
    /// burst (but one unit, if the whole burst has room for one). So in any window of length `w`
    /// they take at most `share * rate * w + max(share * burst, largest call)`. Calls at or above
    /// the priority may take all. The bound of the limits stays as it is, for all calls together.
    ///
    /// A [priority](crate::Acquire::priority) alone lets a call go first. But if lower calls have
    /// just used up a burst, or a single large one has, it still waits until the limit has
    /// refilled. A reserve leaves room for it. What is kept is lost if no such call comes.
    ///
    /// A call that waits for its share alone does not hold up calls at or above the priority. A
    /// call that is larger than its share of the burst waits for a full one, as for any limit. A
    /// `remaining` from a provider is shared in the same way.
    ///
    /// `try_acquire` is a call of normal priority. A [concurrency](Self::concurrency) is not shared
    /// out.
    ///
    /// Over Redis, calls of all processes have one share. At most four limits can be shared then, and
    /// all processes must reserve the same. Lower calls are granted up to a
    /// [look-ahead](crate::Redis::look_ahead) before they depart. If the burst is about as short as
    /// that, a call at or above the priority may have to wait for so long.
    ///
    /// ```
    /// use openlimit::{Percent, Priority, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static SEARCH: RateLimiter = {
    ///         requests: 200 / minute,
    ///         reserve: (Priority::High, Percent(20)), // others take at most 160 a minute
    ///     };
    /// }
    /// # SEARCH.init().unwrap();
    /// ```
    pub fn reserve(mut self, (priority, part): (Priority, Percent)) -> Self {
        self.reserve = Some((priority, part));
        self
    }

    /// Sets the most calls that may wait at a time. Default: any number.
    ///
    /// If another call would have to wait, [`overflow`](Self::overflow) says which one is refused,
    /// with [`AcquireError::QueueFull`](crate::AcquireError::QueueFull). A call that need not wait
    /// is admitted. With zero, no call waits: each is admitted at once or refused.
    ///
    /// The queue is that of this process, also for limits that are shared through Redis. Then even
    /// a call that the limits have room for waits, for the reply of the server, so leave room for
    /// those.
    ///
    /// ```
    /// use openlimit::{Overflow, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static SEARCH: RateLimiter = {
    ///         requests: 200 / minute,
    ///         max_waiting: 1_000,
    ///         overflow: Overflow::DropOldest,
    ///     };
    /// }
    /// # SEARCH.init().unwrap();
    /// ```
    pub fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = Some(calls);
        self
    }

    /// Sets which call is refused when more would wait than [`max_waiting`](Self::max_waiting)
    /// allows. Default: [`Overflow::RejectNew`], the one that arrives.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Sets what to call when a call begins to wait for longer than a second. Default: nothing.
    ///
    /// It is called once for such a call: when it arrives, if its wait is known to be longer then,
    /// and otherwise when it has waited for a second. The [`Waiting`] says for what.
    ///
    /// It runs on the thread that polls the call, and under no lock. So whatever it does, other
    /// calls are not delayed by it. If it panics, the call goes on. A call whose task is not polled
    /// is not reported. It may use the limiter, and calls that it makes are not reported.
    ///
    /// For a call of a [`Stack`](crate::Stack), it is the function of the limiter that the call
    /// waits for, from when it waits for that one. So each limiter is told at most once.
    ///
    /// ```
    /// use openlimit::{Cost, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static CHAT: RateLimiter = {
    ///         requests: 60 / minute,
    ///         on_wait: |waiting| eprintln!("{waiting}"),
    ///     };
    /// }
    /// # CHAT.init().unwrap();
    /// ```
    pub fn on_wait(mut self, call: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(OnWait::new(call));
        self
    }

    /// Sets the output tokens to reserve for a request that names no maximum. Default: 16, which
    /// OpenAI itself appears to reserve.
    ///
    /// A `MessagesRateLimiter` and a `GenerateContentRateLimiter` reserve it for each request, plus
    /// its thinking budget, and at most the maximum that it names. The reason is that Anthropic and
    /// Gemini count the output that there was, and not the maximum. Their default is 500, a long
    /// answer. To reserve the whole maximum, as Bedrock does, give `u64::MAX`.
    #[cfg(feature = "tokenizers")]
    pub fn default_output(mut self, tokens: u64) -> Self {
        self.pricing.default_output = Some(tokens);
        self
    }

    /// Sets the model of requests that name none, because the API has it in the path: Gemini's, and
    /// Azure's. Default: a new model of the provider.
    #[cfg(feature = "tokenizers")]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.pricing.model = Some(name.into());
        self
    }

    /// Sets the factor by which the tokens of texts are multiplied, from 0.01 to 100. Default: the
    /// [`factor`](crate::tokens::factor) of each request's model, or 1 with a
    /// [`tokenizer`](Self::tokenizer).
    ///
    /// For a model whose tokenizer is not public, divide the input tokens that the provider reports
    /// by the limiter's own count, over requests like yours.
    #[cfg(feature = "tokenizers")]
    pub fn input_factor(mut self, factor: f64) -> Self {
        self.pricing.input_factor = Some(factor);
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
    #[cfg(feature = "tokenizers")]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
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
    #[cfg(feature = "tokenizers")]
    pub fn input(mut self, input: Input) -> Self {
        self.input = input;
        self
    }

    /// Sets the [`Tokenizer`](crate::tokens::Tokenizer) that counts the texts of requests. Default:
    /// this library's own counter, with the [`Encoding`](crate::tokens::Encoding) of each request's
    /// model.
    #[cfg(feature = "tokenizers")]
    pub fn tokenizer(mut self, tokenizer: impl crate::tokens::Tokenizer + 'static) -> Self {
        self.pricing.tokenizer = Some(crate::tokenizer::Plugged::new(tokenizer));
        self
    }

    /// Sets what a request takes of a limit on `tokens` before its usage is known. Default:
    /// [`Charge::Sum`](crate::Charge), the prompt plus the largest output.
    #[cfg(feature = "tokenizers")]
    pub fn admission(mut self, charge: crate::Charge) -> Self {
        self.pricing.charge = charge;
        self
    }

    /// Runs the limiter on a clock that tests move by hand. Default: the system's monotonic clock
    /// or, inside a tokio runtime whose time is paused, tokio's. A limiter that is shared through
    /// Redis always runs on the system's.
    #[cfg(any(feature = "testing", openlimit_loom))]
    pub fn clock(mut self, clock: &crate::time::ManualClock) -> Self {
        self.time = Some(Time::Manual(clock.clone()));
        self
    }
}

/// 50 ms: 25 ms for delays in this process, and 25 ms for a call that the network delays more than
/// the one behind it.
const DEFAULT_JITTER: Duration = Duration::from_millis(50);
