//! `verify TORRENT [PATH]`: hashes what is on disk and says what is bad.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::args::VerifyArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::signals::Signals;
use super::size_time::{elapsed, size};
use super::source::{self, Given};
use super::text::{count, escape};
use super::watched::watched;
use super::{fetch, json, place, runtime, settings};
use crate::base::bitfield::Bitfield;
use crate::base::metainfo::Info;
use crate::base::selection::{Selection, SelectionError};
use crate::engine::{EngineSettings, Stage};
use crate::io::check::{Checked, check};
use crate::io::file_set::{Allocate, FileError, FileSet, FileSetup, paths_of};
use crate::io::net_path::NetPath;
use crate::io::resume::edges_path;

/// Does the command.
pub fn run(args: &VerifyArgs) -> Exit {
    let mut display = Display::new(&args.output);
    let finished = work(args, &mut display);
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn work(args: &VerifyArgs, display: &mut Display) -> Result<Exit, Problem> {
    let selection = Selection::parse(&args.choice.select, &args.choice.exclude)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))?;
    let given = match Given::read(&args.source)? {
        Given::Url(url) => fetched(Given::Url(url), &settings::path(&args.network)?)?,
        given => given,
    };
    let state_dir = settings::state_dir(args.state.state_dir.as_deref());
    let metainfo = source::whole_torrent(given, "verify", state_dir.as_deref())?;
    let info = &metainfo.info;
    let selected = selection.apply(info).map_err(|error| {
        let exit = if matches!(error, SelectionError::NothingMatches(_)) { Exit::NotFound } else { Exit::Usage };
        Problem::new(exit, error.to_string())
    })?;
    let place = place::find(info, &args.path)?;
    let files = FileSet::open(FileSetup {
        layout: info.layout.clone(),
        paths: paths_of(info, place.name.as_deref().map(OsStr::new)),
        dir: place.dir,
        selected: selected.clone(),
        part: true,
        allocate: Allocate::Sparse,
        writable: false,
        overwrite: false,
        edges: state_dir.map(|state| edges_path(&state, &info.id)),
        max_open: 128,
    })
    .map_err(|error| Problem::new(Exit::FileIo, error.to_string()).because(error))?;
    let started = Instant::now();
    let findings = Findings::make(&files, info, &selected, display);
    display.clear();
    report(&findings, info, &files, started.elapsed(), display)
}

/// A source that is a URL is fetched first.
fn fetched(given: Given, path: &NetPath) -> Result<Given, Problem> {
    runtime::block_on(async {
        let mut signals = Signals::listen()?;
        let user_agent = EngineSettings::default().user_agent;
        let fetched = fetch::resolve(given, &user_agent, &[], path, &mut signals).await?;
        fetched.map_err(|signal| Problem::new(Exit::Signal(signal), "stopped"))
    })
}

/// What a check found, file by file.
struct Findings {
    /// Every piece of the selected files.
    pieces: u32,
    bytes: u64,
    bad: Bitfield,
    /// Pieces that no one can check since they reach into files that were not selected and are not here.
    unknown: Bitfield,
    missing: Vec<usize>,
    /// What can't be read, or is longer than it should be.
    unreadable: BTreeMap<usize, FileError>,
}

impl Findings {
    fn make(files: &FileSet, info: &Info, selected: &[bool], display: &mut Display) -> Findings {
        let wanted = files.wanted();
        let missing = files.missing();
        let present = files.present();
        let lost = files.pieces_with(|index| selected[index] && missing.contains(&index));
        let mut checkable = Bitfield::new(wanted.len());
        let mut unknown = Bitfield::new(wanted.len());
        let mut bad = Bitfield::new(wanted.len());
        for piece in wanted.ones() {
            match (lost.get(piece), present.get(piece)) {
                (true, _) => bad.set(piece),
                (false, true) => checkable.set(piece),
                (false, false) => unknown.set(piece),
            };
        }
        let Checked { verified, mut unreadable } = check_and_show(files, info, &checkable, display);
        // Bytes behind the last piece are in none.
        for (index, _) in info.stored_files().filter(|(index, _)| selected[*index]) {
            if let Some(error @ FileError::Long { .. }) = files.problem(index) {
                unreadable.entry(index).or_insert(error);
            }
        }
        checkable.ones().filter(|piece| !verified.get(*piece)).for_each(|piece| {
            bad.set(piece);
        });
        let bytes = checkable.ones().map(|piece| u64::from(info.layout.piece_len(piece))).sum();
        Findings { pieces: wanted.count(), bytes, bad, unknown, missing, unreadable }
    }
}

