//! The errors of clients: what they say of a refusal, and the limiter's own errors in them.
//!
//! An error is a chain, and the refusal may be anywhere in it. Errors of the clients that a feature
//! names are read by their parts, and all others by their messages.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::{io, iter};

use super::known_error::{AnyError, KnownError};
use crate::AcquireError;
use crate::feedback::{Observation, Refusal, Verdict};

/// The longest chain of errors that is read. An error may be its own source.
const MOST_ERRORS: usize = 16;

/// The start of a message that is read, in bytes. A message may contain a whole reply.
const MOST_MESSAGE: usize = 32 * 1024;

/// The errors of all clients that are compiled in.
const KNOWN: &[KnownError] = &[
    IO,
    #[cfg(feature = "async-openai")]
    super::async_openai::ERRORS,
    #[cfg(any(feature = "async-openai", feature = "reqwest"))]
    super::response::ERRORS,
    #[cfg(feature = "reqwest")]
    super::reqwest::ERRORS,
    #[cfg(feature = "ureq")]
    super::ureq::ERRORS,
];

/// The errors of std, which clients wrap others in.
const IO: KnownError = KnownError {
    inner: |error| Some(error.downcast_ref::<io::Error>()?.get_ref()? as &AnyError),
    read: |_| None,
};

impl Observation {
    /// Reads the error that a client returned, and its [sources](Error::source).
    ///
    /// The errors of clients that a feature of this crate names are read by their parts: their
    /// status, and the provider's error if they have kept it. All others are read by their
    /// [messages](Self::from_message). An error that says nothing of limits, such as a connection
    /// that failed, has the verdict [`NotLimited`](Verdict::NotLimited). So has an
    /// [`AcquireError`] anywhere in the chain, because then the provider was not asked.
    ///
    /// At most 16 sources are read, and 32 KiB of each message.
    ///
    /// ```
    /// use openlimit::feedback::{Observation, Verdict};
    ///
    /// let error = std::io::Error::other("connection reset by peer");
    /// assert_eq!(Observation::from_error(&error).verdict(), Verdict::NotLimited);
    /// ```
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        if AcquireError::find(error).is_some() {
            return Self::new(0);
        }
        if let Some(known) = chain(error).find_map(|error| KNOWN.iter().find_map(|known| (known.read)(error)))
        {
            return known;
        }
        let mut limited = None;
        for error in chain(error) {
            let observation = Self::from_message(message(error));
            // A status decides, so that words of an inner error cannot outvote it.
            if observation.status() != 0 {
                return observation;
            }
            if limited.is_none() && observation.verdict() != Verdict::NotLimited {
                limited = Some(observation);
            }
        }
        limited.unwrap_or_else(|| Self::new(0))
    }
}

impl AcquireError {
    /// Finds the refusal of a limiter in the error that a client returned, for clients whose
    /// requests pass through an [adapter](crate::clients).
    ///
    /// Not every client's error has the refusal among its [sources](Error::source). This function
    /// knows the others, if their feature is on.
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_hour(1)).build()?;
    /// let refused = limiter.try_acquire(Cost::new().requests(2)).unwrap_err();
    /// let error = std::io::Error::other(refused);
    /// assert!(matches!(AcquireError::find(&error), Some(AcquireError::TooLarge { .. })));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain(error).find_map(|error| error.downcast_ref())
    }
}

/// Returns an error and what caused it, from the outside in.
fn chain(error: &AnyError) -> impl Iterator<Item = &AnyError> {
    iter::successors(Some(error), |error| cause(*error)).take(MOST_ERRORS)
}

/// Returns the error that an error hides, or its source.
fn cause(error: &AnyError) -> Option<&AnyError> {
    KNOWN.iter().find_map(|known| (known.inner)(error)).or_else(|| error.source())
}

/// Returns the start of an error's message.
fn message(error: &AnyError) -> String {
    let mut start = Cut(String::new());
    // It fails if there is more, and also if the error's own `Display` does.
    let _ = write!(start, "{error}");
    start.0
}

/// A text that takes no more than the start of what is written.
struct Cut(String);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST_MESSAGE - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

/// The form of an error.
#[derive(Debug)]
pub enum OfType {}

impl<E: Error + 'static> Refusal<OfType> for &E {
    fn observation(&self) -> Cow<'_, Observation> {
        Cow::Owned(Observation::from_error(*self))
    }
}

/// Errors of unknown type. They are not `Error` themselves, so each needs its own implementation.
macro_rules! erased {
    ($($form:ident: $erased:ty => $error:expr;)+) => {$(
        /// The form of an error of unknown type.
        #[derive(Debug)]
        pub enum $form {}

        impl Refusal<$form> for &$erased {
            fn observation(&self) -> Cow<'_, Observation> {
                let error: for<'a> fn(&'a $erased) -> &'a AnyError = $error;
                Cow::Owned(Observation::from_error(error(*self)))
            }
        }
    )+};
}

erased! {
    Unknown: (dyn Error + 'static) => |error| error;
    UnknownSend: (dyn Error + Send + Sync + 'static) => |error| error;
    Boxed: Box<dyn Error> => |error| &**error;
    BoxedSend: Box<dyn Error + Send + Sync> => |error| &**error;
}
