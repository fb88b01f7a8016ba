//! `Script`: the text that decides a batch on the server, for a number of limits.
//!
//! `decide.lua` is written once for any number of limits and unrolled here, which takes the server a sixth less time
//! than loops do.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sha1_smol::Sha1;

/// The script for limiters with so many limits.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    /// By which the server knows the text once it has seen it.
    pub(super) sha: String,
}

impl Script {
    /// All limiters with so many have the same.
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

/// Lines that end in `--*` are repeated together, with the number of the limit for `$`; so is, as a list, what stands in
/// `{{..}}`.
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

const EACH: &str = " --*";

fn listed(line: &str, limits: usize) -> String {
    let mut listed = String::new();
    let mut rest = line;
    while let Some((before, (list, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        // A list of names has commas between them; the letters of a format have not.
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
