//! One source of a run and what has become of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Job;
use crate::base::id::TorrentId;
use crate::base::metainfo::Info;
use crate::cli::display::Sample;
use crate::cli::error::Problem;
use crate::cli::exit::Exit;
use crate::cli::hooks::Told;
use crate::cli::input_file::Entry;
use crate::cli::json;
use crate::cli::source::{self, Given};
use crate::cli::unresolved;
use crate::engine::{Goal, Item, ItemHandle, ItemKey, ItemSource, Progress, Sink, Stage};

/// Makes an item of a source once it has been fetched.
pub type MakeItem = Box<dyn FnOnce(Given) -> Result<Item, Problem>>;

/// What a source has come to before the run.
pub enum Pending {
    Item(Box<Item>),
    /// To be fetched during the run.
    Url(String, MakeItem),
    Wrong(Problem),
}

/// Where a job stands.
pub(super) enum State {
    Url(String, MakeItem),
    Fetching(MakeItem),
    /// Not handed to the engine yet.
    Waiting,
    Running(Running),
    Over(Exit),
}

/// A job that the engine works on.
pub(super) struct Running {
    pub handle: ItemHandle,
    pub since: Instant,
    pub hold: Hold,
}

/// What an item waits for after its metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// Nothing: it takes a slot.
    Free,
    /// The metadata is still to come.
    Resolving,
    /// A slot.
    Slot,
    /// The user's choice of files.
    Choice,
}

/// One job of the run.
pub(super) struct Tracked {
    pub key: ItemKey,
    /// The source as it was typed, fit to print.
    pub text: String,
    /// For the session.
    pub entry: Entry,
    /// As the source, later the metadata calls it.
    pub name: String,
    /// What the engine is asked for, once it is known.
    pub item: Option<Item>,
    pub state: State,
    /// All that was selected is there.
    pub complete: bool,
    /// Left out, since another item or an earlier run has it.
    pub skipped: bool,
    pub info: Option<Arc<Info>>,
    pub selected: Option<Arc<[bool]>>,
    /// Where it stands, when it is complete.
    pub path: Option<PathBuf>,
    /// What is wrong with its source, until it has been told.
    pub wrong: Option<Problem>,
    /// Why it failed.
    pub problem: Option<String>,
    pub last: Progress,
    pub took: Duration,
    /// The state folder has a note of its link.
    link_is_kept: bool,
}

impl Tracked {
    pub fn new(job: Job) -> Tracked {
        let Job { key, text, entry, pending } = job;
        let mut tracked = Tracked {
            key,
            name: text.clone(),
            text,
            entry,
            item: None,
            state: State::Waiting,
            complete: false,
            skipped: false,
            info: None,
            selected: None,
            path: None,
            wrong: None,
            problem: None,
            last: Progress::default(),
            took: Duration::ZERO,
            link_is_kept: false,
        };
        match pending {
            Pending::Item(item) => tracked.become_item(*item),
            Pending::Url(url, make) => tracked.state = State::Url(url, make),
            Pending::Wrong(problem) => tracked.wrong = Some(problem),
        }
        tracked
    }

    /// It is known now what to ask the engine for.
    pub fn become_item(&mut self, item: Item) {
        self.name = source::label(&item.source);
        self.item = Some(item);
        self.state = State::Waiting;
    }

