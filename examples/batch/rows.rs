//! The rows of the input, and the part of them that a process answers.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, bail};

/// One of several equal parts of the rows: every second, third or later row.
#[derive(Debug)]
pub(crate) struct Part {
    number: usize,
    of: usize,
}

impl Part {
    pub(crate) const ALL: Self = Self { number: 1, of: 1 };

    pub(crate) fn contains(&self, row: usize) -> bool {
        row % self.of == self.number - 1
    }

    /// Returns what the part adds to the name of a file.
    pub(crate) fn suffix(&self) -> String {
        if self.of == 1 { String::new() } else { format!(".{}-of-{}", self.number, self.of) }
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    /// Reads `1/4`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let part = text
            .split_once('/')
            .and_then(|(number, of)| Some(Self { number: number.parse().ok()?, of: of.parse().ok()? }));
        match part {
            Some(part) if (1..=part.of).contains(&part.number) => Ok(part),
            _ => bail!("the part is {text:?}; expected one such as `1/4`"),
        }
    }
}

/// Returns the number of rows.
pub(crate) fn count(path: &Path) -> anyhow::Result<usize> {
    Ok(open(path)?.split(b'\n').try_fold(0, |rows, row| row.map(|_| rows + 1))?)
}

/// Returns the rows with their numbers. One is read at a time.
pub(crate) fn rows(path: &Path) -> anyhow::Result<impl Iterator<Item = (usize, io::Result<Vec<u8>>)>> {
    Ok(open(path)?.split(b'\n').enumerate())
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}
