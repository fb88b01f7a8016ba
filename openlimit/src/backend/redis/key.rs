//! `Keys`: the keys of a limiter in Redis, made of its name. Any name is allowed, and all keys of a
//! limiter are in one slot of a cluster.
//!
//! The limiters of a [`Keyed`](crate::Keyed) have one name, and each has a key of the program: a
//! tenant, a user. Its text is appended behind a `=`, which no escaped text contains. So no key can
//! be taken for another one, or for a limiter of another name.

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
    /// Creates the keys of the limiter `name`, or of the one that a `Keyed` of this name has for
    /// `key`.
    pub(super) fn new(prefix: &str, name: &str, key: Option<&str>) -> Self {
        let mut tag = safe(name);
        if let Some(key) = key {
            tag.push('=');
            tag += &safe(key);
        }
        Self { state: format!("{}{{{}}}", safe(prefix), short(tag)) }
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
    use std::collections::BTreeSet;

    use super::Keys;

    #[test]
    fn a_plain_name_stays_as_it_is_and_both_keys_are_in_one_slot() {
        let keys = Keys::new("openlimit:", "prod-chat", None);
        assert_eq!(keys.state, "openlimit:{prod-chat}");
        assert!(keys.client().starts_with("openlimit:{prod-chat}:c:"));
        assert_ne!(keys.client(), keys.client());
    }

    #[test]
    fn no_name_ends_the_hash_tag_or_makes_a_long_key() {
        assert_eq!(Keys::new("", "a}b {\n", None).state, "{a%7db%20%7b%0a}");
        assert_eq!(Keys::new("p{} ", "a", None).state, "p%7b%7d%20{a}");
        let (one, other) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
        assert_eq!(Keys::new("", &one, None).state.len(), 162);
        assert_ne!(Keys::new("", &one, None).state, Keys::new("", &other, None).state);
    }

    #[test]
    fn no_key_of_the_program_leads_to_the_buckets_of_another_one() {
        let state = |name, key| Keys::new("openlimit:", name, key).state;
        assert_eq!(state("tenants", Some("anna")), "openlimit:{tenants=anna}");
        assert_eq!(state("tenants", Some("")), "openlimit:{tenants=}");
        let long = "x".repeat(1 << 20);
        let hashed = state("tenants", Some(&long));
        assert_eq!(hashed.len(), "openlimit:{}".len() + 160);
        let forged = hashed["openlimit:{tenants=".len()..].trim_end_matches('}');
        let names = [
            ("tenants", None),
            ("tenants=anna", None),
            ("tenants", Some("")),
            ("tenants", Some("anna")),
            ("tenants", Some("anna}")),
            ("tenants", Some("anna%7d")),
            ("tenants", Some("anna}:c:0")),
            ("tenants", Some("anna\0")),
            ("tenants=anna", Some("")),
            ("tenants", Some("=anna")),
            ("tenants=", Some("anna")),
            ("tenants", Some(&long)),
            ("tenants", Some(forged)),
        ];
        let states: BTreeSet<_> = names.iter().map(|(name, key)| state(name, *key)).collect();
        assert_eq!(states.len(), names.len(), "{states:#?}");
        assert!(states.iter().all(|state| state.matches(['{', '}']).count() == 2), "{states:#?}");
    }
}
