//! `Tap`: a permit, and the reader of the reply that settles it.

use std::fmt;

use super::super::Permit;
use crate::feedback::UsageReader;

/// Owns the permit of a call, and settles it by what passes.
///
/// It is one allocation per reply, so that wrappers stay small. `None` once nothing more can
/// change.
pub(super) struct Tap(Option<Box<Call>>);

struct Call {
    permit: Permit,
    reader: UsageReader,
}

impl Tap {
    pub(super) fn new(permit: Permit) -> Self {
        Self(Some(Box::new(Call { permit, reader: UsageReader::new() })))
    }

    /// Reads the next bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if let Some(call) = &mut self.0 {
            call.reader.feed(bytes);
        }
    }

    /// Notes that the reply has ended as it should.
    pub(super) fn end(&mut self) {
        if let Some(call) = self.0.take()
            && let Some(usage) = call.reader.usage()
        {
            call.permit.settle(usage);
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.0.as_ref().map(|call| &call.permit)).finish()
    }
}
