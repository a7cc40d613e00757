//! Progress where there is no terminal: whole lines, one an item every ten seconds, no `\r`, no escape codes.

use std::time::Duration;

use super::bars::{Row, seeding_text};
use super::size_time::{size, size_of, time};
use super::status::{counted, percent, stage_text};
use super::text::count;
use crate::engine::Stage;

/// How often an item that is under way gets a line.
pub const EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether anything moves.
pub const LOOK: Duration = Duration::from_secs(5);

/// One item in a line of any length.
pub fn line(row: &Row) -> String {
    let progress = &row.progress;
    let words = match (progress.stage, counted(progress)) {
        (Stage::Seeding, _) => seeding_text(progress),
        (Stage::Downloading, Some((done, all))) if done > 0 || progress.swarm.connected > 0 => {
            let eta = row.eta.map(|left| format!(", {} left", time(left))).unwrap_or_default();
            format!(
                "{}% of {}, down {}/s, up {}/s, {}{eta}",
                percent(done, all),
                size(all),
                size(progress.down_rate),
                size(progress.up_rate),
                count(progress.swarm.connected.into(), "peer"),
            )
        }
        (Stage::Checking | Stage::Hashing, Some((done, all))) => {
            format!("{}, {}", stage_text(progress), size_of(done, all))
        }
        _ => stage_text(progress),
    };
    format!("{}: {words}", row.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Progress;
    use crate::swarm::action::Snapshot;

    #[test]
    fn a_line_says_it_all_without_escapes() {
        let swarm = Snapshot { wanted_bytes: 4 << 30, done_bytes: 1 << 30, connected: 1, ..Snapshot::default() };
        let progress = Progress { stage: Stage::Downloading, swarm, down_rate: 1 << 20, ..Progress::default() };
        let mut row = Row { name: "a.iso".into(), progress, eta: Some(Duration::from_secs(3072)) };
        assert_eq!(line(&row), "a.iso: 25% of 4.0 GiB, down 1.0 MiB/s, up 0 B/s, 1 peer, 51m12s left");
        row.progress.swarm = Snapshot { wanted_bytes: 4 << 30, ..Snapshot::default() };
        assert_eq!(line(&row), "a.iso: looking for peers: no peers yet");
        row.progress.stage = Stage::Checking;
        row.progress.checked = Some((1 << 30, 4 << 30));
        assert_eq!(line(&row), "a.iso: checking what is on disk, 1.0/4.0 GiB");
    }
}
