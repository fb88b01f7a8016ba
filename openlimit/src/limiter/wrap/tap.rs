//! `Tap`: a permit, and the reader of the reply that settles it.

use std::fmt;

use super::super::Permit;
use super::super::permit::Settled;
use crate::feedback::UsageReader;
#[cfg(feature = "stream")]
use crate::feedback::{Observation, Verdict};
use crate::limits::{Dimension, Usage};

/// Owns the permit of a call, and settles it by what passes.
///
/// - The input is settled as soon as it is known, because no later number changes it.
/// - All of the usage is settled once it is final. Clients stop reading when the answer is
///   complete, so the end of the reply may never come.
/// - Later numbers replace earlier ones. The permit is kept for that until the reply ends.
/// - The call is in flight until then, or until the reply is dropped: so the provider counts.
/// - An error in the reply is a refusal.
///
/// It is one allocation per reply, so that wrappers stay small. `None` once nothing can change any
/// more.
#[cfg_attr(not(feature = "stream"), allow(unreachable_pub, reason = "expansions name it"))]
pub struct Tap(Option<Box<TappedCall>>);

struct TappedCall {
    permit: Permit,
    reader: UsageReader,
    settled: Option<(Usage, Settled)>,
    /// True if a part of the reply was lost. Then its end makes nothing final.
    is_broken: bool,
}

impl Tap {
    pub(super) fn new(permit: Permit) -> Self {
        Self(Some(Box::new(TappedCall {
            permit,
            reader: UsageReader::new(),
            settled: None,
            is_broken: false,
        })))
    }

    /// Reads the next bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.read(|reader| reader.feed(bytes));
    }

    /// Reads the next event.
    #[cfg(all(feature = "stream", feature = "tokenizers"))]
    pub(crate) fn item<T: serde::Serialize + ?Sized>(&mut self, item: &T) {
        self.read(|reader| reader.value(item));
    }

    /// Notes that the connection failed. If the reply goes on nevertheless, it is still read.
    pub(super) fn break_off(&mut self) {
        if let Some(call) = &mut self.0 {
            call.is_broken = true;
        }
    }

    /// Notes that an error came in place of the next event. It may be a refusal.
    #[cfg(feature = "stream")]
    pub(crate) fn fail(&mut self, error: Option<&Observation>) {
        match error.filter(|error| error.verdict() != Verdict::NotLimited) {
            Some(error) => {
                if let Some(call) = self.0.take() {
                    call.permit.refused(error);
                }
            }
            None => self.break_off(),
        }
    }

    /// Notes that the reply has ended. If nothing of it was lost, its last numbers are final.
    pub(super) fn end(&mut self) {
        if let Some(call) = self.0.take()
            && let Some(usage) = call.reader.usage().filter(|_| !call.is_broken)
            && let Some((usage, _)) = call.unless_settled(usage, Settled::Whole)
        {
            call.permit.settle(usage);
        }
    }

    fn read(&mut self, read: impl FnOnce(&mut UsageReader)) {
        let Some(call) = &mut self.0 else { return };
        read(&mut call.reader);
        // An error may come in one piece with the usage before it.
        match call.reader.usage_before_error() {
            (Some(usage), true) => call.settle(usage, Settled::Whole),
            (Some(usage), false) => call.settle(input(&usage), Settled::Part),
            (None, _) => {}
        }
        if call.reader.error().is_some() {
            self.refuse();
        }
    }

    #[cold]
    fn refuse(&mut self) {
        if let Some(call) = self.0.take()
            && let Some(error) = call.reader.error()
        {
            call.permit.refused(error);
        }
    }
}

impl TappedCall {
    fn settle(&mut self, usage: Usage, settled: Settled) {
        if let Some(settled) = self.unless_settled(usage, settled) {
            self.permit.settle_as(&settled.0, settled.1);
            self.settled = Some(settled);
        }
    }

    /// Returns what to settle the call by, unless that was the last that it was settled by.
    fn unless_settled(&self, usage: Usage, settled: Settled) -> Option<(Usage, Settled)> {
        Some((usage, settled)).filter(|settled| self.settled.as_ref() != Some(settled))
    }
}

/// Returns the part of a usage that no later number changes.
fn input(usage: &Usage) -> Usage {
    let input = usage.amount(&Dimension::InputTokens);
    let known =
        input.map_or_else(Usage::default, |input| Usage::default().with(Dimension::InputTokens, input));
    known.read()
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.0.as_ref().map(|call| &call.permit)).finish()
    }
}
