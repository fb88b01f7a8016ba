//! `Keys`: the keys of a limiter, made of its name. Any name is allowed, and all keys of a limiter
//! are in one slot of a cluster.

use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;

use sha1_smol::Sha1;

/// The keys of a limiter, whose name must not be empty: Redis ignores an empty hash tag.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// The key of the buckets, the same for all clients.
    pub(super) state: String,
}

impl Keys {
    /// Creates the keys of the limiter `name`.
    pub(super) fn new(prefix: &str, name: &str) -> Self {
        Self { state: format!("{}{{{}}}", safe(prefix), short(safe(name))) }
    }

    /// Returns a key for the last reply to a new client. No other client of any host has the same.
    pub(super) fn client(&self) -> String {
        // A `RandomState` has random bytes of the system, but each thread fetches them once. A
        // forked process would have the same ones, so the process number is part of the key.
        let id = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        format!("{}:c:{:016x}{:016x}{:x}", self.state, id[0], id[1], process::id())
    }
}

/// Percent-encodes a name. Braces would end the hash tag, and other characters are hard to type.
fn safe(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'/' => {
                safe.push(byte.into())
            }
            _ => _ = write!(safe, "%{byte:02x}"),
        }
    }
    safe
}

/// The longest name in a key, in bytes: keys travel with every batch.
const LONGEST_NAME: usize = 160;

/// Cuts a long name, and makes it unique by a hash of the whole.
fn short(mut name: String) -> String {
    if name.len() > LONGEST_NAME {
        let hash = Sha1::from(&name).digest().to_string();
        name.truncate(LONGEST_NAME - hash.len() - 1);
        name.push('~');
        name += &hash;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn a_plain_name_stays_as_it_is_and_both_keys_are_in_one_slot() {
        let keys = Keys::new("openlimit:", "prod-chat");
        assert_eq!(keys.state, "openlimit:{prod-chat}");
        assert!(keys.client().starts_with("openlimit:{prod-chat}:c:"));
        assert_ne!(keys.client(), keys.client());
    }

    #[test]
    fn no_name_ends_the_hash_tag_or_makes_a_long_key() {
        assert_eq!(Keys::new("", "a}b {\n").state, "{a%7db%20%7b%0a}");
        assert_eq!(Keys::new("p{} ", "a").state, "p%7b%7d%20{a}");
        let (one, other) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
        assert_eq!(Keys::new("", &one).state.len(), 162);
        assert_ne!(Keys::new("", &one).state, Keys::new("", &other).state);
    }
}
