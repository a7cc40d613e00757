//! `--interactive`: the files of a torrent picked from a list on the terminal, with search.

use std::io::IsTerminal as _;

use inquire::{InquireError, MultiSelect};

use super::error::Problem;
use super::exit::{Exit, Signal};
use super::json::slashed;
use super::size_time::size;
use super::text::escape;
use crate::base::metainfo::Info;

/// Looks whether anybody can pick here.
///
/// # Errors
/// If there is no terminal.
pub fn possible() -> Result<(), Problem> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        save_terminal();
        return Ok(());
    }
    Err(Problem::new(Exit::Usage, "-I picks files on a terminal, and there is none")
        .hint("--list shows them, --select names them"))
}

/// Lines of the list that are shown at a time.
const PAGE: usize = 15;

/// Lets a person pick; what is `selected` is ticked at first. Blocks until it is done.
///
/// # Errors
/// If nothing is picked, or the person wants out.
pub fn files(info: &Info, selected: &[bool]) -> Result<Vec<bool>, Problem> {
    let digits = info.stored_files().count().to_string().len();
    let (places, lines): (Vec<usize>, Vec<String>) = info
        .stored_files()
        .enumerate()
        .map(|(n, (place, file))| {
            let path = slashed(file.path.as_path());
            (place, format!("{:digits$}  {:>9}  {}", n + 1, size(file.length), escape(&path)))
        })
        .unzip();
    let ticked: Vec<usize> = (0..places.len()).filter(|n| selected.get(places[*n]).copied().unwrap_or(false)).collect();
    let message = format!("{}:", escape(&info.name));
    let page =
        console::Term::stderr().size_checked().map_or(PAGE, |(rows, _)| usize::from(rows).saturating_sub(5).max(3));
    let picked = MultiSelect::new(&message, lines)
        .with_default(&ticked)
        .with_page_size(page)
        .with_help_message("type to search, space ticks, → all, ← none, enter goes on")
        .with_formatter(&|picked| format!("{} files", picked.len()))
        .raw_prompt();
    match picked {
        Ok(picked) if picked.is_empty() => {
            Err(Problem::new(Exit::NotFound, format!("{}: no file was picked", escape(&info.name))))
        }
        Ok(picked) => {
            let mut files = vec![false; info.files.len()];
            picked.iter().for_each(|line| files[places[line.index]] = true);
            Ok(files)
        }
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => {
            Err(Problem::new(Exit::Signal(Signal::Interrupt), format!("{}: given up", escape(&info.name))))
        }
        Err(error) => Err(Problem::new(Exit::Other, format!("cannot show the files: {error}")).hint("use --select")),
    }
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
