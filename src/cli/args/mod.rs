//! The command line as clap sees it: commands, flags and their typed values, a file a command or a group of flags.
//!
//! Only what works is a flag here; anything else is a usage error. Every flag of a run also has an environment variable
//! `RTORRENT_CLI_FLAG`.

mod commands;
mod create;
pub mod examples;
mod get;
mod network;
mod output;
mod path;
mod rates;
mod stream;

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory as _, Parser, Subcommand};

pub use commands::{
    CompletionsArgs, ConfigAction, ConfigArgs, ConfigShowArgs, DoctorArgs, InfoArgs, LsArgs, ManArgs, RmArgs, SeedArgs,
    Shell, VerifyArgs,
};
pub use create::CreateArgs;
use examples::{COMPLETIONS, CONFIG, CREATE, DOCTOR, GET, INFO, LS, MAN, RM, ROOT, SCHEMA, SEED, STREAM, VERIFY};
pub use get::{
    Allocation, BatchArgs, Check, ChoiceArgs, GetArgs, HookArgs, LimitArgs, LookArgs, SeedGoalArgs, TargetArgs,
};
pub use network::{EncryptionChoice, NetworkArgs, TransportChoice};
pub use output::{ColorWhen, OutputArgs, ProgressStyle, StateArgs};
pub use path::PathArgs;
pub use rates::RateArgs;
pub use stream::StreamArgs;

/// A BitTorrent downloader: magnet links and torrents to verified files
#[derive(Parser, Debug)]
#[command(name = "rtorrent-cli", version, max_term_width = 100, after_help = ROOT)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
#[command(args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Download, verify, exit (the default command)
    #[command(after_help = GET)]
    Get(Box<GetArgs>),
    /// Show what a torrent or magnet link holds
    #[command(after_help = INFO)]
    Info(Box<InfoArgs>),
    /// Check data on disk against a torrent
    #[command(after_help = VERIFY)]
    Verify(Box<VerifyArgs>),
    /// Make a .torrent of a file or folder
    #[command(after_help = CREATE)]
    Create(Box<CreateArgs>),
    /// Upload data that is on disk
    #[command(after_help = SEED)]
    Seed(Box<SeedArgs>),
    /// Play while it downloads: an HTTP server for players
    #[command(after_help = STREAM)]
    Stream(Box<StreamArgs>),
    /// Say what works from here: DHT, calls from outside, disk, hashes
    #[command(after_help = DOCTOR)]
    Doctor(Box<DoctorArgs>),
    /// Show the downloads that the state folder knows
    #[command(after_help = LS)]
    Ls(LsArgs),
    /// Forget a download; its files stay
    #[command(after_help = RM)]
    Rm(RmArgs),
    /// Show the configuration and where it comes from
    #[command(after_help = CONFIG)]
    Config(ConfigArgs),
    /// Print the JSON Schema of the events of --json
    #[command(after_help = SCHEMA)]
    Schema,
    /// Print a shell's completion script
    #[command(after_help = COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all pages to a folder
    #[command(after_help = MAN)]
    Man(ManArgs),
}

/// The whole definition.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Names that a first argument may have without being a source.
const COMMANDS: [&str; 13] = [
    "get",
    "info",
    "verify",
    "create",
    "seed",
    "stream",
    "doctor",
    "ls",
    "rm",
    "config",
    "schema",
    "completions",
    "man",
];

/// True for the name of a command.
pub fn is_command(name: &str) -> bool {
    COMMANDS.contains(&name)
}

/// The command whose name is nearest to a word that may be a slip of the hand.
pub fn nearest_command(word: &str) -> Option<&'static str> {
    let near = COMMANDS.iter().map(|command| (strsim::jaro_winkler(command, word), *command));
    near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, command)| command)
}

/// The arguments with `help` and `help COMMAND` written as flags.
///
/// # Errors
/// The word behind `help` that is no command.
pub fn with_help_asked(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        if let Some(unknown) = arguments.get(1).filter(|word| !word.to_str().is_some_and(is_command)) {
            return Err(unknown.to_string_lossy().into_owned());
        }
        arguments.push("--help".into());
    }
    Ok(arguments)
}

