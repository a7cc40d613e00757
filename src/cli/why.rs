//! Why nothing comes, in one plain line and in one word for scripts.

use std::time::{Duration, Instant};

use super::size_time::size;
use super::text::count;
use crate::base::layout::BLOCK_LEN;
use crate::base::limit::Limit;
use crate::engine::{Progress, Stage};

/// A reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// For scripts; the words stand in the schema.
    pub word: &'static str,
    pub text: String,
}

fn why(word: &'static str, text: impl Into<String>) -> Why {
    Why { word, text: text.into() }
}

/// A limit under which a block takes longer than this is a reason by itself.
const BLOCK_TIME: u64 = 5;

/// The reason for what `progress` shows.
pub fn why_still(progress: &Progress) -> Why {
    let swarm = &progress.swarm;
    let resolving = progress.stage == Stage::Resolving;
    if swarm.disk_jobs > 0 {
        let pieces = count(swarm.disk_jobs.into(), "piece");
        return why("disk", format!("the disk is the limit: {pieces} wait to be written"));
    }
    if swarm.connected == 0 {
        return without_peers(progress);
    }
    let peers = count(swarm.connected.into(), "peer");
    if resolving {
        let parts = swarm.metadata.map(|(have, of)| format!(" ({have} of {of} parts)")).unwrap_or_default();
        return why("metadata", format!("metadata not had from {peers} yet{parts}"));
    }
    match (progress.limits.down, swarm.unchoked_us) {
        (Limit::Paused, _) => why("paused", "paused by the schedule (--limit-schedule)"),
        (_, 0) => why("choked", format!("{peers}, all choking us")),
        (Limit::Rate(rate), _) if rate.get().saturating_mul(BLOCK_TIME) < BLOCK_LEN.into() => {
            why("limit", format!("the limit of {}/s is reached (--limit-down)", size(rate.get())))
        }
        (_, open) if open < swarm.connected => why("silent", format!("{peers}, {open} would send but nothing comes")),
        _ => why("silent", format!("{peers}, nothing comes; perhaps none has the missing pieces")),
    }
}

/// Nobody is connected: who was asked for peers, and what of those that are known.
fn without_peers(progress: &Progress) -> Why {
    let swarm = &progress.swarm;
    let ((answered, all), failed) = (progress.trackers, progress.trackers_failed);
    let for_metadata = if progress.stage == Stage::Resolving { " for the metadata" } else { "" };
    let trackers = match (all, answered, failed) {
        (0, ..) => "there is no tracker".to_owned(),
        (1, 0, 0) => "the tracker has not answered".to_owned(),
        (1, 0, _) => "the tracker failed".to_owned(),
        (1, ..) => "the tracker answered".to_owned(),
        (all, 0, 0) => format!("none of {all} trackers has answered"),
        (all, 0, failed) if failed >= all => format!("all {all} trackers failed"),
        (all, 0, failed) => format!("{failed} of {all} trackers failed"),
        (all, some, 0) => format!("{some} of {all} trackers answered"),
        (all, some, failed) => format!("{some} of {all} trackers answered, {failed} failed"),
    };
    let nodes = match progress.dht_nodes {
        0 => String::new(),
        nodes => format!(", the DHT has {}", count(nodes.into(), "node")),
    };
    let known = || count(swarm.known.into(), "known peer");
    match (swarm.known, swarm.dialling) {
        (0, _) => why("no_peers", format!("no peers found yet{for_metadata}: {trackers}{nodes}")),
        (_, 0) => why("unreachable", format!("none of {} can be reached{for_metadata}; trying again", known())),
        (_, dialling) => {
            why("unreachable", format!("calling {dialling} of {}{for_metadata}, none has answered yet", known()))
        }
    }
}

/// Notices that an item does not move.
#[derive(Debug)]
pub struct Stillness {
    mark: Mark,
    since: Instant,
    told: bool,
}

/// What moves while an item makes headway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    stage: Stage,
    downloaded: u64,
    done: u64,
    checked: u64,
    metadata: u32,
}

impl Mark {
    fn of(progress: &Progress) -> Mark {
        Mark {
            stage: progress.stage,
            downloaded: progress.swarm.downloaded,
            done: progress.swarm.done_bytes,
            checked: progress.checked.map_or(0, |(done, _)| done),
            metadata: progress.swarm.metadata.map_or(0, |(have, _)| have),
        }
    }
}

