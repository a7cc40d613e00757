//! `info SRC`: what a torrent or a magnet link holds.

use std::sync::Arc;
use std::time::Instant;

use super::args::{InfoArgs, OutputArgs};
use super::display::{Display, print_result};
use super::error::{Problem, file_problem};
use super::exit::Exit;
use super::facts::Facts;
use super::input_file::Entry;
use super::run::{self, Job, Options, Pending};
use super::scrape;
use super::signals::Signals;
use super::source::{self, Given};
use super::{fetch, runtime, settings};
use crate::base::magnet::Magnet;
use crate::base::metainfo::{self, Info, Metainfo};
use crate::engine::{EngineSettings, Goal, Item, ItemKey, ItemSource};
use crate::io::scrape::Scraped;

/// Does the command.
pub fn run(args: &InfoArgs) -> Exit {
    // Its one JSON object says all; there are no events beside it.
    let mut display = Display::new(&OutputArgs { json: false, ..args.output.clone() });
    let finished = settings::start_logging(&args.output, &display)
        .and_then(|()| find_out(args, &mut display))
        .and_then(|found| match found {
            Ok(found) => show(args, found, &display),
            Err(exit) => Ok(exit),
        });
    display.clear();
    finished.unwrap_or_else(|problem| {
        display.problem(&problem);
        problem.exit
    })
}

/// What there is to show.
struct Found {
    facts: Facts,
    /// The .torrent.
    torrent: Option<Vec<u8>>,
    swarm: Option<Vec<Scraped>>,
}

impl Found {
    fn of_torrent(metainfo: &Metainfo, bytes: Vec<u8>) -> Found {
        Found { facts: Facts::of_torrent(metainfo), torrent: Some(bytes), swarm: None }
    }

    fn of_magnet(magnet: &Magnet, info: Option<Arc<Info>>) -> Found {
        let facts = Facts::of_magnet(magnet, info);
        let torrent = facts
            .info
            .as_ref()
            .map(|info| metainfo::wrap(&info.raw, &info.encode_layers(), &facts.trackers, &facts.web_seeds));
        Found { facts, torrent, swarm: None }
    }

    /// A .torrent whose piece layers have come from peers, put into its bytes.
    fn of_mended(metainfo: &Metainfo, bytes: &[u8], info: Arc<Info>) -> Found {
        let torrent = metainfo::put_layers(bytes, &info.encode_layers());
        Found { facts: Facts { info: Some(info), ..Facts::of_torrent(metainfo) }, torrent, swarm: None }
    }
}

/// Reads the source, and asks the network for what is still missing; the exit code where the asking failed and was told
/// of.
fn find_out(args: &InfoArgs, display: &mut Display) -> Result<Result<Found, Exit>, Problem> {
    let given = Given::read(&args.source)?;
    if let Some(note) = source::cut_by_the_shell(&args.source).filter(|_| !args.offline) {
        display.note(&format!("note: {note}"));
    }
    // A link is a link: nobody needs to be asked for one.
    let only_link = args.offline || (args.magnet && args.save.is_none());
    match given {
        Given::Torrent(metainfo, bytes) if !args.scrape && !is_to_be_mended(args, &metainfo) => {
            note_what_is_missing(&metainfo, display);
            Ok(Ok(Found::of_torrent(&metainfo, bytes)))
        }
        Given::Magnet(magnet) if only_link => Ok(Ok(Found::of_magnet(&magnet, None))),
        Given::Url(_) if args.offline => {
            Err(Problem::new(Exit::Usage, "--offline fetches nothing, and the source is a URL"))
        }
        given => runtime::block_on(ask(args, given, display)),
    }
}

