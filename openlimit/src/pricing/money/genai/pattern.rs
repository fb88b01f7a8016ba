//! `Pattern`: the small part of regular expressions that names of models need.
//!
//! A whole engine would be the largest part of this library for a dozen patterns such as
//! `^grok-4\.3-\d{8}$`. Any other pattern is refused.
//!
//! # How it is matched
//!
//! Each piece turns the set of places where it may begin into the set of those where it may end. So
//! a match takes the length of the pattern times that of the name, whatever both are.

use std::iter::{self, Peekable};
use std::str::Chars;

/// A regular expression of literals, `.`, `\d`, sets, groups, `|`, `?`, `{n}`, `^` and `$`.
#[derive(Debug)]
pub(super) struct Pattern(Choice);

/// Some sequences, of which any may be met.
type Choice = Vec<Vec<Piece>>;

#[derive(Clone, Debug)]
enum Piece {
    /// The start of the name.
    Start,
    /// Its end.
    End,
    One(Set),
    Choice(Choice),
}

/// Some characters.
#[derive(Clone, Debug)]
struct Set {
    ranges: Vec<(char, char)>,
    /// True for all others.
    is_negated: bool,
}

/// The deepest groups in groups.
const DEPTH: u32 = 8;

/// The most repetitions.
const MOST: usize = 64;

impl Pattern {
    pub(super) fn read(pattern: &str) -> Result<Self, String> {
        let mut rest = pattern.chars().peekable();
        let choice = choice(&mut rest, DEPTH).filter(|_| rest.next().is_none());
        choice.map(Self).ok_or_else(|| {
            format!(
                "expected a `regex` of literals, `.`, `\\d`, sets such as `[a-c]`, groups such as `(a|b)`, `?`, `{{n}}`, \
                 `^` and `$`, found {pattern:?}"
            )
        })
    }

    /// Returns true if the pattern is met anywhere in a name.
    pub(super) fn is_in(&self, name: &str) -> bool {
        let name: Vec<_> = name.chars().collect();
        ends(&self.0, &name, &vec![true; name.len() + 1]).contains(&true)
    }
}

/// Returns where one of the sequences ends that begins at one of these places.
fn ends(choice: &Choice, name: &[char], starts: &[bool]) -> Vec<bool> {
    let mut all = vec![false; starts.len()];
    for sequence in choice {
        let mut at = starts.to_vec();
        for piece in sequence {
            at = match piece {
                Piece::Start => at.iter().enumerate().map(|(place, is)| *is && place == 0).collect(),
                Piece::End => at.iter().enumerate().map(|(place, is)| *is && place == name.len()).collect(),
                Piece::One(set) => {
                    let after = at.iter().zip(name).map(|(is, character)| *is && set.has(*character));
                    iter::once(false).chain(after).collect()
                }
                Piece::Choice(choice) => ends(choice, name, &at),
            };
        }
        all.iter_mut().zip(at).for_each(|(all, is)| *all |= is);
    }
    all
}

impl Set {
    fn of(character: char) -> Self {
        Self { ranges: vec![(character, character)], is_negated: false }
    }

    fn digits() -> Self {
        Self { ranges: vec![('0', '9')], is_negated: false }
    }

    fn any() -> Self {
        Self { ranges: Vec::new(), is_negated: true }
    }

    fn has(&self, character: char) -> bool {
        let is_in = self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
        is_in != self.is_negated
    }
}

