//! `Number`: a number, as far as pricing needs it.
//!
//! serde has twelve types of number, and `serde_json` passes digits in a string if its feature
//! `arbitrary_precision` is on. All become one of three here, so `100`, `100_u8` and `100.0` are
//! the same.

use std::fmt;

/// A number, as far as pricing needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A non-negative integer.
    Whole(u128),
    /// A negative integer, without its sign.
    Negative(u128),
    /// Any other finite number.
    Fraction(f64),
}

impl Number {
    pub(crate) fn signed(value: i128) -> Self {
        match u128::try_from(value) {
            Ok(whole) => Self::Whole(whole),
            Err(_) => Self::Negative(value.unsigned_abs()),
        }
    }

    /// Returns `None` for infinities and NaN. JSON has neither, and `serde_json` writes `null` for
    /// both.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an integer without its sign; the cast of a float saturates"
    )]
    pub(crate) fn float(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        Some(match value {
            _ if value.fract() != 0.0 => Self::Fraction(value),
            _ if value < 0.0 => Self::Negative(-value as u128),
            _ => Self::Whole(value as u128),
        })
    }

    /// Parses a number as JSON writes it. One that is too large for a float, as `1e999` is, becomes
    /// the largest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Rust's parser of floats also takes "inf" and "nan", which JSON does not have.
        if !text.ends_with(|last: char| last.is_ascii_digit()) {
            return None;
        }
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        match text.parse() {
            Ok(signed) => Some(Self::signed(signed)),
            Err(_) => match text.parse().ok()? {
                f64::INFINITY => Some(Self::Whole(u128::MAX)),
                f64::NEG_INFINITY => Some(Self::Negative(u128::MAX)),
                value => Self::float(value),
            },
        }
    }

    /// Returns the tokens of the number as text. Each three digits are a token, as in the encodings
    /// of today's models.
    pub(crate) fn tokens(self) -> u64 {
        // Seventeen significant digits by threes, a sign, a point and an exponent.
        const FRACTION: u64 = 9;
        let digits = |value: u128| u64::from(value.checked_ilog10().unwrap_or(0) + 1);
        match self {
            Self::Whole(value) => digits(value).div_ceil(3),
            Self::Negative(value) => 1 + digits(value).div_ceil(3),
            Self::Fraction(_) => FRACTION,
        }
    }
}

impl Number {
    /// Returns the nearest float.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Negative(value) => -(value as f64),
            Self::Fraction(value) => value,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Negative(value) => write!(f, "-{value}"),
            Self::Fraction(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn the_same_number_is_the_same_however_it_is_written() {
        for text in ["100", "100.0", "1e2", "1E+2"] {
            assert_eq!(Number::parse(text), Some(Number::Whole(100)), "{text}");
        }
        assert_eq!(Number::parse("-7"), Some(Number::signed(-7)));
        assert_eq!(Number::parse("-7.0"), Number::float(-7.0));
        assert_eq!(Number::parse("0.5"), Some(Number::Fraction(0.5)));
    }

    #[test]
    fn what_json_has_no_number_for_is_none() {
        for text in ["", "-", "inf", "NaN", "infinity", "12a", "a1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(Number::float(f64::NAN), None);
        assert_eq!(Number::float(f64::NEG_INFINITY), None);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        assert_eq!(Number::parse("1e999"), Some(Number::Whole(u128::MAX)));
        assert_eq!(Number::parse("-1e999"), Some(Number::Negative(u128::MAX)));
        assert_eq!(Number::signed(i128::MIN), Number::Negative(1 << 127));
        assert_eq!(Number::float(f64::MAX), Some(Number::Whole(u128::MAX)));
        assert_eq!(Number::Whole(u128::MAX).tokens(), 13);
        assert_eq!(Number::Whole(0).tokens(), 1);
    }
}
