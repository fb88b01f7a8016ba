//! The lists of `RateLimit`, `RateLimit-Policy` and older gateways:
//! `"default";q=100;w=60, "daily";q=5000;w=86400`, and `1000, 1000;w=1, 60000;w=60`.
//!
//! These are the IETF's structured fields, as far as rate limits need them. The name of a policy is
//! free text, so only a hash of it is kept: it joins a policy with its state, and cannot leak.

/// One member of a list.
#[derive(Clone, Copy)]
pub(super) struct Policy<'a> {
    /// A name without its quotes, or a number.
    pub(super) name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Policy<'a> {
    fn read(member: &'a [u8]) -> Self {
        // In an early draft, the parameters are members of the list: `limit=100, remaining=50`.
        let (name, rest) = split(member, b';');
        if name.contains(&b'=') {
            Self { name: b"", rest: member }
        } else {
            Self { name: unquoted(name), rest }
        }
    }

    /// Returns the parameters: names, and values without quotes.
    pub(super) fn parameters(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        parts(self.rest, b';').filter_map(|parameter| {
            let at = parameter.iter().position(|byte| *byte == b'=')?;
            Some((parameter[..at].trim_ascii(), unquoted(&parameter[at + 1..])))
        })
    }

    /// Returns a number that two policies share if they have the same name. It is never zero.
    pub(super) fn pool(self) -> u32 {
        // FNV-1a. A server that forges a collision confuses nobody but itself.
        self.name
            .iter()
            .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
            | 1
    }
}

/// Returns whether the value is more than one number.
pub(super) fn is_list(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b',' | b';'))
}

/// Returns the first name or number of a list.
pub(super) fn first(value: &[u8]) -> &[u8] {
    all(value).next().map_or(b"", |policy| policy.name)
}

/// Returns the members of a list.
pub(super) fn all(value: &[u8]) -> impl Iterator<Item = Policy<'_>> {
    parts(value, b',').filter(|member| !member.is_empty()).map(Policy::read)
}

/// Returns the parts between separators, trimmed.
fn parts(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest.take()?;
        let (part, behind) = split(value, separator);
        rest = (part.len() < value.len()).then_some(behind);
        Some(part.trim_ascii())
    })
}

/// Splits at the first separator that is not in quotes.
fn split(value: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut is_quoted = false;
    let at = value.iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        !is_quoted && *byte == separator
    });
    at.map_or((value, b""), |at| (&value[..at], &value[at + 1..]))
}

fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}