/// Hashes while it is shown how far that is.
fn check_and_show(files: &FileSet, info: &Info, pieces: &Bitfield, display: &mut Display) -> Checked {
    let checked = watched(&info.name, Stage::Checking, display, |watch| check(files, &info.hashes, pieces, watch));
    checked.expect("nobody cancels it")
}

fn report(
    findings: &Findings,
    info: &Info,
    files: &FileSet,
    took: Duration,
    display: &Display,
) -> Result<Exit, Problem> {
    let selected = files.selected();
    for (shown, (index, file)) in info.stored_files().enumerate() {
        if !selected[index] {
            continue;
        }
        let bad: Vec<u32> = info.layout.pieces_of(index).filter(|piece| findings.bad.get(*piece)).collect();
        let missing = findings.missing.contains(&index);
        let trouble = findings.unreadable.get(&index);
        let path = files.path(index);
        display.json_line(&json::checked_file(shown + 1, &path, missing, trouble.map(ToString::to_string), &bad))?;
        let name = escape(&json::slashed(file.path.as_path())).into_owned();
        if missing {
            display.result_line(&format!("missing  {name}"))?;
        } else if let Some(trouble) = trouble {
            let word = if matches!(trouble, FileError::Long { .. }) { "too long" } else { "unreadable" };
            display.result_line(&format!("{word}  {name}: {trouble}"))?;
        } else if !bad.is_empty() {
            display.result_line(&format!("bad  {name}: {} {}", plural(bad.len(), "piece"), ranges(&bad)))?;
        }
    }
    let bad = findings.bad.count();
    let good = findings.missing.iter().all(|index| !selected[*index]) && bad == 0 && findings.unreadable.is_empty();
    let exit = if good { Exit::Success } else { Exit::Verification };
    if findings.unknown.count() > 0 {
        display.warning(&format!(
            "{} cannot be checked: they reach into files that are not selected and not here",
            count(findings.unknown.count().into(), "piece")
        ));
    }
    display.json_line(&json::check_summary(findings.pieces, bad, findings.unknown.count(), exit))?;
    let name = escape(&info.name);
    if good {
        let rate = (findings.bytes as f64 / took.as_secs_f64().max(0.001)) as u64;
        let all = count(findings.pieces.into(), "piece");
        let line = format!("{name}, {all}, {} in {}, {}/s", size(findings.bytes), elapsed(took), size(rate));
        display.good("good", &line);
    } else {
        display.problem(&Problem::new(exit, format!("{name}: {}", verdict(bad, findings.pieces))));
    }
    Ok(exit)
}

/// What is wrong as a whole.
fn verdict(bad: u32, pieces: u32) -> String {
    match bad {
        0 => "all pieces are good, but not all files".to_owned(),
        1 => format!("1 of {} is bad", count(pieces.into(), "piece")),
        _ => format!("{bad} of {} are bad", count(pieces.into(), "piece")),
    }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

/// `3, 7-9`: neighbours together.
fn ranges(pieces: &[u32]) -> String {
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for &piece in pieces {
        match ranges.last_mut() {
            Some(last) if last.end == piece => last.end += 1,
            _ => ranges.push(piece..piece + 1),
        }
    }
    let shown = |range: &Range<u32>| match range.len() {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    };
    ranges.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_pieces_are_one_range() {
        assert_eq!(ranges(&[3, 7, 8, 9, 11]), "3, 7-9, 11");
        assert_eq!(ranges(&[]), "");
    }
}
