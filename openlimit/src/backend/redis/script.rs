//! `Script`: the text of `decide.lua`, for limiters with a given number of limits, the shares of which
//! come last if there are any.
//!
//! `decide.lua` is written for any number of limits and unrolled here. The unrolled text takes the
//! server a sixth less time than loops would.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sha1_smol::Sha1;

/// The script for limiters with one number of limits and shares.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    /// The SHA-1 of the text, which names it on a server that has seen it.
    pub(super) sha: String,
}

impl Script {
    /// Returns the script for a number of limits, the last of which are `shares`. Creates each once
    /// per process.
    pub(super) fn of(limits: usize, shares: usize) -> Arc<Self> {
        static SCRIPTS: Mutex<BTreeMap<(usize, usize), Arc<Script>>> = Mutex::new(BTreeMap::new());
        let mut scripts = SCRIPTS.lock();
        Arc::clone(scripts.entry((limits, shares)).or_insert_with(|| Arc::new(Self::new(limits, shares))))
    }

    fn new(limits: usize, shares: usize) -> Self {
        let text = unrolled(include_str!("decide.lua"), limits, shares);
        let sha = Sha1::from(&text).digest().to_string();
        Self { text, sha }
    }
}

/// Unrolls a text for a number of limits, the last of which are `shares`, and strips its blank lines
/// and comments.
///
/// Consecutive lines that end in `--*` are repeated together, with 1, 2, .. in place of `$`. Those
/// that end in `--+` are repeated for shares only. What stands in `{{..}}` becomes a list. A comment
/// is a line that begins with two dashes and a space.
fn unrolled(text: &str, limits: usize, shares: usize) -> String {
    let lines: Vec<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-- ")).collect();
    let mut unrolled = String::new();
    let mark = |line: &str| [EACH, EACH_SHARE].into_iter().find(|mark| line.ends_with(mark));
    for lines in lines.chunk_by(|one, next| mark(one) == mark(next)) {
        let Some(mark) = mark(lines[0]) else {
            for line in lines {
                unrolled += &listed(line, limits);
                unrolled.push('\n');
            }
            continue;
        };
        let before = if mark == EACH_SHARE { limits - shares } else { 0 };
        for limit in before + 1..=limits {
            for line in lines {
                unrolled += &line.trim_end_matches(mark).replace('$', &limit.to_string());
                unrolled.push('\n');
            }
        }
    }
    unrolled
}

/// Marks a line that is repeated for each limit.
const EACH: &str = " --*";

/// Marks a line that is repeated for each share.
const EACH_SHARE: &str = " --+";

/// Writes out the lists in a line.
fn listed(line: &str, limits: usize) -> String {
    let mut listed = String::new();
    let mut rest = line;
    while let Some((before, (list, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        // Names need commas between them. The letters of a format must not have any.
        let between = if list.contains('$') { ", " } else { "" };
        let items: Vec<_> = (1..=limits).map(|limit| list.replace('$', &limit.to_string())).collect();
        listed += before;
        listed += &items.join(between);
        rest = after;
    }
    listed + rest
}

#[cfg(test)]
mod tests {
    use super::unrolled;

    #[test]
    fn marked_lines_are_repeated_together_and_a_list_is_written_out() {
        let text = "-- why\nif x$ --*\nend --*\ny$ --+\n\nunpack('<d{{dd}}', {{level$, weight$}})\n";
        let list = "unpack('<ddddd', level1, weight1, level2, weight2)\n";
        let limits = "if x1\nend\nif x2\nend\n".to_owned();
        assert_eq!(unrolled(text, 2, 0), limits.clone() + list);
        assert_eq!(unrolled(text, 2, 1), limits + "y2\n" + list);
    }
}
