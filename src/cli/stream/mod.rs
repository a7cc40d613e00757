//! `stream SRC [FILE]`: downloads as `get` does, in the order in which players need it, and serves them over HTTP.
//!
//! `site` answers players, `media` knows what a file is, `player` runs the one that was named. The download itself is an
//! ordinary run; it ends when the player does or on a signal, not when everything is there.

pub mod media;
pub mod player;
pub mod site;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::args::StreamArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;
use super::hooks::Words;
use super::input_file::Entry;
use super::run::{self, Job, Options, Pending};
use super::signals::Signals;
use super::source::{self, Given};
use super::{fetch, get, runtime, settings};
use crate::base::selection::Selection;
use crate::engine::{Goal, Item, ItemKey, ItemSource};
use crate::io::http_server::HttpListener;

/// What a run needs to serve players.
#[derive(Debug)]
pub struct Stream {
    pub listener: HttpListener,
    pub player: Option<Words>,
}

/// Does the command; `line` is what was typed.
pub fn run(args: &StreamArgs, line: Vec<String>) -> Exit {
    let started = Instant::now();
    let mut display = Display::new(&args.output);
    let finished = settings::start_logging(&args.output, &display)
        .and_then(|()| get::check_name(args.name.as_deref()))
        .and_then(|()| get::check_dir(&args.dir))
        .and_then(|()| work(args, line, &mut display, started));
    display.clear();
    finished.unwrap_or_else(|problem| {
        let _ = display.json_problem(None, None, &problem);
        display.problem(&problem);
        problem.exit
    })
}

fn work(args: &StreamArgs, line: Vec<String>, display: &mut Display, started: Instant) -> Result<Exit, Problem> {
    let selection = selection(args)?;
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
        let listener = listen(args)?;
        if !listener.addr().ip().is_loopback() {
            display.warning("everybody who reaches this machine can play what is streamed (--http-bind)");
        }
        let job = Job {
            key: ItemKey(1),
            text: source::shown(&args.source.to_string_lossy()),
            entry: Entry::default(),
            pending: Pending::Item(Box::new(item(args, given, selection)?)),
        };
        let options = Options {
            line: if args.source == "-" { Vec::new() } else { line },
            stop_at: args.limits.max_time.0.and_then(|limit| started.checked_add(limit)),
            stream: Some(Stream { listener, player: args.player.clone() }),
            ..Options::one(&engine)
        };
        Ok(run::run(engine, vec![job], options, started, display, &mut signals).await?.exit)
    })
}

fn listen(args: &StreamArgs) -> Result<HttpListener, Problem> {
    let addr = SocketAddr::new(args.http_bind, args.http_port.unwrap_or(0));
    HttpListener::bind(addr).map_err(|error| {
        let hint = match args.http_port {
            Some(_) => "give another --http-port",
            None => "--http-bind takes an address of this machine",
        };
        Problem::new(Exit::Network, format!("can't listen for players on {addr}: {error}")).hint(hint)
    })
}

fn selection(args: &StreamArgs) -> Result<Selection, Problem> {
    let select: Vec<String> = args.choice.select.iter().chain(&args.file).cloned().collect();
    Selection::parse(&select, &args.choice.exclude).map_err(|error| Problem::new(Exit::Usage, error.to_string()))
}

fn item(args: &StreamArgs, given: Given, selection: Selection) -> Result<Item, Problem> {
    let source = given.into_item_source().ok_or_else(|| Problem::new(Exit::Network, "a URL led to a URL"))?;
    let selection = match &source {
        ItemSource::Torrent(metainfo) => {
            selection.apply(&metainfo.info).map_err(|error| get::nothing_selected(&source, error))?;
            selection
        }
        ItemSource::Magnet(magnet) => selection.with_so(&magnet.select),
    };
    // What is there is given to others until the player has ended.
    let goal = Goal::Download { seed_ratio: None, seed_time: Some(Duration::MAX) };
    Ok(Item {
        name: args.name.clone(),
        play: true,
        selection,
        overwrite: args.overwrite,
        upload: !args.no_upload,
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        web_seeds: args.network.web_seeds.clone(),
        metadata_timeout: args.limits.metadata_timeout.0,
        stall_timeout: args.limits.stall_timeout.0,
        ..Item::new(source, goal, args.dir.clone())
    })
}
