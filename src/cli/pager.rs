//! Text that is longer than the terminal goes through the user's pager, as git's and jj's does.
//!
//! `PAGER` says which (`less` where it does not); `NO_PAGER`, an empty `PAGER` or `cat` says none. Without a terminal on
//! standard output, or on a dumb one, there never is any.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::process::Command;

use super::display::{Unwritten, write_text};

/// What of the surroundings decides.
struct Surroundings {
    /// (rows, columns) of a terminal that can be moved about in.
    screen: Option<(usize, usize)>,
    pager: Option<String>,
    none: bool,
}

/// Shows `text` on standard output. Where a pager takes it, this process becomes the pager and nothing comes back.
///
/// # Errors
/// If standard output can't be written.
pub fn show(text: &str) -> Result<(), Unwritten> {
    if let Some(words) = Surroundings::now().pager(text) {
        become_pager(&words, text);
    }
    write_text(text.as_bytes())
}

/// The terminal on standard output, if it can be moved about in: (rows, columns).
pub fn screen() -> Option<(usize, usize)> {
    let dumb = std::env::var("TERM").map_or(cfg!(unix), |term| term == "dumb");
    let size = console::Term::stdout().size_checked().filter(|_| console::Term::stdout().is_term() && !dumb)?;
    Some((size.0.into(), size.1.into()))
}

impl Surroundings {
    fn now() -> Surroundings {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Surroundings { screen: screen(), pager: std::env::var("PAGER").ok(), none: set("NO_PAGER") }
    }

    /// The words of the pager that `text` needs, if it needs one.
    fn pager(&self, text: &str) -> Option<Vec<String>> {
        let (rows, columns) = self.screen.filter(|_| !self.none)?;
        let on_screen = |line: &str| line.chars().count().div_ceil(columns.max(1)).max(1);
        // The prompt wants a row too.
        if text.lines().map(on_screen).sum::<usize>() < rows {
            return None;
        }
        let words = shlex::split(self.pager.as_deref().unwrap_or("less"))?;
        (!words.is_empty() && words != ["cat"]).then_some(words)
    }
}

/// Gives the process to the pager, which reads `text` as its standard input. A process that waited would be ended by the
/// Ctrl-C that is meant for the pager, and the shell take the terminal away from under it. Comes back where that can't
/// be had: there is no such pager.
fn become_pager(words: &[String], text: &str) {
    let Some(input) = input(text.as_bytes()) else { return };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(input);
    if std::env::var_os("LESS").is_none() {
        // It ends by itself where one screen does, lets colours through, and leaves the text on the screen.
        command.env("LESS", "FRX");
    }
    replace(command);
}

/// `text` as a file without a name.
pub fn input(text: &[u8]) -> Option<File> {
    let mut file = tempfile::tempfile().ok()?;
    file.write_all(text).ok()?;
    file.rewind().ok()?;
    Some(file)
}

/// Makes this process that program; comes back if it can't be run.
#[cfg(unix)]
pub fn replace(mut command: Command) {
    use std::os::unix::process::CommandExt as _;
    let _ = command.exec();
}

/// Runs that program in the place of this process; comes back if it can't be run.
#[cfg(not(unix))]
pub fn replace(mut command: Command) {
    if let Ok(status) = command.status() {
        std::process::exit(status.code().unwrap_or(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pager(screen: Option<(usize, usize)>, pager: Option<&str>, none: bool, text: &str) -> Option<Vec<String>> {
        Surroundings { screen, pager: pager.map(str::to_owned), none }.pager(text)
    }

    #[test]
    fn only_what_is_longer_than_the_terminal_is_paged() {
        let lines = |count: usize| "word\n".repeat(count);
        assert_eq!(pager(Some((24, 80)), None, false, &lines(23)), None);
        assert_eq!(pager(Some((24, 80)), None, false, &lines(24)), Some(vec!["less".to_owned()]));
        assert_eq!(pager(None, None, false, &lines(500)), None);
        // Lines that the terminal breaks are more than one.
        assert_eq!(pager(Some((24, 2)), None, false, &lines(11)), None);
        assert!(pager(Some((24, 2)), None, false, &lines(12)).is_some());
    }

    #[test]
    fn the_environment_says_which_pager_or_none() {
        let long = "word\n".repeat(100);
        let at = |name: Option<&str>, none| pager(Some((24, 80)), name, none, &long);
        assert_eq!(at(Some("most -s 'a b'"), false), Some(vec!["most".to_owned(), "-s".into(), "a b".into()]));
        for no in ["", " ", "cat"] {
            assert_eq!(at(Some(no), false), None, "{no:?}");
        }
        assert_eq!(at(None, true), None);
    }
}
