//! `get SRC...`: from what a person typed to items for the engine, and back to an exit code.

use std::path::Path;
use std::time::Instant;

use clap::ArgMatches;

use super::archive::Archive;
use super::args::GetArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::feed::Feed;
use super::hooks::Hooks;
use super::input_file::Entry;
use super::item_args::ItemArgs;
use super::run::{self, Job, MoreJobs, Options, Pending};
use super::signals::Signals;
use super::source::{self, Given};
use super::sources::{self, Kept, Source};
use super::{look, passing, pick, runtime, settings};
use crate::base::selection::{Selection, SelectionError};
use crate::engine::{Goal, Item, ItemKey, ItemSource, Order};

/// Does the command; `typed` and `line` are what was typed, `item_args` makes the flags of one item.
pub fn run(args: &GetArgs, item_args: &ItemArgs, typed: &ArgMatches, line: Vec<String>) -> Exit {
    let started = Instant::now();
    let mut display = Display::new(&args.output);
    let finished = settings::start_logging(&args.output, &display)
        .and_then(|()| check_flags(args, &line))
        .and_then(|()| if passing::asked(args) { passing::check(args, typed) } else { Ok(()) })
        .and_then(|()| work(args, item_args, line, &mut display, started));
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn work(
    args: &GetArgs,
    item_args: &ItemArgs,
    line: Vec<String>,
    display: &mut Display,
    started: Instant,
) -> Result<Exit, Problem> {
    let looks = args.look.list || args.look.dry_run;
    let sources = sources::read(args, item_args, display)?;
    let reads = args.batch.input_file.as_deref() == Some(Path::new("-"));
    if sources.is_empty() && !reads {
        display.note("nothing to do: no source was given");
        return Ok(Exit::Success);
    }
    if args.look.interactive {
        pick::possible()?;
    }
    let archive = args.batch.archive.as_deref().map(Archive::open).transpose()?;
    let passes = passing::asked(args);
    let feed = if reads { Some(more_jobs(sources.len(), item_args.clone(), looks)?) } else { None };
    let jobs = sources.into_iter().map(|source| job(source, looks, passes)).collect();
    runtime::block_on(async {
        let mut signals = Signals::listen()?;
        let mut engine = settings::engine(&args.network, &args.state, display)?;
        engine.limits = args.rates.settings();
        engine.keeps_state = !passes;
        let state_dir = engine.state_dir.clone();
        let options = Options {
            jobs: args.batch.jobs as usize,
            stop_at: args.limits.max_time.0.and_then(|limit| started.checked_add(limit)),
            line: if !passes && (args.batch.resume || !reads_standard_input(args)) { line } else { Vec::new() },
            keeps: !passes,
            fail_fast: args.batch.fail_fast,
            interactive: args.look.interactive,
            sum_up: !looks,
            archive,
            session: args.batch.save_session.clone().filter(|_| !looks),
            hooks: if looks { Hooks::default() } else { Hooks::new(&args.hooks) },
            headers: args.network.headers.clone(),
            feed,
            ..Options::one(&engine)
        };
        let ended = run::run(engine, jobs, options, started, display, &mut signals).await?;
        if looks {
            let planned = args.look.dry_run;
            return look::show(ended, planned, state_dir.as_deref(), started, display);
        }
        Ok(ended.exit)
    })
}

/// Whether the same command line would not find the same sources again.
fn reads_standard_input(args: &GetArgs) -> bool {
    args.batch.input_file.as_deref() == Some(Path::new("-")) || args.sources.iter().any(|source| source == "-")
}

/// What is wrong with the flags whatever the sources are.
fn check_flags(args: &GetArgs, line: &[String]) -> Result<(), Problem> {
    let usage = |message: &str| Err(Problem::new(Exit::Usage, message));
    let in_file = args.batch.input_file.as_deref() == Some(Path::new("-"));
    let standard_input = args.sources.iter().filter(|source| *source == "-").count() + usize::from(in_file);
    let many = args.sources.len() > 1 || args.batch.input_file.is_some() || args.batch.resume;
    match args.target.name.as_deref() {
        _ if standard_input > 1 => return usage("standard input (-) can be read once; name it once"),
        Some(_) if many => return usage("-o names one download, but there are several sources"),
        _ => {}
    }
    if [&args.batch.archive, &args.batch.save_session].into_iter().flatten().any(|path| path.as_os_str() == "-") {
        return usage("--archive and --save-session name files; - is none");
    }
    if let Some(problem) = args.sources.iter().find_map(|typed| source::meant_as_command(typed, line)) {
        return Err(problem);
    }
    check_item(args)?;
    Selection::parse(&args.choice.select, &args.choice.exclude)
        .map(drop)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))
}

/// What is wrong with the flags of an item.
fn check_item(args: &GetArgs) -> Result<(), Problem> {
    check_name(args.target.name.as_deref())?;
    check_dir(&args.target.dir)
}

