//! `--interactive`: the files of a torrent picked from a list on the terminal, with search.

#[cfg_attr(not(feature = "interactive"), path = "pick/list_none.rs")]
mod list;

use std::io::IsTerminal as _;

pub use list::files;

use super::error::Problem;
use super::exit::Exit;

/// Looks whether anybody can pick here.
///
/// # Errors
/// If there is no terminal, or this build has no list.
pub fn possible() -> Result<(), Problem> {
    if cfg!(not(feature = "interactive")) {
        return Err(Problem::new(Exit::Usage, "-I: this build has no feature \"interactive\"")
            .hint("--list shows the files, --select names them"));
    }
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        save_terminal();
        return Ok(());
    }
    Err(Problem::new(Exit::Usage, "-I picks files on a terminal, and there is none")
        .hint("--list shows them, --select names them"))
}

/// How the terminal was before anybody picked.
#[cfg(unix)]
static BEFORE: std::sync::OnceLock<rustix::termios::Termios> = std::sync::OnceLock::new();

fn save_terminal() {
    #[cfg(unix)]
    if let Ok(modes) = rustix::termios::tcgetattr(std::io::stdin()) {
        let _ = BEFORE.set(modes);
    }
}

/// Gives the terminal back as it was, where a picker is cut off by a signal.
pub fn restore_terminal() {
    #[cfg(unix)]
    if let Some(modes) = BEFORE.get() {
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, modes);
    }
    let term = console::Term::stderr();
    let _ = term.show_cursor().and_then(|()| term.write_line(""));
}
