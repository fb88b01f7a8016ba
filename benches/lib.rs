//! Shared by the benchmarks: the table at the end of each, with values, aims, and whether each aim
//! is met.
//!
//! The benchmarks are in the folders beside this file. BENCHMARKS.md has their results.

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    what: String,
    value: f64,
    aim: Aim,
}

#[derive(Clone, Debug)]
enum Aim {
    AtMost(f64),
    AtLeast(f64),
    /// No aim, only a comparison.
    Nothing,
}

impl Line {
    /// Creates a line whose value should be at most `most`.
    #[must_use]
    pub fn at_most(what: impl Into<String>, value: f64, most: f64) -> Self {
        Self { what: what.into(), value, aim: Aim::AtMost(most) }
    }

    /// Creates a line whose value should be at least `least`.
    #[must_use]
    pub fn at_least(what: impl Into<String>, value: f64, least: f64) -> Self {
        Self { what: what.into(), value, aim: Aim::AtLeast(least) }
    }

    /// Creates a line without an aim.
    #[must_use]
    pub fn remark(what: impl Into<String>, value: f64) -> Self {
        Self { what: what.into(), value, aim: Aim::Nothing }
    }
}

/// Returns true if a part of a benchmark has to run: it is named on the command line, or none is.
#[must_use]
pub fn runs(part: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

/// Prints the table.
pub fn print(lines: impl Iterator<Item = Line>) {
    println!("\n| what | value | aim | met |\n| --- | --- | --- | --- |");
    for Line { what, value, aim } in lines {
        let (aim, met) = match aim {
            Aim::AtMost(most) => (format!("<= {most}"), if value <= most { "yes" } else { "no" }),
            Aim::AtLeast(least) => (format!(">= {least}"), if value >= least { "yes" } else { "no" }),
            Aim::Nothing => (String::new(), ""),
        };
        println!("| {what} | {value:.3} | {aim} | {met} |");
    }
}
