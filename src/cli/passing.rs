//! `get -o -`: one file, passed on to standard output in order.
//!
//! Nothing is written to disk, so that flags which say what is to be written there have no meaning; they are refused
//! where they were typed. What a configuration says of other downloads does no harm. What an earlier download left in the
//! folder is read instead of fetched.

use std::io::IsTerminal as _;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::GetArgs;
use super::error::Problem;
use super::exit::Exit;
use crate::engine::{Goal, Item, Sink};

/// Flags that have no meaning then, by id and as they are typed, with the reason.
const SENSELESS: &[(&str, &str, &str)] = &[
    ("overwrite", "--overwrite", NO_DISK),
    ("no_part", "--no-part", NO_DISK),
    ("allocate", "--allocate", NO_DISK),
    ("no_space_check", "--no-space-check", NO_DISK),
    ("first_last", "--first-last", "the file is fetched from its start to its end"),
    ("seed_ratio", "--seed-ratio", NOTHING_KEPT),
    ("seed_time", "--seed-time", NOTHING_KEPT),
    ("save_session", "--save-session", NOTHING_KEPT),
    ("archive", "--archive", NOTHING_KEPT),
    ("list", "--list", "standard output holds the file"),
    ("dry_run", "--dry-run", NO_DISK),
    ("interactive", "--interactive", "name the file with --select"),
];
const NO_DISK: &str = "nothing is written to disk";
const NOTHING_KEPT: &str = "nothing is kept of the download";

/// Whether that is what the command line asks for.
pub fn asked(args: &GetArgs) -> bool {
    args.target.name.as_deref() == Some("-")
}

/// Refuses what makes no sense together with it; `typed` is what was on the command line.
///
/// # Errors
/// [`Exit::Usage`] with the first flag that does not go with it.
pub fn check(args: &GetArgs, typed: &ArgMatches) -> Result<(), Problem> {
    if args.output.json {
        return Err(usage("-o - and --json both want standard output; leave one of them out"));
    }
    if std::io::stdout().is_terminal() {
        return Err(
            usage("-o -: a terminal may take harm from a file's bytes").hint("lead them into a file or a program")
        );
    }
    let is_typed = |id: &str| typed.value_source(id) == Some(ValueSource::CommandLine);
    match SENSELESS.iter().find(|(id, _, _)| is_typed(id)) {
        Some((_, flag, why)) => Err(usage(&format!("-o - and {flag} do not go together: {why}"))),
        None => Ok(()),
    }
}

/// The item, passed on.
pub fn on(item: Item) -> Item {
    Item {
        sink: Sink::StandardOutput,
        name: None,
        upload: false,
        goal: match item.goal {
            Goal::Download { .. } => Goal::Download { seed_ratio: None, seed_time: None },
            goal => goal,
        },
        ..item
    }
}

/// An item of an input file can't be passed on: there may be others.
///
/// # Errors
/// [`Exit::Usage`] if it wants to be.
pub fn refuse_item(args: &GetArgs) -> Result<(), Problem> {
    if asked(args) {
        Err(usage("output=-: standard output takes one download; give it as -o - with one source"))
    } else {
        Ok(())
    }
}

fn usage(message: &str) -> Problem {
    Problem::new(Exit::Usage, message)
}