    /// Lets the next run know of a link whose metadata has not come yet.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_link(&mut self, state_dir: Option<&Path>) -> Result<(), Problem> {
        let (Some(state_dir), Some(item)) = (state_dir, &self.item) else { return Ok(()) };
        if let (ItemSource::Magnet(magnet), Goal::Download { .. }, Sink::Files) = (&item.source, &item.goal, item.sink)
        {
            self.link_is_kept = true;
            unresolved::keep(state_dir, magnet, &self.entry)?;
        }
        Ok(())
    }

    /// The state folder knows it by more than its link now, or it is of no use.
    pub fn forget_link(&mut self, state_dir: Option<&Path>) {
        if let (true, Some(state_dir), Some(item)) = (std::mem::take(&mut self.link_is_kept), state_dir, &self.item) {
            unresolved::forget(state_dir, &source::id(&item.source));
        }
    }

    /// It ends here, short of its goal.
    pub fn fail(&mut self, problem: &Problem) {
        self.problem = Some(problem.message.lines().next().unwrap_or_default().to_owned());
        self.end(problem.exit);
    }

    pub fn end(&mut self, exit: Exit) {
        self.last = self.progress();
        if let State::Running(running) = &self.state {
            self.took = running.since.elapsed();
        }
        self.state = State::Over(exit);
    }

    pub fn id(&self) -> Option<TorrentId> {
        self.info.as_ref().map(|info| info.id).or_else(|| self.item.as_ref().map(|item| source::id(&item.source)))
    }

    /// Takes the trackers and peers of another source of the same torrent too.
    pub fn learn(&mut self, twin: &ItemSource) {
        if let (Some(item), ItemSource::Magnet(magnet)) = (&mut self.item, twin) {
            let new = |known: &[String], more: &[String]| -> Vec<String> {
                more.iter().filter(|one| !known.contains(one)).cloned().collect()
            };
            if !item.no_trackers {
                item.trackers.extend(new(&item.trackers, &magnet.trackers));
            }
            item.peers.extend(new(&item.peers, &magnet.peers));
        }
    }

    pub fn over(&self) -> Option<Exit> {
        if let State::Over(exit) = self.state { Some(exit) } else { None }
    }

    pub fn running(&self) -> Option<&Running> {
        if let State::Running(running) = &self.state { Some(running) } else { None }
    }

    pub fn waits(&self) -> bool {
        matches!(self.state, State::Url(..) | State::Fetching(_) | State::Waiting)
    }

    pub fn progress(&self) -> Progress {
        self.running().map_or_else(|| self.last.clone(), |running| running.handle.progress())
    }

    pub fn sample(&self) -> Sample {
        Sample { key: self.key, name: self.name.clone(), progress: self.progress() }
    }

    /// Whether it keeps another download from beginning.
    pub fn takes_a_slot(&self) -> bool {
        let seeds = |running: &Running| self.complete && running.handle.progress().stage == Stage::Seeding;
        self.running().is_some_and(|running| running.hold == Hold::Free && !seeds(running))
    }

    pub fn resolves(&self) -> bool {
        self.running().is_some_and(|running| running.hold == Hold::Resolving)
    }

    /// Of the files that are wanted, where they are known.
    pub fn selected_bytes(&self) -> Option<u64> {
        let (info, selected) = (self.info.as_ref()?, self.selected.as_ref()?);
        Some(info.stored_files().filter(|(at, _)| selected[*at]).map(|(_, file)| file.length).sum())
    }

    /// Its source says nothing of its files.
    pub fn is_link(&self) -> bool {
        self.item.as_ref().is_some_and(|item| matches!(item.source, ItemSource::Magnet(_)))
    }

    pub fn only_serves(&self) -> bool {
        self.item.as_ref().is_some_and(|item| matches!(item.goal, Goal::Seed { .. }))
    }

    pub fn only_looks(&self) -> bool {
        self.item.as_ref().is_some_and(|item| matches!(item.goal, Goal::Metadata { .. }))
    }

    /// Whether all that it is for has been reached, though it may go on seeding.
    pub fn is_success(&self) -> bool {
        self.over().map_or(self.complete, |exit| exit == Exit::Success)
    }

    /// What a hook is told.
    pub fn told(&self, status: &'static str, exit: Exit) -> Told {
        Told {
            name: self.name.clone(),
            dir: self.item.as_ref().map(|item| item.dir.clone()).unwrap_or_default(),
            path: self.path.clone(),
            info_hash: self.id().map(|id| id.to_string()).unwrap_or_default(),
            status,
            code: exit.code(),
            files: self.info.as_deref().zip(self.selected.as_deref()).map_or_else(Vec::new, |(info, selected)| {
                json::selected_files(info, selected).into_iter().filter(|file| file["selected"] == true).collect()
            }),
        }
    }
}