/// The arguments with `get` put in where no command stands first.
pub fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let stands_alone = |first: &OsStr| ["-h", "--help", "-V", "--version"].iter().any(|flag| first == *flag);
    match arguments.get(1) {
        None => {}
        Some(first) if stands_alone(first) || COMMANDS.iter().any(|command| first == *command) => {}
        Some(_) => arguments.insert(1, "get".into()),
    }
    arguments
}

/// The definition without the variables that are set to nothing, which is as if they were not there.
pub fn without_empty_variables(command: clap::Command, is_empty: impl Fn(&OsStr) -> bool) -> clap::Command {
    command.mut_subcommands(|sub| {
        sub.mut_args(|arg| match arg.get_env().is_some_and(&is_empty) {
            true => arg.env(None::<&str>),
            false => arg,
        })
    })
}

/// An argument in which aria2's habit of gluing connection counts to `-s` and `-x` shows.
pub fn glued_like_aria2(arguments: &[OsString]) -> Option<&str> {
    let options = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    options.filter_map(|argument| argument.to_str()).find(|argument| {
        let number = argument.strip_prefix("-s").or_else(|| argument.strip_prefix("-x"));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Command, String> {
        let arguments = std::iter::once("rtorrent-cli").chain(line.iter().copied()).map(OsString::from).collect();
        Cli::try_parse_from(with_default_command(arguments)).map(|cli| cli.command).map_err(|e| e.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
        let names: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(names, COMMANDS);
    }

    #[test]
    fn a_source_or_a_flag_alone_means_get() {
        assert!(matches!(parse(&["a.torrent"]), Ok(Command::Get(args)) if args.sources == ["a.torrent"]));
        assert!(matches!(parse(&["-d", "x", "a"]), Ok(Command::Get(args)) if args.target.dir.as_os_str() == "x"));
        assert!(matches!(parse(&["-"]), Ok(Command::Get(_))));
        assert!(matches!(parse(&["info", "get"]), Ok(Command::Info(args)) if args.source == "get"));
    }

    #[test]
    fn help_is_a_flag_that_may_be_written_as_a_command() {
        let help = |line: &[&str]| with_help_asked(line.iter().map(OsString::from).collect());
        assert_eq!(help(&["r", "help"]).unwrap(), ["r", "--help"]);
        assert_eq!(help(&["r", "help", "get"]).unwrap(), ["r", "get", "--help"]);
        assert_eq!(help(&["r", "help", "config", "show"]).unwrap(), ["r", "config", "show", "--help"]);
        assert_eq!(help(&["r", "get", "help"]).unwrap(), ["r", "get", "help"]);
        assert_eq!(help(&["r", "help", "verfy"]).unwrap_err(), "verfy");
        assert_eq!(nearest_command("verfy"), Some("verify"));
        assert_eq!(nearest_command("x"), None);
    }

    #[test]
    fn the_last_of_a_flag_counts_so_that_an_alias_can_be_corrected() {
        let Ok(Command::Get(args)) =
            parse(&["get", "-d", "a", "--no-dht", "-j", "2", "x", "-d", "b", "--no-dht", "-j3"])
        else {
            panic!("refused")
        };
        assert_eq!((args.target.dir.to_str(), args.batch.jobs, args.network.no_dht), (Some("b"), 3, true));
        let Ok(Command::Get(args)) =
            parse(&["get", "-s", "1", "-s", "2", "x", "--peer", "[::1]:1", "--peer", "[::1]:2"])
        else {
            panic!("refused")
        };
        assert_eq!((args.choice.select.len(), args.network.peers.len()), (2, 2));
    }

    #[test]
    fn what_is_not_built_is_refused() {
        for flag in ["--player", "--no-such-flag", "-Z"] {
            assert!(parse(&["get", flag, "1", "a.torrent"]).is_err(), "{flag}");
        }
    }

    #[test]
    fn connection_counts_in_the_habit_of_aria2_are_seen() {
        let line = |args: &[&str]| args.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(glued_like_aria2(&line(&["r", "-x16", "-s16", "a"])), Some("-x16"));
        assert_eq!(glued_like_aria2(&line(&["r", "-s", "16", "-s1-3", "-x*.txt", "--", "-s16"])), None);
    }
}
