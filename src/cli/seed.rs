//! `seed TORRENT [PATH]`: uploads what is on disk until a goal is reached or it is stopped.

use std::time::Instant;

use super::args::SeedArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::run::{self, Job, Limits};
use super::signals::Signals;
use super::source::{self, Given};
use super::{fetch, place, runtime, settings};
use crate::base::selection::Selection;
use crate::engine::{CheckMode, Goal, Item, ItemKey, ItemSource};

/// Does the command; `line` is what was typed.
pub fn run(args: &SeedArgs, line: Vec<String>) -> Exit {
    let started = Instant::now();
    let mut display = Display::new(&args.output);
    settings::start_logging(args.output.verbose, &display);
    let finished = work(args, line, &mut display, started);
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn work(args: &SeedArgs, line: Vec<String>, display: &mut Display, started: Instant) -> Result<Exit, Problem> {
    let given = Given::read(&args.source)?;
    runtime::block_on(async {
        let mut signals = Signals::listen()?;
        let engine = settings::engine(&args.network, &args.state);
        let given = match fetch::resolve(given, &engine.user_agent, &mut signals).await? {
            Ok(given) => given,
            Err(signal) => return Ok(Exit::Signal(signal)),
        };
        let job =
            Job { key: ItemKey(1), text: source::shown(&args.source.to_string_lossy()), item: Ok(item(args, given)?) };
        let limits = Limits { jobs: 1, stop_at: None, line };
        Ok(run::run(engine, vec![job], limits, started, display, &mut signals).await?.exit)
    })
}

fn item(args: &SeedArgs, given: Given) -> Result<Item, Problem> {
    let metainfo = source::whole_torrent(given, "seed")?;
    let place = place::find(&metainfo.info, &args.path)?;
    Ok(Item {
        source: ItemSource::Torrent(metainfo),
        goal: Goal::Seed { ratio: args.goals.seed_ratio, time: args.goals.seed_time },
        dir: place.dir,
        name: place.name,
        selection: Selection::default(),
        check: if args.check == "full" { CheckMode::Full } else { CheckMode::Quick },
        overwrite: false,
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        metadata_timeout: None,
        stall_timeout: None,
    })
}
