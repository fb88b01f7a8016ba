//! The keys of a limiter: made of its name, whatever that is, and in one slot of a cluster.

use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;

use sha1_smol::Sha1;

/// The keys of a limiter. Its name must not be empty: an empty hash tag is none.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Where the buckets are: the same for all.
    pub(super) state: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, name: &str) -> Self {
        Self { state: format!("{}{{{}}}", safe(prefix), short(safe(name))) }
    }

    /// Where a new client's last answer is, should it have to ask again: of all times and hosts its own.
    pub(super) fn client(&self) -> String {
        // Random bytes from the system, as every `RandomState` has them. A thread asks for them once, and a process that is forked
        // from this one would have the same: so its number is part of it.
        let id = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        format!("{}:c:{:016x}{:016x}{:x}", self.state, id[0], id[1], process::id())
    }
}

/// Braces would end the hash tag; what is not printable makes keys that nobody can type. As in a URL.
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

/// Keys travel with every batch, so a long name is cut, and told apart by its hash.
fn short(mut name: String) -> String {
    const LONGEST: usize = 160;
    if name.len() > LONGEST {
        let hash = Sha1::from(&name).digest().to_string();
        name.truncate(LONGEST - hash.len() - 1);
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
