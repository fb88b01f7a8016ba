//! `Script`: the text of `decide.lua`, for limiters with a given number of limits.
//!
//! `decide.lua` is written for any number of limits and unrolled here. The unrolled text takes the
//! server a sixth less time than loops would.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sha1_smol::Sha1;

/// The script for limiters with one number of limits.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    /// The SHA-1 of the text, which names it on a server that has seen it.
    pub(super) sha: String,
}

impl Script {
    /// Returns the script for a number of limits. Creates each once per process.
    pub(super) fn of(limits: usize) -> Arc<Self> {
        static SCRIPTS: Mutex<BTreeMap<usize, Arc<Script>>> = Mutex::new(BTreeMap::new());
        Arc::clone(SCRIPTS.lock().entry(limits).or_insert_with(|| Arc::new(Self::new(limits))))
    }

    fn new(limits: usize) -> Self {
        let text = unrolled(include_str!("decide.lua"), limits);
        let sha = Sha1::from(&text).digest().to_string();
        Self { text, sha }
    }
}

/// Unrolls a text for a number of limits, and strips its blank lines and comments.
///
/// Consecutive lines that end in `--*` are repeated together, with 1, 2, .. in place of `$`. What
/// stands in `{{..}}` becomes a list. A comment is a line that begins with two dashes and a space.
fn unrolled(text: &str, limits: usize) -> String {
    let lines: Vec<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-- ")).collect();
    let mut unrolled = String::new();
    for lines in lines.chunk_by(|one, next| one.ends_with(EACH) == next.ends_with(EACH)) {
        if lines[0].ends_with(EACH) {
            for limit in 1..=limits {
                for line in lines {
                    unrolled += &line.trim_end_matches(EACH).replace('$', &limit.to_string());
                    unrolled.push('\n');
                }
            }
        } else {
            for line in lines {
                unrolled += &listed(line, limits);
                unrolled.push('\n');
            }
        }
    }
    unrolled
}

/// Marks a line that is repeated for each limit.
const EACH: &str = " --*";

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
        let text = "-- why\nif x$ --*\nend --*\n\nunpack('<d{{dd}}', {{level$, weight$}})\n";
        let plain = "if x1\nend\nif x2\nend\nunpack('<ddddd', level1, weight1, level2, weight2)\n";
        assert_eq!(unrolled(text, 2), plain);
    }
}
