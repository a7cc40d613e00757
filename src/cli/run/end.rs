//! The end of a run: in order, with a sum, and with what the next one needs.

use std::time::Duration;

use tokio::sync::mpsc;

use super::job::Tracked;
use super::{End, Ended, EndedJob, Run};
use crate::cli::endings::{Ending, how_to_go_on, summary_table, summary_text};
use crate::cli::exit::{Exit, Signal};
use crate::cli::input_file;
use crate::cli::json::{self, Totals};
use crate::cli::pick;
use crate::cli::signals::Signals;
use crate::engine::{Engine, Event, ItemKey};

/// How long an orderly stop may take; trackers get a part of it only.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long the trackers are waited for when all is done.
const SUCCESS_GRACE: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// Brings what still runs to an end in order; a second signal ends the process at once.
    pub(super) async fn stop(
        &mut self,
        engine: Engine,
        events: &mut mpsc::UnboundedReceiver<(ItemKey, Event)>,
        signals: &mut Signals,
        end: End,
    ) {
        let running = self.tracked.iter().any(|job| job.running().is_some());
        self.fetches.abort_all();
        if self.picking.take().is_some() {
            pick::restore_terminal();
            self.display.hold_back(false);
        }
        if self.playing.is_some() {
            self.display.hold_back(false);
        }
        if running && end != End::AllOver {
            self.display.clear();
            self.display.note(match end {
                End::Player(_) => "the player has ended: stopping, saving state",
                _ if !self.options.keeps => "stopping; once more to leave at once",
                End::MaxTime => "the time is over: stopping, saving state",
                End::FirstFailure(_) => "an item failed (--fail-fast): stopping, saving state",
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
        for job in self.tracked.iter_mut().filter(|job| job.over().is_none()) {
            job.end(if job.complete { Exit::Success } else { Exit::Unfinished });
        }
    }

    /// Waits until every hook is through; a signal ends the waiting.
    pub(super) async fn wait_for_hooks(&mut self, signals: &mut Signals) {
        self.display.clear();
        loop {
            tokio::select! {
                line = self.options.hooks.next() => match line {
                    Some(line) => self.display.note(&line),
                    None => return,
                },
                _ = signals.next() => return,
            }
        }
    }

    /// The exit code, the last lines, and how to go on.
    pub(super) fn conclude(self, end: End) -> Ended {
        self.display.clear();
        if let End::Unwritten(unwritten) = end {
            self.display.problem(&unwritten.into());
        }
        let exits: Vec<Exit> = self.tracked.iter().filter_map(Tracked::over).collect();
        let exit = match end {
            End::Unwritten(unwritten) => unwritten.into(),
            // Who watches ends the run so.
            End::Signal(Signal::Interrupt) if self.playing.is_some() => Exit::Success,
            End::Signal(signal) if !self.tracked.iter().all(Tracked::is_success) => Exit::Signal(signal),
            End::FirstFailure(exit) | End::Player(exit) => exit,
            _ => Exit::of_batch(&exits),
        };
        let exit = self.save_session().err().unwrap_or(exit);
        let exit = if self.options.sum_up { self.sum_up(exit) } else { exit };
        let ended = |job: Tracked| EndedJob { key: job.key, item: job.item, info: job.info, selected: job.selected };
        Ended { exit, jobs: self.tracked.into_iter().map(ended).collect() }
    }

    fn sum_up(&self, exit: Exit) -> Exit {
        let totals = self.totals();
        if totals.items > 1 {
            if self.display.is_terminal() {
                let rows: Vec<Ending> = self.tracked.iter().map(ending).collect();
                summary_table(&rows, self.display.columns()).iter().for_each(|line| self.display.note(line));
            }
            self.display.note(&summary_text(&totals));
        }
        if totals.unfinished > 0 && !self.options.line.is_empty() {
            self.display.note(&how_to_go_on(&self.options.line));
        }
        let written = self.display.json_line(&json::summary(&totals, exit));
        written.err().map_or(exit, Exit::from)
    }

    /// Writes what is not complete for the next run, where that is wanted.
    fn save_session(&self) -> Result<(), Exit> {
        let Some(path) = &self.options.session else { return Ok(()) };
        // What came over standard input and could not be read is nothing to go on with.
        let left = self.tracked.iter().filter(|job| !job.is_success() && job.entry.source != "-");
        let left = left.map(|job| job.entry.clone());
        input_file::save(path, &left.collect::<Vec<_>>()).map_err(|problem| {
            self.display.problem(&problem);
            problem.exit
        })
    }

    fn totals(&self) -> Totals {
        let count = |what: fn(Exit) -> bool| {
            self.tracked.iter().filter(|job| !job.skipped && job.over().is_some_and(what)).count()
        };
        Totals {
            items: self.tracked.len(),
            complete: count(|exit| exit == Exit::Success),
            failed: count(|exit| !matches!(exit, Exit::Success | Exit::Unfinished)),
            unfinished: count(|exit| exit == Exit::Unfinished),
            skipped: self.tracked.iter().filter(|job| job.skipped).count(),
            downloaded: self.tracked.iter().map(|job| job.last.swarm.downloaded).sum(),
            uploaded: self.tracked.iter().map(|job| job.last.swarm.uploaded).sum(),
            seconds: self.started.elapsed().as_secs_f64(),
        }
    }
}

fn ending(job: &Tracked) -> Ending {
    let exit = job.over().unwrap_or(Exit::Unfinished);
    Ending {
        word: match exit {
            _ if job.skipped => "skipped",
            Exit::Success => "done",
            Exit::Unfinished => "unfinished",
            _ => "failed",
        },
        name: job.name.clone(),
        bytes: job.last.swarm.done_bytes,
        downloaded: job.last.swarm.downloaded,
        took: job.took,
        why: job.problem.clone().filter(|_| exit != Exit::Success),
    }
}
