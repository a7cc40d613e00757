//! What is said of the engine's events.

use super::Run;
use super::job::{Hold, State};
use crate::cli::display::Unwritten;
use crate::cli::endings::{complete_text, problem_of};
use crate::cli::exit::Exit;
use crate::cli::hooks::Occasion;
use crate::cli::json;
use crate::cli::text::{escape, without_numbers};
use crate::engine::{Event, FailureKind, ItemKey, Stage};

impl Run<'_> {
    pub(super) fn on_event(&mut self, key: ItemKey, event: Event) -> Result<(), Unwritten> {
        let Some(&place) = self.places.get(&key) else { return Ok(()) };
        let job = &mut self.tracked[place];
        if job.over().is_some() {
            return Ok(());
        }
        let display = &mut *self.display;
        // From its files on it has a resume record; what is refused will never have one.
        let opened = |stage| matches!(stage, Stage::Downloading | Stage::Finishing | Stage::Seeding);
        let never =
            |kind| matches!(kind, FailureKind::Refused | FailureKind::NothingSelected | FailureKind::NotATorrent);
        let forget = match &event {
            Event::Stage(stage) => opened(*stage),
            Event::Done => true,
            Event::Failed(failure) => never(failure.kind),
            _ => false,
        };
        if forget {
            job.forget_link(self.options.state_dir.as_deref());
        }
        match event {
            Event::Stage(stage) => {
                if job.only_serves() && stage == Stage::Seeding {
                    let swarm = job.progress().swarm;
                    job.complete = swarm.pieces_done == swarm.pieces;
                }
                // What is complete, or was only looked at, stops without a word.
                let quietly = (job.complete || job.only_looks() || !self.options.keeps) && stage == Stage::Stopping;
                display.stage(job.sample(), stage, quietly)?;
            }
            Event::Metadata { info, selected } => {
                job.name = info.name.clone();
                display.json_line(&json::metadata(job.key, &info, &selected))?;
                job.info = Some(info.clone());
                job.selected = Some(selected.clone());
                if let State::Running(running) = &mut job.state
                    && running.hold == Hold::Resolving
                {
                    running.hold = if self.options.interactive { Hold::Choice } else { Hold::Slot };
                }
                self.options.hooks.fire(Occasion::Metadata, || job.told("metadata", Exit::Success));
                return self.begin_playing(place, &info, &selected);
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
                job.path = path.clone();
                let (progress, since) = (job.progress(), job.running().map(|running| running.since));
                let wanted = job.selected_bytes().unwrap_or(progress.swarm.wanted_bytes);
                display.good("done", &complete_text(&job.name, wanted, progress.swarm.downloaded, since));
                // Standard output holds the bytes themselves where there is no path.
                if let Some(path) = path {
                    display.json_line(&json::complete(job.key, &path))?;
                    display.result_line(&path.to_string_lossy())?;
                }
                if let (Some(archive), Some(id)) = (&mut self.options.archive, job.id())
                    && let Err(problem) = archive.add(&id, &job.name)
                {
                    display.warning(&problem.to_string());
                }
                self.options.hooks.fire(Occasion::Complete, || job.told("complete", Exit::Success));
            }
            Event::Warning(text) => {
                display.warning(&format!("{}: {}", escape(&job.name), escape(&without_numbers(&text))));
            }
            Event::Done => job.end(Exit::Success),
            Event::Failed(failure) if failure.kind == FailureKind::Stopped => {
                let exit = if job.complete { Exit::Success } else { Exit::Unfinished };
                job.end(exit);
            }
            Event::Failed(failure) => {
                let problem = problem_of(&job.name, &failure);
                return self.fail(place, &problem);
            }
        }
        Ok(())
    }
}
