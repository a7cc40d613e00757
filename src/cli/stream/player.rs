//! The player that the run is for: started with the URL, without a shell, and waited for.

use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use crate::cli::error::Problem;
use crate::cli::exit::Exit;
use crate::cli::hooks::Words;
use crate::cli::text::escape;

/// A running player; it is killed if the run ends before it.
#[derive(Debug)]
pub struct Player {
    child: Child,
    name: String,
}

/// The word that the URL takes the place of.
const PLACE: &str = "{}";

impl Player {
    /// Runs `words` with `url`. The terminal is the player's; what it prints goes to standard error, since standard
    /// output carries results.
    ///
    /// # Errors
    /// [`Exit::NotFound`] if there is no such program, else what the system says.
    pub fn start(words: &Words, url: &str) -> Result<Player, Problem> {
        let (program, arguments) = words.split();
        let mut command = Command::new(program);
        command.args(with_url(arguments, url)).kill_on_drop(true);
        command.stdin(Stdio::inherit()).stdout(std::io::stderr()).stderr(Stdio::inherit());
        let name = escape(program).into_owned();
        match command.spawn() {
            Ok(child) => Ok(Player { child, name }),
            Err(error) => {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                let exit = if missing { Exit::NotFound } else { Exit::Other };
                Err(Problem::new(exit, format!("can't run the player {name}: {error}")))
            }
        }
    }

    /// Waits for its end; what was wrong with it, if it did not end well.
    pub async fn end(&mut self) -> Result<(), Problem> {
        let trouble = match self.child.wait().await {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => words_for(status),
            Err(error) => error.to_string(),
        };
        Err(Problem::new(Exit::Other, format!("the player {} ended with {trouble}", self.name)))
    }
}

fn words_for(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

/// The URL in the place of `{}`, else as the last word.
fn with_url(arguments: &[String], url: &str) -> Vec<String> {
    let mut all: Vec<String> = arguments.iter().map(|word| word.replace(PLACE, url)).collect();
    if !arguments.iter().any(|word| word.contains(PLACE)) {
        all.push(url.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_stands_where_it_is_wanted_or_last() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(with_url(&words(&["--fs"]), "http://x/"), ["--fs", "http://x/"]);
        assert_eq!(with_url(&words(&["--open={}", "--quit"]), "http://x/"), ["--open=http://x/", "--quit"]);
        assert_eq!(with_url(&[], "http://x/a b"), ["http://x/a b"]);
    }
}
