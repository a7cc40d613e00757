//! `seed TORRENT [PATH]`: uploads what is on disk until a goal is reached or it is stopped.

use std::path::Path;
use std::time::Instant;

use super::args::SeedArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::input_file::Entry;
use super::run::{self, Job, Options, Pending};
use super::signals::Signals;
use super::source::{self, Given};
use super::{fetch, place, runtime, settings};
use crate::engine::{CheckMode, Goal, Item, ItemKey, ItemSource};

/// Does the command; `line` is what was typed.
pub fn run(args: &SeedArgs, line: Vec<String>) -> Exit {
    let started = Instant::now();
    let mut display = Display::new(&args.output);
    let finished =
        settings::start_logging(&args.output, &display).and_then(|()| work(args, line, &mut display, started));
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
        let mut engine = settings::engine(&args.network, &args.state, display)?;
        engine.limits = args.rates.settings();
        let given =
            match fetch::resolve(given, &engine.user_agent, &args.network.headers, &engine.path, &mut signals).await? {
                Ok(given) => given,
                Err(signal) => return Ok(Exit::Signal(signal)),
            };
        let job = Job {
            key: ItemKey(1),
            text: source::shown(&args.source.to_string_lossy()),
            entry: Entry::default(),
            pending: Pending::Item(Box::new(item(args, given, engine.state_dir.as_deref())?)),
        };
        let options = Options { line, ..Options::one(&engine) };
        Ok(run::run(engine, vec![job], options, started, display, &mut signals).await?.exit)
    })
}

fn item(args: &SeedArgs, given: Given, state_dir: Option<&Path>) -> Result<Item, Problem> {
    let metainfo = source::whole_torrent(given, "seed", state_dir)?;
    let place = place::find(&metainfo.info, &args.path)?;
    let goal = Goal::Seed { ratio: args.goals.seed_ratio, time: args.goals.seed_time, super_seed: args.super_seed };
    Ok(Item {
        name: place.name,
        check: if args.check == "full" { CheckMode::Full } else { CheckMode::Quick },
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        ..Item::new(ItemSource::Torrent(metainfo), goal, place.dir)
    })
}
