//! What went wrong, as a person reads it: one line that says what failed, on what, why, and what to try.

use std::fmt;

use super::display::Unwritten;
use super::exit::Exit;
use super::text::without_numbers;

/// An error that ends a command or an item.
#[derive(Debug)]
pub struct Problem {
    pub exit: Exit,
    /// What failed, on what and why.
    pub message: String,
    /// What to try, where there is something.
    pub hint: Option<String>,
    /// The causes below, for `-v`.
    pub cause: Option<anyhow::Error>,
}

impl Problem {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = without_numbers(&message.into()).into_owned();
        Problem { exit, message, hint: None, cause: None }
    }

    /// With what to try.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Problem { hint: Some(hint.into()), ..self }
    }

    /// With what lies below it.
    pub fn because(self, cause: impl Into<anyhow::Error>) -> Self {
        Problem { cause: Some(cause.into()), ..self }
    }

    /// The lines to print: one, and with `verbose` the chain of causes under it.
    pub fn lines(&self, verbose: bool) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if let Some(cause) = self.cause.as_ref().filter(|_| verbose) {
            lines.extend(cause.chain().map(|link| format!("  caused by: {link}")));
        }
        lines
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Ends a command that has nobody to write for (that is not printed) or no room to write in.
impl From<Unwritten> for Problem {
    fn from(unwritten: Unwritten) -> Problem {
        let message = match unwritten {
            Unwritten::ReaderGone => "nobody reads standard output",
            Unwritten::NoSpace => "cannot write to standard output: no space left on the disk",
            Unwritten::Failed => "cannot write to standard output",
        };
        Problem::new(unwritten.into(), message)
    }
}

/// What went wrong with a file: its reason in a person's words, the path first.
pub fn file_problem(doing: &str, path: &std::path::Path, error: std::io::Error) -> Problem {
    use std::io::ErrorKind;
    let exit = match error.kind() {
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Exit::NoSpace,
        _ => Exit::FileIo,
    };
    let reason = match error.kind() {
        ErrorKind::NotFound => "no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    };
    Problem::new(exit, format!("cannot {doing} {}: {reason}", path.display())).because(error)
}