/// Fetches a URL, resolves a magnet link, scrapes.
async fn ask(args: &InfoArgs, given: Given, display: &mut Display) -> Result<Result<Found, Exit>, Problem> {
    let mut signals = Signals::listen()?;
    let engine = settings::engine(&args.network, &args.state, display)?;
    let (user_agent, path) = (engine.user_agent.clone(), engine.path.clone());
    let given = match fetch::resolve(given, &user_agent, &args.network.headers, &path, &mut signals).await? {
        Ok(given) => given,
        Err(signal) => return Ok(Err(Exit::Signal(signal))),
    };
    let mut found = match given {
        Given::Torrent(metainfo, bytes) if is_to_be_mended(args, &metainfo) => {
            match from_peers(args, ItemSource::Torrent(metainfo.clone()), engine, display, &mut signals).await? {
                Ok(info) => Found::of_mended(&metainfo, &bytes, info),
                Err(exit) => return Ok(Err(exit)),
            }
        }
        Given::Torrent(metainfo, bytes) => {
            note_what_is_missing(&metainfo, display);
            Found::of_torrent(&metainfo, bytes)
        }
        Given::Magnet(magnet) if args.scrape && args.save.is_none() => Found::of_magnet(&magnet, None),
        Given::Magnet(magnet) => {
            match from_peers(args, ItemSource::Magnet(magnet.clone()), engine, display, &mut signals).await? {
                Ok(info) => Found::of_magnet(&magnet, Some(info)),
                Err(exit) => return Ok(Err(exit)),
            }
        }
        Given::Url(_) => return Err(Problem::new(Exit::Other, "a URL led to a URL")),
    };
    if args.scrape {
        found.swarm = match scrape::all(&found.facts, &args.network, &user_agent, &path, &mut signals).await? {
            Ok(scraped) => Some(scraped),
            Err(signal) => return Ok(Err(Exit::Signal(signal))),
        };
    }
    Ok(Ok(found))
}

/// Whether peers are to be asked for piece layers that a .torrent lacks: what is saved is to be whole.
fn is_to_be_mended(args: &InfoArgs, metainfo: &Metainfo) -> bool {
    args.save.is_some() && metainfo.info.lacks_layer_of().is_some()
}

/// Nothing that is shown needs piece layers; but the torrent can't be seeded or verified without.
fn note_what_is_missing(metainfo: &Metainfo, display: &Display) {
    if let Some(file) = metainfo.info.lacks_layer_of() {
        let path = file.path.to_slashes();
        display.note(&format!(
            "note: the torrent lacks the piece layer of {path:?}; get and info --save ask peers for what it lacks"
        ));
    }
}

/// The metadata of `source` from peers; the exit code where that failed and was told of.
async fn from_peers(
    args: &InfoArgs,
    source: ItemSource,
    engine: EngineSettings,
    display: &mut Display,
    signals: &mut Signals,
) -> Result<Result<Arc<Info>, Exit>, Problem> {
    let job = Job {
        key: ItemKey(1),
        text: source::shown(&args.source.to_string_lossy()),
        entry: Entry::default(),
        pending: Pending::Item(Box::new(metadata_item(args, source))),
    };
    let options = Options::one(&engine);
    let mut ended = run::run(engine, vec![job], options, Instant::now(), display, signals).await?;
    match (ended.exit, ended.jobs.pop().and_then(|job| job.info)) {
        (Exit::Success, Some(info)) => Ok(Ok(info)),
        (Exit::Success, None) => Err(Problem::new(Exit::NoMetadata, "no metadata came")),
        (exit, _) => Ok(Err(exit)),
    }
}

fn metadata_item(args: &InfoArgs, source: ItemSource) -> Item {
    let goal = Goal::Metadata { layers: args.save.is_some() };
    Item {
        trackers: args.network.trackers.clone(),
        no_trackers: args.network.no_trackers,
        peers: args.network.peers.clone(),
        metadata_timeout: args.metadata_timeout.0,
        ..Item::new(source, goal, ".".into())
    }
}

fn show(args: &InfoArgs, found: Found, display: &Display) -> Result<Exit, Problem> {
    let Found { facts, torrent, swarm } = found;
    if let (Some(path), Some(torrent)) = (&args.save, torrent) {
        if path.as_os_str() == "-" {
            return Err(Problem::new(Exit::Usage, "--save -: give the name of a file"));
        }
        std::fs::write(path, torrent).map_err(|error| file_problem("write", path, error))?;
        display.note(&format!("saved {}", path.display()));
    }
    let swarm = swarm.as_deref();
    let text = match () {
        () if args.magnet => facts.magnet().to_string(),
        () if args.output.json => facts.to_json(swarm).to_string(),
        () => facts.to_lines(swarm).join("\n"),
    };
    print_result(&text)?;
    Ok(Exit::Success)
}
