//! A run: items are handed to the engine a few at a time, watched, told of, and brought to an end in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::display::{Display, ReaderGone, Sample};
use super::endings::{complete_text, how_to_go_on, problem, problem_of, summary_text};
use super::error::Problem;
use super::exit::{Exit, Signal};
use super::json::{self, Totals};
use super::signals::Signals;
use super::source;
use super::text::escape;
use crate::base::metainfo::Info;
use crate::engine::{
    Engine, EngineSettings, Event, FailureKind, Goal, Item, ItemHandle, ItemKey, ItemSource, Progress, Stage,
};

/// One source of the run: an item, or what is wrong with it.
#[derive(Debug)]
pub struct Job {
    pub key: ItemKey,
    /// The source as it was typed, fit to print.
    pub text: String,
    pub item: Result<Item, Problem>,
}

impl Job {
    /// Takes the trackers and peers of another source of the same torrent too.
    pub fn learn(&mut self, twin: &ItemSource) {
        if let (Ok(item), ItemSource::Magnet(magnet)) = (&mut self.item, twin) {
            let new = |known: &[String], more: &[String]| -> Vec<String> {
                more.iter().filter(|one| !known.contains(one)).cloned().collect()
            };
            if !item.no_trackers {
                item.trackers.extend(new(&item.trackers, &magnet.trackers));
            }
            item.peers.extend(new(&item.peers, &magnet.peers));
        }
    }
}

/// What bounds a run as a whole.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Downloads at once.
    pub jobs: usize,
    pub stop_at: Option<Instant>,
    /// The arguments with which what is unfinished goes on; empty where nothing can go on.
    pub line: Vec<String>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ended {
    pub exit: Exit,
    /// The metadata of each job, where it became known.
    pub infos: Vec<Option<Arc<Info>>>,
}

/// Why the run is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Every item came to its own end.
    AllOver,
    Signal(Signal),
    MaxTime,
    ReaderGone,
}

impl From<ReaderGone> for End {
    fn from(_: ReaderGone) -> End {
        End::ReaderGone
    }
}

/// A magnet link that takes so long to resolve lets the next item begin beside it.
const SLOT_FOR_RESOLVING: Duration = Duration::from_secs(10);
/// How long an orderly stop may take; trackers get a part of it only.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long the trackers are waited for when all is done.
const SUCCESS_GRACE: Duration = Duration::from_millis(250);

/// Runs `jobs` to their end, or to the first signal or the time limit.
///
/// # Errors
/// If the engine cannot start.
pub async fn run(
    settings: EngineSettings,
    jobs: Vec<Job>,
    limits: Limits,
    started: Instant,
    display: &mut Display,
    signals: &mut Signals,
) -> Result<Ended, Problem> {
    let mut run = Run::new(jobs, limits, started, display);
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
    Ok(run.conclude(end))
}

/// One job and what has become of it.
#[derive(Debug)]
struct Tracked {
    key: ItemKey,
    text: String,
    /// As the source, later the metadata calls it.
    name: String,
    goal: Option<Goal>,
    /// Until it is handed to the engine.
    waiting: Option<Box<Item>>,
    running: Option<(ItemHandle, Instant)>,
    over: Option<Exit>,
    complete: bool,
    info: Option<Arc<Info>>,
    last: Progress,
}

impl Tracked {
    fn progress(&self) -> Progress {
        self.running.as_ref().map_or_else(|| self.last.clone(), |(handle, _)| handle.progress())
    }

    fn sample(&self) -> Sample {
        Sample { key: self.key, name: self.name.clone(), progress: self.progress() }
    }

    /// Whether it keeps another item from beginning.
    fn holds_a_slot(&self, now: Instant) -> bool {
        self.running.as_ref().is_some_and(|(handle, since)| {
            let resolving = handle.progress().stage == Stage::Resolving;
            !(resolving && now.duration_since(*since) >= SLOT_FOR_RESOLVING)
        })
    }

    /// Whether all that it is for has been reached, though it may go on seeding.
    fn is_success(&self) -> bool {
        self.over.map_or(self.complete, |exit| exit == Exit::Success)
    }
}

struct Run<'a> {
    tracked: Vec<Tracked>,
    /// Place in `tracked` of each of the engine's keys.
    places: HashMap<ItemKey, usize>,
    limits: Limits,
    started: Instant,
    display: &'a mut Display,
}

