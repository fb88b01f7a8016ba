//! Answers every row of a JSONL file, and goes on where it stopped.
//!
//!     cargo run --release --example batch -- requests.jsonl answers.jsonl
//!
//! Each row of the input is the body of a chat request. Each answer is a row with its number and
//! the reply: `{"row":7,"reply":{..}}`. Rows that cannot be answered go to
//! `answers.failed.jsonl`, with the reason. Kill it at any time and start it again: no row that has
//! an answer is sent again, and none is lost. To try failed rows again, delete that file. Rows are
//! known by their numbers, so do not change the input in between.
//!
//! It stops if no row can be answered: the quota is used up, the key is wrong, or nothing answers.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `OPENAI_API_KEY`, `OPENAI_BASE_URL` | the account | a strict provider inside this program |
//! | `OPENAI_RPM`, `OPENAI_TPM` | its limits on requests and tokens per minute | 600 and 200 000 |
//! | `REDIS_URL` | shares the limits between all processes with the same URL | in memory |
//!
//! To share the work, too, start several processes with another last argument: `1/4`, `2/4`, `3/4`
//! and `4/4` each answer a quarter of the rows. Start each part once. Without arguments, it answers
//! 200 rows of its own.

mod call;
mod journal;
mod rows;

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use openlimit::testing::Provider;
use openlimit::{ChatRateLimiter, Rate};
use openlimit_examples::{Api, request};

use self::call::{Caller, Outcome};
use self::journal::Journal;
use self::rows::{Part, count, rows};

/// The most calls that are in flight. It bounds the memory: a row is read when a call ends.
const AT_ONCE: usize = 256;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let (input, output, part) = arguments()?;
    let (requests, tokens) = (per_minute("OPENAI_RPM", 600)?, per_minute("OPENAI_TPM", 200_000)?);
    let provider = Provider::builder().requests(requests).tokens(tokens).charges_usage(true);
    let provider = if env::var_os("OPENAI_API_KEY").is_none() { Some(provider.start()?) } else { None };
    let api = match &provider {
        Some(provider) => Api::new(provider.url(), "none needed".to_owned())?,
        None => Api::from_env()?.context("`OPENAI_API_KEY` is empty")?,
    };
    let limiter = ChatRateLimiter::builder().requests(requests).tokens(tokens).name("batch");
    let limiter = match env::var("REDIS_URL") {
        Ok(url) => limiter.redis(url).build()?,
        Err(_) => limiter.build()?,
    };

    let total = count(&input)?;
    let journal = Journal::open(&output, &part, total)?;
    let left = (0..total).filter(|row| part.contains(*row) && !journal.is_done(*row)).count();
    println!("{total} rows in {}, of which {left} are left for this process.", input.display());
    let progress = progress(left as u64)?;
    let caller = Caller::new(limiter.clone(), api);
    let calls = rows(&input)?
        .filter(|(number, _)| part.contains(*number) && !journal.is_done(*number))
        .take_while(|_| !caller.is_stopped())
        .map(|(number, row)| {
            let (caller, journal, progress) = (&caller, &journal, &progress);
            async move {
                match caller.answer(&row?).await {
                    Outcome::Answered(reply) => journal.answered(number, &reply)?,
                    Outcome::Failed(reason) => journal.failed(number, &reason)?,
                    Outcome::Stopped => return Ok(()),
                }
                progress.inc(1);
                anyhow::Ok(())
            }
        });
    let mut calls = stream::iter(calls).buffer_unordered(AT_ONCE);
    while let Some(done) = calls.next().await {
        done?;
    }
    progress.abandon();
    if env::var_os("REDIS_URL").is_some() {
        // What the last calls gave back.
        limiter.flush(Duration::from_secs(5)).await?;
    }
    println!("{} answered, {} failed; {}", journal.answers(), journal.failures(), limiter.status()?);
    Ok(match caller.reason() {
        Some(reason) => {
            eprintln!("stopped: {reason}; start it again to go on");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    })
}

/// Returns the input, the output, and the part of the rows.
fn arguments() -> anyhow::Result<(PathBuf, PathBuf, Part)> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [input, output, ..] = arguments.as_slice() {
        ensure!(input != output, "the input and the output are the same file");
        ensure!(output.ends_with(".jsonl"), "expected an output such as answers.jsonl, found {output}");
    }
    match arguments.as_slice() {
        [] => {
            let folder = env::temp_dir().join("openlimit-batch");
            fs::create_dir_all(&folder)?;
            let input = folder.join("requests.jsonl");
            write_requests(&input, 200)?;
            Ok((input, folder.join("answers.jsonl"), Part::ALL))
        }
        [input, output] => Ok((input.into(), output.into(), Part::ALL)),
        [input, output, part] => Ok((input.into(), output.into(), part.parse()?)),
        _ => bail!("expected: batch requests.jsonl answers.jsonl [1/4]"),
    }
}

fn write_requests(path: &Path, rows: usize) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in 0..rows {
        writeln!(file, "{}", request(number, "gpt-4o"))?;
    }
    Ok(file.flush()?)
}

fn per_minute(variable: &str, default: u64) -> anyhow::Result<Rate> {
    let amount = match env::var(variable) {
        Ok(amount) => amount.parse().with_context(|| format!("{variable} is {amount:?}, not a number"))?,
        Err(_) => default,
    };
    Ok(Rate::per_minute(amount))
}

fn progress(rows: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(rows).with_style(style))
}