impl Stillness {
    /// After so long without headway the reason is told, once until it moves again.
    pub const PATIENCE: Duration = Duration::from_secs(15);

    pub fn new(now: Instant, progress: &Progress) -> Self {
        Stillness { mark: Mark::of(progress), since: now, told: false }
    }

    /// The reason, when it is time to tell it.
    pub fn look(&mut self, now: Instant, progress: &Progress) -> Option<Why> {
        let mark = Mark::of(progress);
        if mark != self.mark {
            *self = Stillness { mark, since: now, told: false };
        }
        let waits_for_peers = matches!(progress.stage, Stage::Resolving | Stage::Downloading);
        if self.told || !waits_for_peers || now.duration_since(self.since) < Self::PATIENCE {
            return None;
        }
        self.told = true;
        Some(why_still(progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::limiter_task::Limits;
    use crate::swarm::action::Snapshot;

    fn progress(stage: Stage, swarm: Snapshot) -> Progress {
        Progress { stage, swarm, trackers: (0, 8), dht_nodes: 143, ..Progress::default() }
    }

    fn reason(progress: &Progress) -> (&'static str, String) {
        let Why { word, text } = why_still(progress);
        (word, text)
    }

    #[test]
    fn stillness_is_told_once_and_again_only_after_something_moved() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut still = progress(Stage::Downloading, Snapshot { connected: 3, ..Snapshot::default() });
        let mut stillness = Stillness::new(start, &still);
        assert_eq!(stillness.look(at(14), &still), None);
        assert_eq!(stillness.look(at(15), &still), Some(why("choked", "3 peers, all choking us")));
        assert_eq!(stillness.look(at(40), &still), None);
        still.swarm.downloaded = 1;
        assert_eq!(stillness.look(at(50), &still), None);
        assert!(stillness.look(at(65), &still).is_some());
        still.stage = Stage::Seeding;
        assert_eq!(stillness.look(at(99), &still), None);
        assert_eq!(stillness.look(at(199), &still), None);
    }

    #[test]
    fn without_peers_it_says_who_was_asked_for_them() {
        let none = progress(Stage::Resolving, Snapshot::default());
        let text = "no peers found yet for the metadata: none of 8 trackers has answered, the DHT has 143 nodes";
        assert_eq!(reason(&none), ("no_peers", text.into()));
        let failed = Progress { trackers_failed: 3, dht_nodes: 0, ..none.clone() };
        assert_eq!(reason(&failed).1, "no peers found yet for the metadata: 3 of 8 trackers failed");
        let all = Progress { trackers_failed: 8, stage: Stage::Downloading, ..none };
        assert_eq!(reason(&all).1, "no peers found yet: all 8 trackers failed, the DHT has 143 nodes");
        let dead = progress(Stage::Downloading, Snapshot { known: 20, ..Snapshot::default() });
        assert_eq!(reason(&dead), ("unreachable", "none of 20 known peers can be reached; trying again".into()));
    }

    #[test]
    fn with_peers_it_says_what_keeps_them() {
        let peers = Snapshot { connected: 4, unchoked_us: 2, ..Snapshot::default() };
        let at = |stage, swarm, down| {
            let limits = Limits { down, up: Limit::Off };
            reason(&Progress { limits, ..progress(stage, swarm) })
        };
        let metadata = Snapshot { metadata: Some((1, 3)), ..peers.clone() };
        let text = "metadata not had from 4 peers yet (1 of 3 parts)";
        assert_eq!(at(Stage::Resolving, metadata, Limit::Off), ("metadata", text.into()));
        let text = "4 peers, 2 would send but nothing comes";
        assert_eq!(at(Stage::Downloading, peers.clone(), Limit::bytes(1 << 20)), ("silent", text.into()));
        assert_eq!(at(Stage::Downloading, peers.clone(), Limit::Paused).0, "paused");
        let text = "the limit of 1.0 KiB/s is reached (--limit-down)";
        assert_eq!(at(Stage::Downloading, peers.clone(), Limit::bytes(1_024)), ("limit", text.into()));
        let disk = Snapshot { disk_jobs: 7, ..peers };
        let text = "the disk is the limit: 7 pieces wait to be written";
        assert_eq!(at(Stage::Downloading, disk, Limit::Off), ("disk", text.into()));
    }
}
