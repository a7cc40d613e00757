//! The exit codes: aria2's numbers where the meaning is the same.

use std::process::ExitCode;

use crate::engine::FailureKind;

/// How a run ends, as its parent process sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Success,
    Other,
    Usage,
    /// A source or a file of it was not found, or nothing is selected.
    NotFound,
    SomeFailed,
    Stalled,
    Network,
    /// Not finished, state saved.
    Unfinished,
    NoMetadata,
    NoSpace,
    InUse,
    Occupied,
    FileIo,
    NotATorrent,
    Refused,
    BadMagnet,
    Verification,
    /// Ended by this signal.
    Signal(Signal),
    /// Whoever read standard output went away.
    ReaderGone,
}

/// The signals that end a run in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Other => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::SomeFailed => 4,
            Exit::Stalled => 5,
            Exit::Network => 6,
            Exit::Unfinished => 7,
            Exit::NoMetadata => 8,
            Exit::NoSpace => 9,
            Exit::InUse => 11,
            Exit::Occupied => 13,
            Exit::FileIo => 17,
            Exit::NotATorrent => 25,
            Exit::Refused => 26,
            Exit::BadMagnet => 27,
            Exit::Verification => 32,
            Exit::Signal(Signal::Hangup) => 129,
            Exit::Signal(Signal::Interrupt) => 130,
            Exit::Signal(Signal::Terminate) => 143,
            Exit::ReaderGone => 141,
        }
    }

    /// A word for scripts that read JSON.
    pub fn word(self) -> &'static str {
        match self {
            Exit::Success => "success",
            Exit::Other => "other",
            Exit::Usage => "usage",
            Exit::NotFound => "not-found",
            Exit::SomeFailed => "some-failed",
            Exit::Stalled => "stalled",
            Exit::Network => "network",
            Exit::Unfinished => "unfinished",
            Exit::NoMetadata => "no-metadata",
            Exit::NoSpace => "no-space",
            Exit::InUse => "in-use",
            Exit::Occupied => "occupied",
            Exit::FileIo => "file-io",
            Exit::NotATorrent => "not-a-torrent",
            Exit::Refused => "refused",
            Exit::BadMagnet => "bad-magnet",
            Exit::Verification => "verification",
            Exit::Signal(_) => "signal",
            Exit::ReaderGone => "reader-gone",
        }
    }

    /// The code of a run from those of its items: one item's own code, [`Exit::SomeFailed`] for several of which any
    /// failed.
    pub fn of_batch(items: &[Exit]) -> Exit {
        let failed = |exit: &Exit| !matches!(exit, Exit::Success | Exit::Unfinished);
        match items {
            [only] => *only,
            several if several.iter().any(failed) => Exit::SomeFailed,
            several if several.contains(&Exit::Unfinished) => Exit::Unfinished,
            _ => Exit::Success,
        }
    }
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Exit {
        match kind {
            FailureKind::Other => Exit::Other,
            FailureKind::NothingSelected => Exit::NotFound,
            FailureKind::SeveralSelected => Exit::Usage,
            FailureKind::ReaderGone => Exit::ReaderGone,
            FailureKind::Stalled => Exit::Stalled,
            FailureKind::Network => Exit::Network,
            FailureKind::Stopped => Exit::Unfinished,
            FailureKind::NoMetadata => Exit::NoMetadata,
            FailureKind::NoSpace => Exit::NoSpace,
            FailureKind::InUse => Exit::InUse,
            FailureKind::Occupied => Exit::Occupied,
            FailureKind::FileIo => Exit::FileIo,
            FailureKind::NotATorrent => Exit::NotATorrent,
            FailureKind::Refused => Exit::Refused,
            FailureKind::BadMagnet => Exit::BadMagnet,
            FailureKind::Verification => Exit::Verification,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The table for the man pages and the README: code, meaning.
pub const TABLE: &[(&str, &str)] = &[
    ("0", "all complete and verified"),
    ("1", "another error"),
    ("2", "wrong usage"),
    ("3", "a source was not found, or nothing is selected"),
    ("4", "some items of a batch failed"),
    ("5", "stalled (--stall-timeout)"),
    ("6", "trouble with the network, the proxy or the interface"),
    ("7", "unfinished, state saved (--max-time)"),
    ("8", "no metadata in time (--metadata-timeout)"),
    ("9", "no space left on the disk"),
    ("11", "in use by another process"),
    ("13", "something else is at the destination"),
    ("17", "a file could not be read or written"),
    ("25", "not a torrent"),
    ("26", "a torrent that is refused (limits, unsafe, not supported)"),
    ("27", "a bad magnet link or info hash"),
    ("32", "verification failed"),
    ("129, 130, 143", "ended by SIGHUP, SIGINT, SIGTERM; state saved"),
    ("141", "whoever read standard output went away"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_speaks_for_itself_and_several_end_with_4() {
        assert_eq!(Exit::of_batch(&[Exit::NoSpace]), Exit::NoSpace);
        assert_eq!(Exit::of_batch(&[Exit::Success, Exit::NoSpace]), Exit::SomeFailed);
        assert_eq!(Exit::of_batch(&[Exit::Success, Exit::Success]), Exit::Success);
        assert_eq!(Exit::of_batch(&[Exit::Success, Exit::Unfinished]), Exit::Unfinished);
        assert_eq!(Exit::of_batch(&[Exit::Stalled, Exit::Unfinished]), Exit::SomeFailed);
    }
}
