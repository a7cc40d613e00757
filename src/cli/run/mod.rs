//! A run: items are handed to the engine a few at a time, watched, told of, and brought to an end in order.
//!
//! [`Job`]s come in, [`Ended`] comes out. The loop is here; `job` is one item and its state, `queue` says who is next,
//! `told` what is said of an event, `playing` is what players are given, `end` how a run is brought to its end.

mod end;
mod job;
mod playing;
mod queue;
mod told;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

pub use job::Pending;
use job::Tracked;
use playing::{Playing, player_ends};
use queue::{next_fetch, next_pick};

use super::archive::Archive;
use super::display::{Display, Unwritten};
use super::endings::problem;
use super::error::Problem;
use super::exit::{Exit, Signal};
use super::feed::Feed;
use super::hooks::{Hooks, Occasion};
use super::input_file::Entry;
use super::signals::Signals;
use super::source::Given;
use super::stream::Stream;
use crate::base::id::InfoHashV1;
use crate::base::metainfo::Info;
use crate::engine::{Engine, EngineSettings, Event, Item, ItemKey};
use crate::io::http::{Header, HttpClient};
use crate::io::net_path::NetPath;

/// One source of the run.
pub struct Job {
    pub key: ItemKey,
    /// The source as it was typed, fit to print.
    pub text: String,
    /// The source with its flags, for a session.
    pub entry: Entry,
    pub pending: Pending,
}

/// What holds for a run as a whole.
pub struct Options {
    /// Downloads at once.
    pub jobs: usize,
    pub stop_at: Option<Instant>,
    /// The arguments with which what is unfinished goes on; empty where nothing can go on.
    pub line: Vec<String>,
    /// End at the first failure.
    pub fail_fast: bool,
    /// Let the user pick the files of each item.
    pub interactive: bool,
    /// Serve players.
    pub stream: Option<Stream>,
    /// Something is left on disk of what ends early.
    pub keeps: bool,
    /// Say in the end what came of it all.
    pub sum_up: bool,
    pub archive: Option<Archive>,
    /// Where to write what is not complete.
    pub session: Option<PathBuf>,
    pub hooks: Hooks,
    /// For sources that are fetched.
    pub user_agent: String,
    /// The way that packets may leave.
    pub path: NetPath,
    pub headers: Vec<Header>,
    /// Where links are kept whose metadata is still to come.
    pub state_dir: Option<PathBuf>,
    /// Sources that come during the run.
    pub feed: Option<MoreJobs>,
}

/// Jobs that are made of what comes.
pub struct MoreJobs {
    pub feed: Feed,
    pub make: Box<dyn FnMut(Result<Entry, Problem>) -> Job>,
}

impl Options {
    /// For one item, without anything special.
    pub fn one(settings: &EngineSettings) -> Options {
        Options {
            jobs: 1,
            stop_at: None,
            line: Vec::new(),
            fail_fast: false,
            interactive: false,
            stream: None,
            keeps: true,
            sum_up: true,
            archive: None,
            session: None,
            hooks: Hooks::default(),
            user_agent: settings.user_agent.clone(),
            path: settings.path.clone(),
            headers: Vec::new(),
            state_dir: settings.state_dir.clone(),
            feed: None,
        }
    }
}

/// What came of a run.
pub struct Ended {
    pub exit: Exit,
    /// One of each job.
    pub jobs: Vec<EndedJob>,
}

/// What is known of a job in the end.
pub struct EndedJob {
    pub key: ItemKey,
    pub item: Option<Item>,
    pub info: Option<Arc<Info>>,
    pub selected: Option<Arc<[bool]>>,
}

/// Why the run is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Every item came to its own end.
    AllOver,
    Signal(Signal),
    MaxTime,
    /// An item failed, and that was to be the end.
    FirstFailure(Exit),
    /// Standard output takes nothing any more.
    Unwritten(Unwritten),
    /// The player that it was for has ended; well or not.
    Player(Exit),
}

impl From<Unwritten> for End {
    fn from(unwritten: Unwritten) -> End {
        End::Unwritten(unwritten)
    }
}

/// A source that was fetched, with the place of its job.
type Fetched = (usize, Result<Given, Problem>);
/// The files that were picked, with the place of their job.
type Picked = (usize, Result<Vec<bool>, Problem>);
type Picking = JoinHandle<Picked>;

/// Runs `jobs` to their end, or to the first signal or the time limit.
///
/// # Errors
/// If the engine cannot start.
pub async fn run(
    settings: EngineSettings,
    jobs: Vec<Job>,
    options: Options,
    started: Instant,
    display: &mut Display,
    signals: &mut Signals,
) -> Result<Ended, Problem> {
    let mut run = Run::new(jobs, options, started, display);
    let end = match run.announce() {
        Err(gone) => gone.into(),
        Ok(()) if run.all_over() => End::AllOver,
        Ok(()) => {
            let mut engine = Engine::start(settings).await.map_err(|failure| problem(&failure))?;
            // The engine is consumed by its shutdown, during which the last events come.
            let mut events = std::mem::replace(&mut engine.events, mpsc::unbounded_channel().1);
            let end = run.until_over(&mut engine, &mut events, signals).await;
            run.stop(engine, &mut events, signals, end).await;
            end
        }
    };
    run.wait_for_hooks(signals).await;
    Ok(run.conclude(end))
}

