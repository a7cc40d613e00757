//! The words with which items and runs end: done, failed and why, the sum of a batch, how to go on.

use std::time::{Duration, Instant};

use super::error::Problem;
use super::json::Totals;
use super::size_time::{elapsed, size};
use super::text::{command_line, count, escape};
use crate::engine::{Failure, FailureKind, Progress};

/// `NAME, 4.5 GiB in 3m12s, 24.1 MiB/s`, or that it was there already.
pub fn complete_text(name: &str, progress: &Progress, since: Option<Instant>) -> String {
    let (name, swarm) = (escape(name), &progress.swarm);
    let took = since.map(|since| since.elapsed()).unwrap_or_default();
    match swarm.downloaded {
        0 => format!("{name}, {}, all there", size(swarm.wanted_bytes)),
        bytes => {
            let rate = (bytes as f64 / took.as_secs_f64().max(0.001)) as u64;
            format!("{name}, {} in {}, {}/s", size(swarm.wanted_bytes), elapsed(took), size(rate))
        }
    }
}

/// `3 of 5 complete, 1 failed, 1 unfinished; 12.0 GiB in 3m12s`.
pub fn summary_text(totals: &Totals) -> String {
    let mut text = format!("{} of {} complete", totals.complete, count(totals.items as u64, "item"));
    for (number, word) in [(totals.failed, "failed"), (totals.unfinished, "unfinished")] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    let took = Duration::try_from_secs_f64(totals.seconds).unwrap_or_default();
    text + &format!("; {} in {}", size(totals.downloaded), elapsed(took))
}

/// The same command line once more.
pub fn how_to_go_on(line: &[String]) -> String {
    let program = line.first().map_or("rtorrent-cli", String::as_str);
    let program = if program.ends_with("/rtorrent-cli") && on_the_path() { "rtorrent-cli" } else { program };
    let line = command_line(std::iter::once(program).chain(line.iter().skip(1).map(String::as_str)));
    format!("to go on: {line}")
}

/// Whether the shell would find the program by its name alone.
fn on_the_path() -> bool {
    let own = std::env::current_exe().ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| Some(dir.join("rtorrent-cli")) == own)
}

/// What the engine says, with the item's name where the message does not have it.
pub fn problem_of(name: &str, failure: &Failure) -> Problem {
    let mut problem = problem(failure);
    let name = escape(name);
    if !problem.message.contains(&*name) {
        problem.message = format!("{name}: {}", problem.message);
    }
    problem
}

/// A failure of the engine, with what to try.
pub fn problem(failure: &Failure) -> Problem {
    let problem = Problem::new(failure.kind.into(), failure.message.clone());
    let advice = match failure.kind {
        FailureKind::NoMetadata => ("--metadata-timeout", "try again later, or give more --metadata-timeout"),
        FailureKind::Occupied => ("--overwrite", "--overwrite replaces it, -o gives another name"),
        FailureKind::NoSpace => ("-d", "make room, or choose another folder with -d"),
        FailureKind::InUse => ("process", "another rtorrent-cli process works on it"),
        FailureKind::Stalled => ("again", "try again later; what came is kept"),
        _ => return problem,
    };
    let (word, hint) = advice;
    if failure.message.contains(word) { problem } else { problem.hint(hint) }
}
