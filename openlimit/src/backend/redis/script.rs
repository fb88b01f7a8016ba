//! `Script`: the text of `decide/*.lua`, for limiters with given limits.
//!
//! It is written for any number of limits, of which some reset and the last may be shares, and
//! unrolled here. The unrolled text takes the server a sixth less time than loops would.
//!
//! It has about thirty variables for each limit. A Lua function may have 200 local ones, which are
//! enough for [`MOST_LOCAL`] limits. For more, the text has a table for each variable.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sha1_smol::Sha1;

/// The script for limiters with so many limits and shares, of which the same ones reset.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) text: String,
    /// The SHA-1 of the text, which names it on a server that has seen it.
    pub(super) sha: String,
}

impl Script {
    /// Returns the script for limits, each of which resets or leaks, and the last of which are
    /// `shares`. Creates each once per process.
    pub(super) fn of(reset: &[bool], shares: usize) -> Arc<Self> {
        type Scripts = BTreeMap<(Box<[bool]>, usize), Arc<Script>>;
        static SCRIPTS: Mutex<Scripts> = Mutex::new(BTreeMap::new());
        let mut scripts = SCRIPTS.lock();
        Arc::clone(
            scripts
                .entry((reset.into(), shares))
                .or_insert_with(|| Arc::new(Self::new(reset, shares, reset.len() > MOST_LOCAL))),
        )
    }

    /// Creates one whose variables are local or else in tables.
    pub(super) fn new(reset: &[bool], shares: usize, in_tables: bool) -> Self {
        let text = unrolled(DECIDE, reset, shares, in_tables);
        let sha = Sha1::from(&text).digest().to_string();
        Self { text, sha }
    }
}

/// The parts of the script, in their order.
const DECIDE: &str = concat!(
    include_str!("decide/batch.lua"),
    include_str!("decide/state.lua"),
    include_str!("decide/stack.lua"),
    include_str!("decide/seen.lua"),
    include_str!("decide/refunds.lua"),
    include_str!("decide/holds.lua"),
    include_str!("decide/calls.lua"),
    include_str!("decide/reply.lua"),
);

/// The most limits whose variables are local.
pub(super) const MOST_LOCAL: usize = 4;

/// Unrolls a text for limits, each of which resets or leaks, and the last of which are `shares`.
/// Strips its blank lines and comments.
///
/// Consecutive lines that end in `--*` are repeated together for each limit, with 1, 2, .. in place
/// of `$`. Among them, those that end in `--resets` are only for limits that reset, those that end
/// in `--leaks` only for the others, and those that end in `--shares` only for shares. What stands
/// in `{{..}}` becomes a list. A comment is a line that begins with two dashes and a space.
///
/// If variables are `in_tables`, `level[1]` takes the place of `level1`, and `local level = {}`
/// that of its declaration, which needs a value.
fn unrolled(text: &str, reset: &[bool], shares: usize, in_tables: bool) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-- "));
    let marked: Vec<_> = lines.map(Line::read).collect();
    let mut unrolled = String::new();
    for lines in marked.chunk_by(|one, next| one.is_marked() == next.is_marked()) {
        if lines[0].is_marked() {
            let declared = |line: &Line<'_>| if in_tables { line.tables() } else { None };
            lines.iter().filter_map(declared).for_each(|tables| unrolled += &tables);
            for (limit, resets) in reset.iter().enumerate() {
                let is_share = limit >= reset.len() - shares;
                for line in lines.iter().filter(|line| line.is_for(*resets, is_share)) {
                    let is_declared = declared(line).is_some();
                    let text = if is_declared { line.text.trim_start_matches(LOCAL) } else { line.text };
                    unrolled += &numbered(text, limit + 1, in_tables);
                    unrolled.push('\n');
                }
            }
        } else {
            for line in lines {
                unrolled += &listed(line.text, reset.len(), in_tables);
                unrolled.push('\n');
            }
        }
    }
    unrolled
}

