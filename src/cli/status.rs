//! The state of an item in words: what stage it is in, and how far it is.

use std::time::{Duration, Instant};

use super::size_time;
use super::text::count;
use crate::engine::{Progress, Stage};

/// One word for a stage, in lines and in JSON.
pub fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Queued => "queued",
        Stage::Resolving => "resolving",
        Stage::Checking => "checking",
        Stage::Hashing => "hashing",
        Stage::Downloading => "downloading",
        Stage::Finishing => "finishing",
        Stage::Seeding => "seeding",
        Stage::Stopping => "stopping",
        Stage::Done => "done",
        Stage::Failed => "failed",
    }
}

/// The stage and what there is to tell of it besides bytes: `resolving: 2 of 8 trackers, 143 DHT nodes, 12 peers,
/// metadata 3/7`.
pub fn stage_text(progress: &Progress) -> String {
    match progress.stage {
        Stage::Queued => "queued".into(),
        Stage::Resolving => format!("resolving: {}", sources(progress)),
        Stage::Checking => "checking what is on disk".into(),
        Stage::Hashing => "hashing".into(),
        Stage::Downloading if progress.swarm.connected == 0 => format!("looking for peers: {}", sources(progress)),
        Stage::Downloading => "downloading".into(),
        Stage::Finishing => "finishing: writing all to disk".into(),
        Stage::Seeding => "seeding".into(),
        Stage::Stopping => "stopping: saving state".into(),
        Stage::Done => "done".into(),
        Stage::Failed => "failed".into(),
    }
}

/// Who has been asked for peers and metadata, and what came of it.
fn sources(progress: &Progress) -> String {
    let (answered, trackers) = progress.trackers;
    let swarm = &progress.swarm;
    let mut parts = Vec::new();
    match (answered, trackers) {
        (_, 0) => {}
        (0, all) => parts.push(count(all.into(), "tracker")),
        (some, all) => parts.push(format!("{some} of {}", count(all.into(), "tracker"))),
    }
    if progress.dht_nodes > 0 {
        let queries = match progress.dht_queries {
            0 => String::new(),
            1 => " (1 query)".into(),
            queries => format!(" ({queries} queries)"),
        };
        parts.push(format!("{}{queries}", count(progress.dht_nodes.into(), "DHT node")));
    }
    parts.push(match (swarm.connected, swarm.dialling, swarm.known) {
        (0, 0, 0) => "no peers yet".into(),
        (0, 0, known) => format!("{} known", count(known.into(), "peer")),
        (0, dialling, _) => format!("calling {}", count(dialling.into(), "peer")),
        (connected, ..) => format!("{} asked", count(connected.into(), "peer")),
    });
    if let Some((have, of)) = swarm.metadata {
        parts.push(format!("metadata {have}/{of}"));
    }
    parts.join(", ")
}

/// (bytes done, bytes in all) of what the stage counts; `None` where there is nothing to count.
pub fn counted(progress: &Progress) -> Option<(u64, u64)> {
    let (done, all) = match progress.stage {
        Stage::Checking | Stage::Hashing => progress.checked?,
        Stage::Downloading | Stage::Finishing | Stage::Stopping => {
            (progress.swarm.done_bytes, progress.swarm.wanted_bytes)
        }
        _ => return None,
    };
    (all > 0).then(|| (done.min(all), all))
}

/// Whole per cent; 100 only when nothing is missing.
pub fn percent(done: u64, all: u64) -> u64 {
    (u128::from(done) * 100 / u128::from(all.max(1))) as u64
}

/// A download rate that follows slowly, for times to arrival that do not jump.
#[derive(Debug, Default)]
pub struct Pace {
    rate: f64,
    at: Option<Instant>,
}

impl Pace {
    /// Over how many seconds a change of the rate is believed.
    const INERTIA: f64 = 10.0;

    /// Takes the rate of now and gives the time left for `left` bytes.
    pub fn eta(&mut self, now: Instant, rate: u64, left: u64) -> Option<Duration> {
        let age = self.at.map(|at| now.duration_since(at).as_secs_f64());
        self.rate = match age {
            Some(age) if self.rate > 0.0 => {
                let keep = (-age / Self::INERTIA).exp();
                self.rate * keep + rate as f64 * (1.0 - keep)
            }
            _ => rate as f64,
        };
        self.at = Some(now);
        size_time::eta(left, self.rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::action::Snapshot;

    fn progress(stage: Stage, swarm: Snapshot) -> Progress {
        Progress { stage, swarm, trackers: (0, 8), dht_nodes: 143, ..Progress::default() }
    }

    #[test]
    fn before_there_are_bytes_the_stage_tells_who_is_asked() {
        let swarm = Snapshot { connected: 12, metadata: Some((3, 7)), ..Snapshot::default() };
        let resolving = progress(Stage::Resolving, swarm);
        assert_eq!(stage_text(&resolving), "resolving: 8 trackers, 143 DHT nodes, 12 peers asked, metadata 3/7");
        let asked = Progress { dht_queries: 212, ..resolving };
        assert!(stage_text(&asked).contains("143 DHT nodes (212 queries), 12 peers"), "{}", stage_text(&asked));
        let resolving = Progress { stage: Stage::Resolving, trackers: (1, 1), ..Progress::default() };
        assert_eq!(stage_text(&resolving), "resolving: 1 of 1 tracker, no peers yet");
    }

    #[test]
    fn per_cent_does_not_promise_more_than_there_is() {
        assert_eq!((percent(999, 1000), percent(1000, 1000), percent(0, 0)), (99, 100, 0));
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn an_eta_does_not_jump_with_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.eta(start, 1000, 100_000), Some(Duration::from_secs(100)));
        let later = pace.eta(start + Duration::from_millis(100), 10, 100_000).unwrap();
        assert!(later < Duration::from_secs(103), "{later:?}");
    }
}
