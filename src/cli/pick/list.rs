//! The list of files, with ticks and search.

use inquire::{InquireError, MultiSelect};

use crate::base::metainfo::Info;
use crate::cli::error::Problem;
use crate::cli::exit::{Exit, Signal};
use crate::cli::json::slashed;
use crate::cli::size_time::size;
use crate::cli::text::escape;

/// Lines of the list that are shown at a time.
const PAGE: usize = 15;

/// What the keys do, in a line of a terminal so wide.
fn help(columns: u16) -> &'static str {
    match columns {
        0..60 => "space ticks, enter goes on",
        _ => "type to search, space ticks, → all, ← none, enter goes on",
    }
}

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
    let (rows, columns) = console::Term::stderr().size_checked().unwrap_or((PAGE as u16 + 5, 80));
    let page = usize::from(rows).saturating_sub(5).max(3);
    let picked = MultiSelect::new(&message, lines)
        .with_default(&ticked)
        .with_page_size(page)
        .with_help_message(help(columns))
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