impl<'a> Run<'a> {
    fn new(jobs: Vec<Job>, limits: Limits, started: Instant, display: &'a mut Display) -> Self {
        let mut problems = Vec::new();
        let mut tracked = Vec::with_capacity(jobs.len());
        for Job { key, text, item } in jobs {
            let mut entry = Tracked {
                key,
                name: text.clone(),
                text,
                goal: None,
                waiting: None,
                running: None,
                over: None,
                complete: false,
                info: None,
                last: Progress::default(),
            };
            match item {
                Ok(item) => {
                    entry.name = source::label(&item.source);
                    entry.goal = Some(item.goal.clone());
                    entry.waiting = Some(Box::new(item));
                }
                Err(problem) => {
                    entry.over = Some(problem.exit);
                    problems.push((key, entry.text.clone(), problem));
                }
            }
            tracked.push(entry);
        }
        let run = Run { tracked, places: HashMap::new(), limits, started, display };
        for (key, text, problem) in problems {
            let _ = run.display.json_problem(Some(key), Some(&text), &problem);
            run.display.problem(&problem);
        }
        run
    }

    /// Tells of every item before the first begins.
    fn announce(&self) -> Result<(), ReaderGone> {
        for job in &self.tracked {
            if let Some(item) = &job.waiting {
                let id = source::id(&item.source);
                self.display.json_line(&json::item(job.key, &job.text, Some(&job.name), &id))?;
            }
        }
        Ok(())
    }

