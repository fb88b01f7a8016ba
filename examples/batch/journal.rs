//! `Journal`: the answers and failures so far, from which a later run knows what is left.
//!
//! A row is written at once, after its answer is there. If the program is killed before, the row is
//! sent again. If it is killed within, the torn row is cut off at the next start.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::rows::Part;

#[derive(Debug)]
pub(crate) struct Journal {
    answers: Mutex<Log>,
    failures: Mutex<Log>,
    /// A bit for each row: a million rows take 125 KB.
    done: Vec<u64>,
}

/// A file to which rows are added.
#[derive(Debug)]
struct Log {
    file: File,
    rows: usize,
}

/// The number of a row, which is all that is read of it.
#[derive(Deserialize)]
struct Done {
    row: usize,
}

impl Journal {
    /// Opens the files of this part, and reads those of all parts, so that the rows may be divided
    /// differently from run to run.
    pub(crate) fn open(output: &Path, part: &Part, total: usize) -> anyhow::Result<Self> {
        let stem = output.file_stem().context("the output has no name")?.to_string_lossy().into_owned();
        let folder =
            output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mine = |kind: &str| folder.join(format!("{stem}{}{kind}.jsonl", part.suffix()));
        let (answers, failures) = (Log::open(&mine(""))?, Log::open(&mine(".failed"))?);
        let mut done = vec![0; total.div_ceil(64)];
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if is_of(&path, &stem) {
                read_done(&path, total, &mut done)?;
            }
        }
        Ok(Self { answers: Mutex::new(answers), failures: Mutex::new(failures), done })
    }

    pub(crate) fn is_done(&self, row: usize) -> bool {
        self.done.get(row / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }

    pub(crate) fn answered(&self, row: usize, reply: &Value) -> anyhow::Result<()> {
        add(&self.answers, format!("{{\"row\":{row},\"reply\":{reply}}}\n"))
    }

    pub(crate) fn failed(&self, row: usize, reason: &str) -> anyhow::Result<()> {
        add(&self.failures, format!("{{\"row\":{row},\"error\":{}}}\n", Value::from(reason)))
    }

    /// Returns the number of rows that this run answered.
    pub(crate) fn answers(&self) -> usize {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).rows
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).rows
    }
}

impl Log {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot_open = || format!("cannot open {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(path);
        let file = file.with_context(cannot_open)?;
        let mut end = 0;
        let mut rows = BufReader::new(&file).split(b'\n');
        let length = file.metadata()?.len();
        while let Some(row) = rows.next().transpose()? {
            let next = end + row.len() as u64 + 1;
            if next > length {
                break;
            }
            end = next;
        }
        file.set_len(end)?;
        // If another process writes to it by mistake, the rows of both are kept.
        let file = OpenOptions::new().append(true).open(path).with_context(cannot_open)?;
        Ok(Self { file, rows: 0 })
    }
}

fn add(log: &Mutex<Log>, line: String) -> anyhow::Result<()> {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.file.write_all(line.as_bytes())?;
    log.rows += 1;
    Ok(())
}

/// Returns whether a file is one of the journal: `answers.jsonl`, `answers.failed.jsonl`,
/// `answers.1-of-4.jsonl`.
fn is_of(path: &Path, stem: &str) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(".jsonl"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn read_done(path: &Path, total: usize, done: &mut [u64]) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    for line in BufReader::new(file).split(b'\n') {
        // A row that another process is writing is not whole yet. It is not of this part.
        if let Ok(Done { row }) = serde_json::from_slice(&line?)
            && row < total
        {
            done[row / 64] |= 1 << (row % 64);
        }
    }
    Ok(())
}