/// A name that can stand for the single file or the top folder.
pub fn check_name(name: Option<&str>) -> Result<(), Problem> {
    let usage = |message: &str| Err(Problem::new(Exit::Usage, message));
    match name {
        Some(name) if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) => {
            usage("-o is the name of a file or folder; the folder it goes to is -d")
        }
        #[cfg(windows)]
        Some(name) if name.contains('\\') => usage("-o is a name; the folder it goes to is -d"),
        _ => Ok(()),
    }
}

/// A folder, or nothing where one can be made.
pub fn check_dir(dir: &Path) -> Result<(), Problem> {
    match std::fs::metadata(dir) {
        Ok(found) if !found.is_dir() => {
            Err(Problem::new(Exit::Occupied, format!("-d {}: a file is there, not a folder", dir.display())))
        }
        _ => Ok(()),
    }
}

/// Jobs of the sources that come over standard input, behind `before` others.
fn more_jobs(before: usize, item_args: ItemArgs, looks: bool) -> Result<MoreJobs, Problem> {
    let mut keys = (before as u32 + 1..).map(ItemKey);
    let make = move |entry: Result<Entry, Problem>| {
        let key = keys.next().expect("keys enough");
        match entry {
            Ok(entry) => job(sources::of_entry(key, entry, &item_args, None), looks, false),
            Err(problem) => {
                let (text, pending) = ("standard input".to_owned(), Pending::Wrong(problem));
                Job { key, text, entry: Entry::default(), pending }
            }
        }
    };
    Ok(MoreJobs { feed: Feed::start()?, make: Box::new(make) })
}

/// A source on its way to the engine; with `looks` no farther than its metadata. `passes`: its bytes go to standard
/// output.
fn job(source: Source, looks: bool, passes: bool) -> Job {
    let Source { key, text, entry, given, args, kept } = source;
    let make = move |given: Given, args: &GetArgs| -> Result<Item, Problem> {
        let source = given.into_item_source().ok_or_else(|| Problem::new(Exit::Network, "a URL led to a URL"))?;
        let item = item(args, source, kept, looks)?;
        if passes { Ok(passing::on(item)) } else { passing::refuse_item(args).map(|()| item) }
    };
    let pending = match (given, args) {
        (Err(problem), _) | (_, Err(problem)) => Pending::Wrong(problem),
        (Ok(Given::Url(url)), Ok(args)) => Pending::Url(url, Box::new(move |given| make(given, &args))),
        (Ok(given), Ok(args)) => make(given, &args).map_or_else(Pending::Wrong, |item| Pending::Item(Box::new(item))),
    };
    Job { key, text, entry, pending }
}

/// The item that `args` make of a source; `kept` is what an earlier run knew of it.
fn item(args: &GetArgs, source: ItemSource, kept: Option<Kept>, looks: bool) -> Result<Item, Problem> {
    check_item(args)?;
    let patterns = Selection::parse(&args.choice.select, &args.choice.exclude)
        .map_err(|error| Problem::new(Exit::Usage, error.to_string()))?;
    let mut dir = args.target.dir.clone();
    let mut name = args.target.name.clone();
    let selection = match (&source, kept) {
        (_, Some(kept)) => {
            (dir, name) = (kept.dir, kept.name);
            Selection::picked(kept.selected)
        }
        (ItemSource::Torrent(metainfo), None) => {
            patterns.apply(&metainfo.info).map_err(|error| nothing_selected(&source, error))?;
            patterns
        }
        (ItemSource::Magnet(magnet), None) => patterns.with_so(&magnet.select),
    };
    let goal = match looks {
        // Nothing that is shown needs piece layers.
        true => Goal::Metadata { layers: false },
        false => Goal::Download { seed_ratio: args.goals.seed_ratio, seed_time: args.goals.seed_time },
    };
    Ok(Item {
        name,
        selection,
        check: args.target.check.into(),
        overwrite: args.target.overwrite,
        part: !args.target.no_part,
        allocate: args.target.allocate.into(),
        check_space: !args.target.no_space_check,
        order: Order { sequential: args.target.sequential, first_last: args.target.first_last },
        upload: !args.no_upload,
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        web_seeds: args.network.web_seeds.clone(),
        metadata_timeout: args.limits.metadata_timeout.0,
        stall_timeout: args.limits.stall_timeout.0,
        ..Item::new(source, goal, dir)
    })
}

/// The error of a selection that leaves nothing of the torrent.
pub fn nothing_selected(source: &ItemSource, error: SelectionError) -> Problem {
    let exit = match error {
        SelectionError::NothingMatches(_) => Exit::NotFound,
        _ => Exit::Usage,
    };
    Problem::new(exit, format!("{}: {error}", source::shown(&source::label(source))))
}
