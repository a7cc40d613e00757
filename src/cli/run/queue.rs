//! Who is next: sources are fetched and links resolved beside the downloads, and never keep one waiting.

use std::time::Instant;

use super::job::{Hold, Running, State};
use super::{Fetched, Run};
use crate::cli::display::Unwritten;
use crate::cli::error::Problem;
use crate::cli::fetch::fetch;
use crate::cli::source;
use crate::cli::{json, pick};
use crate::engine::{Engine, Item};
use crate::io::http::HttpClient;
use crate::io::resolve::Resolver;

/// Sources that are fetched at a time.
const FETCHES: usize = 8;
/// Links that are resolved at a time.
const RESOLVING: usize = 32;

impl Run<'_> {
    /// Starts all for which there is room.
    pub(super) fn begin_waiting(&mut self, engine: &mut Engine, now: Instant) {
        self.begin_fetching();
        let mut free = self.options.jobs.saturating_sub(self.tracked.iter().filter(|job| job.takes_a_slot()).count());
        let mut resolving = self.tracked.iter().filter(|job| job.resolves()).count();
        let left = self.tracked.iter().filter(|job| job.over().is_none()).count();
        let more = self.options.feed.is_some();
        for place in 0..self.tracked.len() {
            let job = &mut self.tracked[place];
            match &mut job.state {
                State::Running(running) if running.hold == Hold::Slot && free > 0 => {
                    running.hold = Hold::Free;
                    running.handle.go(None);
                    free -= 1;
                }
                State::Waiting => {
                    // Where there are slots for all, nobody needs to wait for one.
                    let hold = self.options.interactive || (job.is_link() && (more || left > self.options.jobs));
                    let room = if hold { resolving < RESOLVING } else { free > 0 };
                    if let (true, Some(item)) = (room, job.item.clone()) {
                        if let Err(problem) = job.keep_link(self.options.state_dir.as_deref()) {
                            self.display.warning(&problem.to_string());
                        }
                        let handle = engine.add(Item { hold, ..item });
                        self.places.insert(handle.key, place);
                        let hold = if hold { Hold::Resolving } else { Hold::Free };
                        job.state = State::Running(Running { handle, since: now, hold });
                        if hold == Hold::Free { free -= 1 } else { resolving += 1 }
                    }
                }
                _ => {}
            }
        }
    }

    fn begin_fetching(&mut self) {
        for (place, job) in self.tracked.iter_mut().enumerate() {
            if self.fetches.len() >= FETCHES {
                return;
            }
            if let State::Url(..) = &job.state
                && let State::Url(url, make) = std::mem::replace(&mut job.state, State::Waiting)
            {
                let options = &self.options;
                let new = || HttpClient::new(&options.user_agent, Resolver::on(options.path.clone()));
                let client = self.client.get_or_insert_with(new).clone();
                let headers = options.headers.clone();
                self.fetches.spawn(async move { (place, fetch(&client, &url, &headers).await) });
                job.state = State::Fetching(make);
            }
        }
    }

    /// A source has come, or has not.
    pub(super) fn on_fetched(&mut self, (place, given): Fetched) -> Result<(), Unwritten> {
        let job = &mut self.tracked[place];
        let State::Fetching(make) = std::mem::replace(&mut job.state, State::Waiting) else { return Ok(()) };
        match given.and_then(make) {
            Ok(item) => {
                job.become_item(item);
                self.admit(place)
            }
            Err(problem) => self.fail(place, &problem),
        }
    }

    /// Takes an item in, unless another has the same torrent or the archive knows it.
    pub(super) fn admit(&mut self, place: usize) -> Result<(), Unwritten> {
        let Some(item) = &self.tracked[place].item else { return Ok(()) };
        let (id, source) = (source::id(&item.source), item.source.clone());
        if let Some(&twin) = id.hashes().find_map(|hash| self.seen.get(&hash)) {
            let note = format!(
                "note: {} is the same torrent as {}; taken once",
                self.tracked[place].text, self.tracked[twin].text
            );
            self.tracked[twin].learn(&source);
            return self.skip(place, "same", &note);
        }
        self.seen.extend(id.hashes().map(|hash| (hash, place)));
        let job = &self.tracked[place];
        self.display.json_line(&json::item(job.key, &job.text, Some(&job.name), &id))?;
        if self.options.archive.as_ref().is_some_and(|archive| archive.contains(&id)) {
            let note = format!("note: {} stands in the archive; skipped", job.text);
            return self.skip(place, "archive", &note);
        }
        Ok(())
    }

    fn skip(&mut self, place: usize, reason: &'static str, note: &str) -> Result<(), Unwritten> {
        let job = &mut self.tracked[place];
        job.skipped = true;
        job.state = State::Over(crate::cli::exit::Exit::Success);
        self.display.note(note);
        self.display.json_line(&json::skipped(job.key, &job.text, reason))
    }

    /// Shows the next item that waits for a choice, if nobody is choosing.
    pub(super) fn begin_picking(&mut self) {
        if self.picking.is_some() {
            return;
        }
        let waits = |job: &super::job::Tracked| job.running().is_some_and(|running| running.hold == Hold::Choice);
        let Some(place) = self.tracked.iter().position(waits) else { return };
        let job = &self.tracked[place];
        if let (Some(info), Some(selected)) = (job.info.clone(), job.selected.clone()) {
            self.display.hold_back(true);
            self.picking = Some(tokio::task::spawn_blocking(move || (place, pick::files(&info, &selected))));
        }
    }

    /// The user has chosen, or wants out.
    pub(super) fn on_picked(&mut self, place: usize, picked: Result<Vec<bool>, Problem>) -> Result<(), Unwritten> {
        self.picking = None;
        self.display.hold_back(false);
        match picked {
            Ok(files) => {
                if let State::Running(running) = &mut self.tracked[place].state {
                    running.hold = Hold::Free;
                    running.handle.go(Some(crate::base::selection::Selection::picked(files)));
                }
                Ok(())
            }
            Err(problem) => {
                if let State::Running(running) = &self.tracked[place].state {
                    running.handle.stop();
                }
                self.fail(place, &problem)
            }
        }
    }
}

/// What a fetch came to, with the place of its job.
pub(super) async fn next_fetch(fetches: &mut tokio::task::JoinSet<Fetched>) -> Fetched {
    loop {
        match fetches.join_next().await {
            Some(Ok(fetched)) => return fetched,
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

/// What the user picked; waits for ever while nobody picks.
pub(super) async fn next_pick(picking: &mut Option<super::Picking>) -> super::Picked {
    match picking {
        Some(task) => match task.await {
            Ok(picked) => picked,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
        None => std::future::pending().await,
    }
}
