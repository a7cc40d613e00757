//! `get SRC...`: from what a person typed to items for the engine, and back to an exit code.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use super::args::GetArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::run::{self, Job, Limits};
use super::signals::Signals;
use super::source::{self, Given};
use super::{fetch, runtime, settings};
use crate::base::id::TorrentId;
use crate::base::selection::{Selection, SelectionError};
use crate::engine::{Goal, Item, ItemKey, ItemSource};

/// Does the command; `line` is what was typed.
pub fn run(args: &GetArgs, line: Vec<String>) -> Exit {
    let started = Instant::now();
    let mut display = Display::new(&args.output);
    settings::start_logging(args.output.verbose, &display);
    let finished = check_flags(args).and_then(|selection| work(args, line, selection, &mut display, started));
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn work(
    args: &GetArgs,
    line: Vec<String>,
    selection: Selection,
    display: &mut Display,
    started: Instant,
) -> Result<Exit, Problem> {
    let mut sources = read_sources(args, display);
    runtime::block_on(async {
        let mut signals = Signals::listen()?;
        let engine = settings::engine(&args.network, &args.state);
        // Sources that are at fault are told of before anything is begun.
        let jobs = match fetch::fetch_all(&mut sources, &engine.user_agent, &mut signals).await {
            Ok(()) => jobs(args, sources, &selection, display),
            Err(signal) => return Ok(Exit::Signal(signal)),
        };
        let limits = Limits {
            jobs: args.jobs as usize,
            stop_at: args.limits.max_time.0.and_then(|limit| started.checked_add(limit)),
            line,
        };
        let ended = run::run(engine, jobs, limits, started, display, &mut signals).await?;
        Ok(ended.exit)
    })
}

/// A source of the command line on its way to an item.
#[derive(Debug)]
pub struct Source {
    pub key: ItemKey,
    /// As it was typed, fit to print.
    pub text: String,
    pub given: Result<Given, Problem>,
}

/// What is wrong with the flags whatever the sources are.
fn check_flags(args: &GetArgs) -> Result<Selection, Problem> {
    let usage = |message: &str| Err(Problem::new(Exit::Usage, message));
    let standard_input = args.sources.iter().filter(|source| *source == "-").count();
    match args.target.name.as_deref() {
        _ if standard_input > 1 => return usage("standard input (-) holds one torrent; name it once"),
        None => {}
        Some("-") => return usage("-o -: this version does not write to standard output; leave it out or give a name"),
        Some(_) if args.sources.len() > 1 => return usage("-o names one download, but there are several sources"),
        Some(name) if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) => {
            return usage("-o is the name of a file or folder; the folder it goes to is -d");
        }
        #[cfg(windows)]
        Some(name) if name.contains('\\') => return usage("-o is a name; the folder it goes to is -d"),
        Some(_) => {}
    }
    check_dir(&args.target.dir)?;
    Selection::parse(&args.choice.select, &args.choice.exclude)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))
}

/// A folder, or nothing where one can be made.
fn check_dir(dir: &Path) -> Result<(), Problem> {
    match std::fs::metadata(dir) {
        Ok(found) if !found.is_dir() => {
            Err(Problem::new(Exit::Occupied, format!("-d {}: a file is there, not a folder", dir.display())))
        }
        _ => Ok(()),
    }
}

fn read_sources(args: &GetArgs, display: &Display) -> Vec<Source> {
    let mut sources = Vec::with_capacity(args.sources.len());
    for (key, source) in (1..).map(ItemKey).zip(&args.sources) {
        let text = source::shown(&source.to_string_lossy());
        let given = Given::read(source);
        if let (Ok(_), Some(note)) = (&given, source::cut_by_the_shell(source)) {
            display.note(&format!("note: {note}"));
        }
        sources.push(Source { key, text, given });
    }
    sources
}

/// Items of the sources that are in order; a torrent that was named twice is one item.
fn jobs(args: &GetArgs, sources: Vec<Source>, selection: &Selection, display: &Display) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::with_capacity(sources.len());
    let mut seen: HashMap<TorrentId, usize> = HashMap::new();
    for Source { key, text, given } in sources {
        let given = given.and_then(|given| given.into_item_source().ok_or_else(|| not_fetched(&text)));
        let twin = given.as_ref().ok().and_then(|source| seen.get(&source::id(source)).copied());
        match (twin, given) {
            (Some(twin), Ok(source)) => {
                let first: &mut Job = &mut jobs[twin];
                display.note(&format!("note: {text} is the same torrent as {}; taken once", first.text));
                first.learn(&source);
            }
            (_, given) => {
                let item = given.and_then(|source| item(args, source, selection));
                if let Ok(item) = &item {
                    seen.insert(source::id(&item.source), jobs.len());
                }
                jobs.push(Job { key, text, item });
            }
        }
    }
    jobs
}

fn not_fetched(text: &str) -> Problem {
    Problem::new(Exit::Network, format!("{text}: not fetched"))
}

fn item(args: &GetArgs, source: ItemSource, selection: &Selection) -> Result<Item, Problem> {
    let selection = match &source {
        ItemSource::Torrent(metainfo) => {
            selection.apply(&metainfo.info).map_err(|error| nothing_selected(&source, error))?;
            selection.clone()
        }
        ItemSource::Magnet(magnet) => selection.clone().with_so(&magnet.select),
    };
    Ok(Item {
        source,
        goal: Goal::Download { seed_ratio: args.goals.seed_ratio, seed_time: args.goals.seed_time },
        dir: args.target.dir.clone(),
        name: args.target.name.clone(),
        selection,
        check: args.target.check.into(),
        overwrite: args.target.overwrite,
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        metadata_timeout: args.limits.metadata_timeout.0,
        stall_timeout: args.limits.stall_timeout.0,
    })
}

fn nothing_selected(source: &ItemSource, error: SelectionError) -> Problem {
    let exit = match error {
        SelectionError::NothingMatches(_) => Exit::NotFound,
        _ => Exit::Usage,
    };
    Problem::new(exit, format!("{}: {error}", source::shown(&source::label(source))))
}
