//! The flags of one item of a batch: those of the command line, with what its input file says in their place.
//!
//! clap reads them with the same parsers and the same errors as the command line: what the item sets becomes the default
//! of a command line that is empty otherwise.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches as _};

use super::args::GetArgs;
use super::error::Problem;
use super::exit::Exit;
use super::input_file::KEYS;
use super::usage::in_words;

/// The command line of `get` as the items of its input file see it.
#[derive(Clone, Debug)]
pub struct ItemArgs {
    command: Command,
    /// What was given for the keys of an item, by flag, environment or configuration.
    given: BTreeMap<String, Vec<OsString>>,
}

impl ItemArgs {
    /// From the definition of `get` and what the command line came to.
    pub fn new(command: Command, matches: &ArgMatches) -> ItemArgs {
        let mut given = BTreeMap::new();
        for arg in command.get_arguments() {
            let (id, long) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
            if KEYS.contains(&long)
                && matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue)
            {
                let values: Vec<OsString> =
                    matches.get_raw(id).into_iter().flatten().map(std::ffi::OsStr::to_owned).collect();
                given.insert(long.to_owned(), values);
            }
        }
        ItemArgs { command: command.mut_args(|arg| arg.env(None::<&str>)), given }
    }

    /// What was given for all items, as lines of a session.
    pub fn options(&self) -> Vec<(String, String)> {
        let pairs = |(key, values): (&String, &Vec<OsString>)| {
            values.iter().map(|value| (key.clone(), value.to_string_lossy().into_owned())).collect::<Vec<_>>()
        };
        self.given.iter().flat_map(pairs).collect()
    }

    /// The flags of an item with these options.
    ///
    /// # Errors
    /// The first key that is unknown, or value that is wrong.
    pub fn with(&self, options: &[(String, String)]) -> Result<GetArgs, Problem> {
        let mut values: BTreeMap<String, Vec<OsString>> = BTreeMap::new();
        for (key, value) in options {
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(key.as_str()));
            let Some(arg) = arg.filter(|_| KEYS.contains(&key.as_str())) else { return Err(self.unknown(key)) };
            check(arg, value).map_err(|why| Problem::new(Exit::Usage, format!("{key}={value}: {why}")))?;
            let list = values.entry(key.clone()).or_default();
            if !matches!(arg.get_action(), ArgAction::Append) {
                list.clear();
            }
            list.push(value.into());
        }
        let mut all = self.given.clone();
        all.extend(values);
        let command = with_values(self.command.clone(), &all).no_binary_name(true);
        let read = command.try_get_matches_from(["-"]).and_then(|matches| GetArgs::from_arg_matches(&matches));
        read.map_err(|error| Problem::new(Exit::Usage, first_line(&error)))
    }

    fn unknown(&self, key: &str) -> Problem {
        let problem = Problem::new(Exit::Usage, format!("{key} is not a flag that an item can have"));
        let of_the_run = self.command.get_arguments().any(|arg| arg.get_long() == Some(key));
        match nearest(key, KEYS.iter().copied()) {
            _ if of_the_run => problem.hint(format!("--{key} on the command line holds for all")),
            Some(name) => problem.hint(format!("did you mean {name}?")),
            None => problem,
        }
    }
}

/// Gives flags values in the place of their defaults, by their long names.
pub fn with_values(command: Command, values: &BTreeMap<String, Vec<OsString>>) -> Command {
    command.mut_args(|arg| match arg.get_long().and_then(|long| values.get(long)) {
        Some(values) => arg.default_values(values.clone()),
        None => arg,
    })
}

/// Looks whether a flag can have this value.
///
/// # Errors
/// Why it can't.
pub fn check(arg: &Arg, value: &str) -> Result<(), String> {
    let alone = Arg::new("value").long("value").action(ArgAction::Set).value_parser(arg.get_value_parser().clone());
    let command = Command::new("check").no_binary_name(true).disable_help_flag(true).arg(alone);
    let read = command.try_get_matches_from([format!("--value={value}")]);
    read.map(drop).map_err(|error| {
        let line = first_line(&error);
        // "invalid value 'x' for '--value <value>': the reason"
        let own = |(_, reason): (&str, &str)| in_words(reason, value).unwrap_or_else(|| reason.to_owned());
        line.split_once("': ").map_or_else(|| plain(&error, value), own)
    })
}

/// Where clap gives no reason of its own: what there is to choose from.
fn plain(error: &clap::Error, value: &str) -> String {
    use clap::error::{ContextKind, ContextValue};
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) => format!("{value:?} is none of {}", valid.join(", ")),
        _ => format!("{value:?} is not a value of it"),
    }
}

/// The sentence of an error of clap.
pub fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The name that is most like `word`, if one is like it at all.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let farthest = (word.chars().count() / 3).max(1);
    names
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{self, Allocation, Check};

    fn item_args(line: &[&str]) -> ItemArgs {
        let get = args::command().find_subcommand("get").unwrap().clone();
        let arguments = ["get"].iter().chain(line).chain(&["a.torrent"]);
        let matches = get.clone().try_get_matches_from(arguments).unwrap();
        ItemArgs::new(get, &matches)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_an_item_can_not_have_says_what_to_do() {
        let said = |key: &str, value: &str| {
            let line = [(key.to_owned(), value.to_owned())];
            item_args(&[]).with(&line).map(drop).unwrap_err().to_string()
        };
        assert_eq!(
            said("limit-down", "1M"),
            "limit-down is not a flag that an item can have; --limit-down on the command line holds for all"
        );
        assert_eq!(said("overwrite", "maybe"), "overwrite=maybe: \"maybe\" is neither yes nor no");
        assert!(said("dri", "x").ends_with("did you mean dir?"));
    }

    #[test]
    fn an_item_inherits_the_command_line_and_overrides_it() {
        let args = item_args(&["-d", "all", "-s", "1", "-s", "2", "--overwrite", "--check", "full"]);
        let plain = args.with(&[]).unwrap();
        assert_eq!(
            (plain.target.dir.to_str(), plain.target.overwrite, plain.target.check),
            (Some("all"), true, Check::Full)
        );
        assert_eq!(plain.choice.select, ["1", "2"]);
        let own = pairs(&[
            ("dir", "own"),
            ("select", "ext:mkv"),
            ("overwrite", "false"),
            ("allocate", "full"),
            ("sequential", "yes"),
        ]);
        let own = args.with(&own).unwrap();
        assert_eq!((own.target.dir.to_str(), own.target.overwrite, own.target.sequential), (Some("own"), false, true));
        assert_eq!((own.target.allocate, own.target.check), (Allocation::Full, Check::Full));
        assert_eq!(own.choice.select, ["ext:mkv"]);
        let expected =
            pairs(&[("check", "full"), ("dir", "all"), ("overwrite", "true"), ("select", "1"), ("select", "2")]);
        assert_eq!(args.options(), expected);
    }

    #[test]
    fn what_is_wrong_with_an_item_is_said() {
        let args = item_args(&[]);
        let problem = |key: &str, value: &str| args.with(&pairs(&[(key, value)])).unwrap_err().to_string();
        assert_eq!(problem("dri", "x"), "dri is not a flag that an item can have; did you mean dir?");
        assert!(problem("jobs", "3").starts_with("jobs is not a flag"));
        assert!(problem("peer", "nobody").contains("the port is missing"), "{}", problem("peer", "nobody"));
        assert_eq!(problem("check", "slow"), "check=slow: \"slow\" is none of quick, full, none");
        assert!(problem("overwrite", "perhaps").contains("perhaps"), "{}", problem("overwrite", "perhaps"));
    }
}