struct Run<'a> {
    tracked: Vec<Tracked>,
    /// Place in `tracked` of each of the engine's keys.
    places: HashMap<ItemKey, usize>,
    /// Place of the first item of each torrent, by each of its hashes.
    seen: HashMap<InfoHashV1, usize>,
    options: Options,
    fetches: JoinSet<Fetched>,
    /// Made when it is first needed.
    client: Option<HttpClient>,
    picking: Option<Picking>,
    /// From the metadata on, where players are served.
    playing: Option<Playing>,
    first_failure: Option<Exit>,
    started: Instant,
    display: &'a mut Display,
}

impl<'a> Run<'a> {
    fn new(jobs: Vec<Job>, options: Options, started: Instant, display: &'a mut Display) -> Self {
        Run {
            tracked: jobs.into_iter().map(Tracked::new).collect(),
            places: HashMap::new(),
            seen: HashMap::new(),
            options,
            fetches: JoinSet::new(),
            client: None,
            picking: None,
            playing: None,
            first_failure: None,
            started,
            display,
        }
    }

    /// Tells of every item before the first begins; first of those that are at fault.
    fn announce(&mut self) -> Result<(), Unwritten> {
        (0..self.tracked.len()).try_for_each(|place| self.tell_of_wrong(place))?;
        (0..self.tracked.len()).try_for_each(|place| self.admit(place))
    }

    fn tell_of_wrong(&mut self, place: usize) -> Result<(), Unwritten> {
        match self.tracked[place].wrong.take() {
            Some(problem) => self.fail(place, &problem),
            None => Ok(()),
        }
    }

    /// Another source has come, or no more will.
    fn on_more(&mut self, job: Option<Job>) -> Result<(), Unwritten> {
        let Some(job) = job else {
            self.options.feed = None;
            return Ok(());
        };
        self.tracked.push(Tracked::new(job));
        let place = self.tracked.len() - 1;
        self.tell_of_wrong(place)?;
        self.admit(place)
    }

    fn all_over(&self) -> bool {
        self.options.feed.is_none() && self.tracked.iter().all(|job| job.over().is_some())
    }

    async fn until_over(
        &mut self,
        engine: &mut Engine,
        events: &mut mpsc::UnboundedReceiver<(ItemKey, Event)>,
        signals: &mut Signals,
    ) -> End {
        let mut look_at = Some(Instant::now());
        loop {
            let now = Instant::now();
            if let Some(exit) = self.first_failure.filter(|_| self.options.fail_fast) {
                return End::FirstFailure(exit);
            }
            self.begin_waiting(engine, now);
            self.begin_picking();
            if self.all_over() {
                return End::AllOver;
            }
            if look_at.is_some_and(|at| at <= now) {
                if let Err(gone) = self.look(now) {
                    return gone.into();
                }
                look_at = self.display.pause(now).map(|pause| now + pause);
            }
            let turn = [look_at, self.options.stop_at].into_iter().flatten().min();
            let happened = tokio::select! {
                event = events.recv() => match event {
                    Some((key, event)) => {
                        // What the event changed is worth a look sooner.
                        let sooner = self.display.pause(now).map(|pause| now + pause);
                        look_at = look_at.into_iter().chain(sooner).min();
                        self.on_event(key, event)
                    }
                    None => return End::AllOver,
                },
                more = next_job(&mut self.options.feed) => self.on_more(more),
                fetched = next_fetch(&mut self.fetches) => self.on_fetched(fetched),
                ended = player_ends(&mut self.playing) => return self.on_player(ended),
                (place, picked) = next_pick(&mut self.picking) => self.on_picked(place, picked),
                Some(line) = self.options.hooks.next(), if !self.options.hooks.is_idle() => {
                    self.display.note(&line);
                    Ok(())
                }
                signal = signals.next() => return End::Signal(signal),
                () = sleep_until(turn) => {
                    if self.options.stop_at.is_some_and(|at| at <= Instant::now()) {
                        return End::MaxTime;
                    }
                    Ok(())
                }
            };
            if let Err(gone) = happened {
                return gone.into();
            }
        }
    }

    /// Shows where everything stands.
    fn look(&mut self, now: Instant) -> Result<(), Unwritten> {
        let under_way = self.tracked.iter().filter(|job| job.running().is_some());
        let samples = under_way.map(Tracked::sample).collect();
        let waiting = self.tracked.iter().filter(|job| job.waits()).count();
        let over = self.tracked.iter().filter(|job| job.over().is_some()).count();
        self.display.tick(now, samples, waiting, over)
    }

    /// A job ends with `problem`, which everybody is told.
    fn fail(&mut self, place: usize, problem: &Problem) -> Result<(), Unwritten> {
        let job = &mut self.tracked[place];
        job.fail(problem);
        self.display.problem(problem);
        self.first_failure.get_or_insert(problem.exit);
        let job = &self.tracked[place];
        self.options.hooks.fire(Occasion::Error, || job.told(problem.exit.word(), problem.exit));
        self.display.json_problem(Some(job.key), Some(&job.text), problem)
    }
}

/// What comes next over the feed; waits for ever where there is none.
async fn next_job(feed: &mut Option<MoreJobs>) -> Option<Job> {
    match feed {
        Some(MoreJobs { feed, make }) => feed.next().await.map(make),
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