    fn all_over(&self) -> bool {
        self.tracked.iter().all(|job| job.over.is_some())
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
            self.begin_waiting(engine, now);
            if self.all_over() {
                return End::AllOver;
            }
            if look_at.is_some_and(|at| at <= now) {
                if let Err(gone) = self.look(now) {
                    return gone.into();
                }
                look_at = self.display.pause(now).map(|pause| now + pause);
            }
            let turn = [look_at, self.limits.stop_at, self.slot_opens()].into_iter().flatten().min();
            tokio::select! {
                event = events.recv() => match event {
                    Some((key, event)) => {
                        if let Err(gone) = self.on_event(key, event) {
                            return gone.into();
                        }
                        // What the event changed is worth a look sooner.
                        let sooner = self.display.pause(now).map(|pause| now + pause);
                        look_at = look_at.into_iter().chain(sooner).min();
                    }
                    None => return End::AllOver,
                },
                signal = signals.next() => return End::Signal(signal),
                () = sleep_until(turn) => {
                    if self.limits.stop_at.is_some_and(|at| at <= Instant::now()) {
                        return End::MaxTime;
                    }
                }
            }
        }
    }

    /// Hands items to the engine while there are free slots.
    fn begin_waiting(&mut self, engine: &mut Engine, now: Instant) {
        let mut taken = self.tracked.iter().filter(|job| job.holds_a_slot(now)).count();
        for (place, job) in self.tracked.iter_mut().enumerate() {
            if taken >= self.limits.jobs {
                return;
            }
            if let Some(item) = job.waiting.take() {
                let handle = engine.add(*item);
                self.places.insert(handle.key, place);
                job.running = Some((handle, now));
                taken += 1;
            }
        }
    }

    /// When a magnet link that is being resolved makes room, if anything waits for room.
    fn slot_opens(&self) -> Option<Instant> {
        let waits = self.tracked.iter().any(|job| job.waiting.is_some());
        let now = Instant::now();
        let opens = |job: &Tracked| job.running.as_ref().map(|(_, since)| *since + SLOT_FOR_RESOLVING);
        waits.then(|| self.tracked.iter().filter_map(opens).filter(|at| *at > now).min()).flatten()
    }

    /// Shows where everything stands.
    fn look(&mut self, now: Instant) -> Result<(), ReaderGone> {
        let under_way = self.tracked.iter().filter(|job| job.running.is_some());
        let samples = under_way.map(Tracked::sample).collect();
        let waiting = self.tracked.iter().filter(|job| job.waiting.is_some()).count();
        let over = self.tracked.iter().filter(|job| job.over.is_some()).count();
        self.display.tick(now, samples, waiting, over)
    }

    fn on_event(&mut self, key: ItemKey, event: Event) -> Result<(), ReaderGone> {
        let Some(job) = self.places.get(&key).map(|place| &mut self.tracked[*place]) else {
            return Ok(());
        };
        let display = &mut *self.display;
        match event {
            Event::Stage(stage) => {
                if matches!(job.goal, Some(Goal::Seed { .. })) && stage == Stage::Seeding {
                    let swarm = job.progress().swarm;
                    job.complete = swarm.pieces_done == swarm.pieces;
                }
                // What is complete stops without a word.
                let quietly = job.complete && stage == Stage::Stopping;
                display.stage(job.sample(), stage, quietly)?;
            }
            Event::Metadata { info, selected } => {
                job.name = info.name.clone();
                display.json_line(&json::metadata(job.key, &info, &selected))?;
                job.info = Some(info);
            }
            Event::File { index, path } => {
                let shown = job
                    .info
                    .as_ref()
                    .map_or(index, |info| info.files.iter().take(index).filter(|file| !file.pad).count());
                display.json_line(&json::file(job.key, shown + 1, &path))?;
            }
            Event::Complete { path } => {
                job.complete = true;
                let progress = job.progress();
                display.good("done", &complete_text(&job.name, &progress, job.running.as_ref().map(|(_, at)| *at)));
                display.json_line(&json::complete(job.key, &path))?;
                display.result_line(&path.to_string_lossy())?;
            }
            Event::Warning(text) => display.warning(&format!("{}: {}", escape(&job.name), escape(&text))),
            Event::Done => job.end(Exit::Success),
            Event::Failed(failure) if failure.kind == FailureKind::Stopped => {
                let exit = if job.complete { Exit::Success } else { Exit::Unfinished };
                job.end(exit);
            }
            Event::Failed(failure) => {
                let problem = problem_of(&job.name, &failure);
                job.end(problem.exit);
                display.json_problem(Some(job.key), Some(&job.text), &problem)?;
                display.problem(&problem);
            }
        }
        Ok(())
    }

    /// Brings what still runs to an end in order; a second signal ends the process at once.
    async fn stop(
        &mut self,
        engine: Engine,
        events: &mut mpsc::UnboundedReceiver<(ItemKey, Event)>,
        signals: &mut Signals,
        end: End,
    ) {
        let running = self.tracked.iter().any(|job| job.running.is_some());
        if running && end != End::AllOver {
            self.display.clear();
            self.display.note(match end {
                End::MaxTime => "the time is over: stopping, saving state",
                _ => "stopping, saving state; once more to leave at once",
            });
        }
        let shutdown = engine.shutdown(if running { STOP_GRACE } else { SUCCESS_GRACE });
        tokio::select! {
            () = shutdown => {}
            signal = signals.next() => {
                self.display.clear();
                std::process::exit(Exit::Signal(signal).code().into());
            }
        }
        while let Ok((key, event)) = events.try_recv() {
            // Nobody may be reading any more; the state is saved all the same.
            let _ = self.on_event(key, event);
        }
        for job in &mut self.tracked {
            if job.over.is_none() {
                job.end(if job.complete { Exit::Success } else { Exit::Unfinished });
            }
        }
    }

    /// The exit code, the last lines, and how to go on.
    fn conclude(self, end: End) -> Ended {
        self.display.clear();
        let exits: Vec<Exit> = self.tracked.iter().filter_map(|job| job.over).collect();
        let exit = match end {
            End::ReaderGone => Exit::ReaderGone,
            End::Signal(signal) if !self.tracked.iter().all(Tracked::is_success) => Exit::Signal(signal),
            _ => Exit::of_batch(&exits),
        };
        let totals = self.totals();
        if totals.items > 1 {
            self.display.note(&summary_text(&totals));
        }
        if totals.unfinished > 0 && !self.limits.line.is_empty() {
            self.display.note(&how_to_go_on(&self.limits.line));
        }
        let written = self.display.json_line(&json::summary(&totals, exit));
        let exit = if written.is_err() { Exit::ReaderGone } else { exit };
        Ended { exit, infos: self.tracked.into_iter().map(|job| job.info).collect() }
    }

    fn totals(&self) -> Totals {
        let count = |what: fn(Exit) -> bool| self.tracked.iter().filter(|job| job.over.is_some_and(what)).count();
        Totals {
            items: self.tracked.len(),
            complete: count(|exit| exit == Exit::Success),
            failed: count(|exit| !matches!(exit, Exit::Success | Exit::Unfinished)),
            unfinished: count(|exit| exit == Exit::Unfinished),
            downloaded: self.tracked.iter().map(|job| job.last.swarm.downloaded).sum(),
            uploaded: self.tracked.iter().map(|job| job.last.swarm.uploaded).sum(),
            seconds: self.started.elapsed().as_secs_f64(),
        }
    }
}

impl Tracked {
    fn end(&mut self, exit: Exit) {
        self.last = self.progress();
        self.running = None;
        self.waiting = None;
        self.over = Some(exit);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
