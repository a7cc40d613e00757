//! The words with which items and runs end: done, failed and why, the sum of a batch, how to go on.

use std::time::{Duration, Instant};

use super::error::Problem;
use super::json::Totals;
use super::size_time::{elapsed, size};
use super::text::{clip, command_line, count, escape, fit, width};
use crate::engine::{Failure, FailureKind};

/// `NAME, 4.5 GiB in 3m12s, 24.1 MiB/s`, or that it was there already.
pub fn complete_text(name: &str, wanted: u64, downloaded: u64, since: Option<Instant>) -> String {
    let name = escape(name);
    let took = since.map(|since| since.elapsed()).unwrap_or_default();
    match downloaded {
        0 => format!("{name}, {}, all there", size(wanted)),
        bytes => {
            let rate = (bytes as f64 / took.as_secs_f64().max(0.001)) as u64;
            format!("{name}, {} in {}, {}/s", size(wanted), elapsed(took), size(rate))
        }
    }
}

/// `3 of 5 complete, 1 failed, 1 unfinished; 12.0 GiB in 3m12s`.
pub fn summary_text(totals: &Totals) -> String {
    let mut text = format!("{} of {} complete", totals.complete, count(totals.items as u64, "item"));
    for (number, word) in [(totals.failed, "failed"), (totals.unfinished, "unfinished"), (totals.skipped, "skipped")] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    let took = Duration::try_from_secs_f64(totals.seconds).unwrap_or_default();
    text + &format!("; {} in {}", size(totals.downloaded), elapsed(took))
}

/// One item as the table in the end shows it.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    pub word: &'static str,
    pub name: String,
    /// There and verified.
    pub bytes: u64,
    /// Received in this run.
    pub downloaded: u64,
    pub took: Duration,
    /// What it failed for.
    pub why: Option<String>,
}

/// What came of each item, a line each, at most `columns - 1` wide.
pub fn summary_table(endings: &[Ending], columns: usize) -> Vec<String> {
    let word_columns = endings.iter().map(|ending| ending.word.len()).max().unwrap_or(0);
    let line = |ending: &Ending| {
        let bytes = if ending.bytes > 0 { size(ending.bytes) } else { "-".to_owned() };
        let seconds = ending.took.as_secs_f64();
        let rate = match ending.downloaded {
            0 => "-".to_owned(),
            bytes => format!("{}/s", size((bytes as f64 / seconds.max(0.001)) as u64)),
        };
        let start = format!("{:word_columns$}  {bytes:>9}  {rate:>11}  ", ending.word);
        let why = ending.why.as_deref().map(escape).map(|why| why.into_owned());
        let name = escape(&ending.name);
        // The reason mostly begins with the name.
        let text = match why {
            Some(why) if why.contains(&*name) => why,
            Some(why) => format!("{name}: {why}"),
            None => name.into_owned(),
        };
        let room = columns.saturating_sub(1);
        match room.checked_sub(width(&start)).filter(|room| *room >= 10) {
            Some(room) => format!("{start}{}", fit(&text, room)),
            None => clip(&format!("{:word_columns$}  {text}", ending.word), room).into_owned(),
        }
    };
    endings.iter().map(line).collect()
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
    // Another folder makes no room for what a pipe leads to.
    if failure.kind == FailureKind::NoSpace && failure.message.contains("standard output") {
        return problem;
    }
    let (word, hint) = advice;
    if failure.message.contains(word) { problem } else { problem.hint(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_an_item_at_any_width() {
        let done = Ending {
            word: "done",
            name: "debian-12.5.0-amd64-netinst.iso".into(),
            bytes: 4 << 30,
            downloaded: 1 << 30,
            took: Duration::from_secs(64),
            ..Ending::default()
        };
        let why = Some("a\u{1b}[2J.torrent: not a torrent".to_owned());
        let failed = Ending { word: "failed", name: "a\u{1b}[2J.torrent".into(), why, ..Ending::default() };
        assert_eq!(
            summary_table(&[done.clone(), failed.clone()], 100),
            [
                "done      4.0 GiB   16.0 MiB/s  debian-12.5.0-amd64-netinst.iso",
                "failed          -            -  a\\u{1b}[2J.torrent: not a torrent",
            ]
        );
        for columns in 0..120 {
            let lines = summary_table(&[done.clone(), failed.clone()], columns);
            assert!(lines.iter().all(|line| width(line) < columns.max(1)), "{columns}: {lines:?}");
        }
    }
}