/// A line of the text, without its mark.
struct Line<'a> {
    text: &'a str,
    mark: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        match line.rsplit_once(" --") {
            Some((text, mark @ (EACH | RESETS | LEAKS | SHARES))) => Self { text, mark: Some(mark) },
            _ => Self { text: line, mark: None },
        }
    }

    fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// Returns the declaration of tables for the variables of each limit that it declares.
    fn tables(&self) -> Option<String> {
        let (names, _) =
            self.text.strip_prefix(LOCAL)?.split_once(" = ").filter(|(names, _)| names.contains('$'))?;
        let tables = vec!["{}"; names.split(", ").count()].join(", ");
        Some(format!("{LOCAL}{} = {tables}\n", names.replace('$', "")))
    }

    /// Returns true if it is repeated for a limit that resets or else leaks, or that is a share.
    fn is_for(&self, resets: bool, is_share: bool) -> bool {
        match self.mark {
            Some(RESETS) => resets,
            Some(LEAKS) => !resets,
            Some(SHARES) => is_share,
            _ => true,
        }
    }
}

/// Marks a line that is repeated for each limit.
const EACH: &str = "*";

/// Marks one that is repeated for each limit that resets.
const RESETS: &str = "resets";

/// Marks one that is repeated for each limit that does not.
const LEAKS: &str = "leaks";

/// Marks one that is repeated for each share.
const SHARES: &str = "shares";

/// Begins the declaration of variables.
const LOCAL: &str = "local ";

/// Puts the number of a limit in place of `$`: into the names of its variables, or as an index into
/// their tables.
fn numbered(text: &str, limit: usize, in_tables: bool) -> String {
    let mut parts = text.split('$');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = numbered.rsplit(|char: char| !char.is_ascii_alphabetic() && !"._".contains(char)).next();
        // A field is in a table already.
        let is_variable = name.is_some_and(|name| !name.is_empty() && !name.contains('.'));
        numbered += &if in_tables && is_variable { format!("[{limit}]") } else { limit.to_string() };
        numbered += part;
    }
    numbered
}

/// Writes out the lists in a line.
fn listed(line: &str, limits: usize, in_tables: bool) -> String {
    let mut listed = String::new();
    let mut rest = line;
    while let Some((before, (list, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        // Names need commas between them. The letters of a format must not have any.
        let between = if list.contains('$') { ", " } else { "" };
        let items: Vec<_> = (1..=limits).map(|limit| numbered(list, limit, in_tables)).collect();
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
        assert_eq!(unrolled(text, &[false, false], 0, false), plain);
    }

    #[test]
    fn some_lines_are_only_for_limits_that_reset_and_some_only_for_the_others() {
        let text = "all$ --*\n-- why\ncounts$ --resets\nflows$ --leaks\nend\nnone$ --resets\n";
        assert_eq!(unrolled(text, &[false, true], 0, false), "all1\nflows1\nall2\ncounts2\nend\nnone2\n");
        assert_eq!(unrolled(text, &[false], 0, false), "all1\nflows1\nend\n");
    }

    #[test]
    fn some_lines_are_only_for_shares() {
        let text = "all$ --*\nbelow$ --shares\nend\n";
        assert_eq!(unrolled(text, &[false; 4], 2, false), "all1\nall2\nall3\nbelow3\nall4\nbelow4\nend\n");
        assert_eq!(unrolled(text, &[false], 0, false), "all1\nend\n");
    }

    #[test]
    fn variables_become_entries_of_tables() {
        let text = "local one$, of_two$ = 0, {} --*\nif x[$] > of_two$[one$] then y.z$ = $ end --*\nf({{one$, x[$]}})\n";
        let plain = [
            "local one, of_two = {}, {}",
            "one[1], of_two[1] = 0, {}",
            "if x[1] > of_two[1][one[1]] then y.z1 = 1 end",
            "one[2], of_two[2] = 0, {}",
            "if x[2] > of_two[2][one[2]] then y.z2 = 2 end",
            "f(one[1], x[1], one[2], x[2])",
        ];
        let unrolled = unrolled(text, &[false; 2], 0, true);
        assert_eq!(unrolled.lines().collect::<Vec<_>>(), plain);
    }
}
