//! `Clause`: which names a model has.

use super::pattern::Pattern;
use super::tree::Item;

/// Says of a name, in lower case, whether it is one of a model's.
#[derive(Debug)]
pub(super) enum Clause {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Pattern(Pattern),
    Any(Vec<Self>),
    All(Vec<Self>),
}

impl Clause {
    pub(super) fn read(item: Item<'_>) -> Result<Self, String> {
        let expected = |found: &str| {
            format!(
                "expected a clause of one key, `equals`, `starts_with`, `ends_with`, `contains`, `regex`, `or` or \
                 `and`, found {found}"
            )
        };
        let mut entries = item.entries();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            return Err(expected("another number of keys"));
        };
        let wrong = || expected(&format!("`{key}`: {}", value.shown()));
        let of_text = |clause: fn(String) -> Self| Ok(clause(value.text().ok_or_else(wrong)?.to_lowercase()));
        let of_list = |clause: fn(Vec<Self>) -> Self| {
            if !value.is_list() {
                return Err(wrong());
            }
            value.items().map(Self::read).collect::<Result<_, _>>().map(clause)
        };
        match key {
            "equals" => of_text(Self::Equals),
            "starts_with" => of_text(Self::StartsWith),
            "ends_with" => of_text(Self::EndsWith),
            "contains" => of_text(Self::Contains),
            "regex" => Pattern::read(value.text().ok_or_else(wrong)?).map(Self::Pattern),
            "or" => of_list(Self::Any),
            "and" => of_list(Self::All),
            _ => Err(wrong()),
        }
    }

    /// Returns true for a name, in lower case, that is one of the model's.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Equals(whole) => name == whole,
            Self::StartsWith(start) => name.starts_with(&**start),
            Self::EndsWith(end) => name.ends_with(&**end),
            Self::Contains(part) => name.contains(&**part),
            Self::Pattern(pattern) => pattern.is_in(name),
            Self::Any(clauses) => clauses.iter().any(|clause| clause.has(name)),
            Self::All(clauses) => clauses.iter().all(|clause| clause.has(name)),
        }
    }
}
