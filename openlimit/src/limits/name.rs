//! `Name`: the name of a limiter in errors and reports.
//!
//! Every error carries the name, and a busy program may create a million errors a second. So a copy
//! must be cheap. The name of a declared limiter is a string of the program, and copying it copies
//! a reference. The name of a built limiter is shared behind an `Arc`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A limiter's name: the path of its static, or the value of
/// [`Builder::name`](crate::Builder::name).
///
/// It dereferences to `str`, compares equal to one, and is cheap to clone.
///
/// ```
/// use openlimit::Name;
/// use std::collections::HashSet;
///
/// let names = HashSet::from([Name::from("chat"), Name::from("chat".to_owned())]);
/// assert_eq!(names.len(), 1);
/// assert!(names.iter().all(|name| name == "chat" && name.as_ref() == "chat"));
/// ```
#[derive(Clone)]
pub struct Name(Storage);

#[derive(Clone)]
enum Storage {
    Static(&'static str),
    Counted(Arc<str>),
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self(Storage::Static(name))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(Storage::Counted(name.into()))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Storage::Static(name) => name,
            Storage::Counted(name) => name,
        }
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

/// Hashes like the `str`.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