/// Reads sequences up to the end of the text or of a group.
fn choice(rest: &mut Peekable<Chars<'_>>, depth: u32) -> Option<Choice> {
    let mut sequences = vec![Vec::new()];
    while let Some(next) = rest.next_if(|next| *next != ')') {
        let sequence = sequences.last_mut()?;
        match next {
            '|' => sequences.push(Vec::new()),
            '?' => {
                let piece =
                    sequence.pop().filter(|piece| matches!(piece, Piece::One(_) | Piece::Choice(_)))?;
                sequence.push(Piece::Choice(vec![vec![piece], Vec::new()]));
            }
            '{' => {
                let times = iter::from_fn(|| rest.next_if(char::is_ascii_digit)).collect::<String>();
                let times = times.parse().ok().filter(|times| *times <= MOST)?;
                let piece = sequence.pop().filter(|piece| matches!(piece, Piece::One(_)))?;
                sequence.extend(iter::repeat_n(piece, times));
                rest.next_if_eq(&'}')?;
            }
            '(' => {
                let depth = depth.checked_sub(1)?;
                if rest.next_if_eq(&'?').is_some() {
                    rest.next_if_eq(&':')?;
                }
                sequence.push(Piece::Choice(choice(rest, depth)?));
                rest.next_if_eq(&')')?;
            }
            '^' => sequence.push(Piece::Start),
            '$' => sequence.push(Piece::End),
            '.' => sequence.push(Piece::One(Set::any())),
            '[' => sequence.push(Piece::One(set(rest)?)),
            '\\' => sequence.push(Piece::One(escaped(rest)?)),
            '*' | '+' | '}' | ']' => return None,
            literal => sequence.push(Piece::One(Set::of(literal))),
        }
    }
    Some(sequences)
}

/// Reads what follows a backslash.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<Set> {
    match rest.next()? {
        'd' => Some(Set::digits()),
        letter if letter.is_alphanumeric() => None,
        mark => Some(Set::of(mark)),
    }
}

/// Reads a set, behind its bracket.
fn set(rest: &mut Peekable<Chars<'_>>) -> Option<Set> {
    let is_negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        match rest.next()? {
            ']' if !ranges.is_empty() => return Some(Set { ranges, is_negated }),
            '\\' => ranges.extend(escaped(rest)?.ranges),
            ']' | '[' => return None,
            first => {
                let is_range = rest.next_if_eq(&'-').is_some();
                let last = if is_range { rest.next()? } else { first };
                if last < first || is_range && matches!(last, ']' | '\\') {
                    return None;
                }
                ranges.push((first, last));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_are_met_where_regular_expressions_are() {
        for (pattern, met, missed) in [
            ("^o[134]", &["o1", "o3-mini", "o4"][..], &["o2", "gpt-o1", ""][..]),
            ("(?:mi|code|magi)stral", &["mistral-7b", "a/codestral"], &["astral", "mi"]),
            (
                r"^grok-4\.3-\d{8}$",
                &["grok-4.3-20260101"],
                &["grok-4x3-20260101", "grok-4.3-2026010", "grok-4.3-202601011"],
            ),
            ("^a(b|c(d|e)?)?$", &["a", "ab", "ac", "acd", "ace"], &["abc", "acde", "b"]),
            ("a.c|^$", &["abc", "xa-cx", ""], &["ac", "x"]),
            ("[^a-c0]x", &["dx", "1x"], &["ax", "0x", "x"]),
            ("", &["", "anything"], &[]),
        ] {
            let read = Pattern::read(pattern).unwrap();
            met.iter().for_each(|name| assert!(read.is_in(name), "{pattern} in {name}"));
            missed.iter().for_each(|name| assert!(!read.is_in(name), "{pattern} not in {name}"));
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        let deep = "(".repeat(100_000);
        for pattern in [
            "a*", "a+", "(a", "a)", "(?i)a", "(?=a)", r"\w", r"\bx", "[a", "[]", "[c-a]", "a{", "a{2,3}",
            "a{65}", "(a){2}", "?", "^?", "{2}", "a}", "a]", "\\", &deep,
        ] {
            assert!(Pattern::read(pattern).is_err(), "{pattern:.20}");
        }
    }

    #[test]
    fn a_hostile_name_takes_linear_time() {
        let pattern = Pattern::read(&"(a|a)?".repeat(60)).unwrap();
        assert!(pattern.is_in(&"a".repeat(20_000)));
    }
}
