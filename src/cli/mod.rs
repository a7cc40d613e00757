//! Everything a person sees: arguments, settings, progress, JSON, errors, exit codes.

mod archive;
pub mod args;
mod bars;
pub mod completions;
pub mod config;
#[cfg_attr(not(feature = "create"), path = "create_none.rs")]
mod create;
mod display;
mod doctor;
mod endings;
mod error;
mod exit;
mod facts;
mod feed;
mod fetch;
mod get;
mod help;
mod hooks;
mod info;
pub mod input_file;
mod item_args;
mod json;
mod kept;
mod look;
pub mod man;
mod pager;
mod paint;
mod passing;
mod pick;
mod place;
mod plain;
mod run;
mod runtime;
mod schema;
mod scrape;
mod seed;
mod settings;
mod signals;
pub mod size_time;
mod source;
mod sources;
mod status;
mod stream;
mod strip;
mod text;
mod unresolved;
mod usage;
pub mod values;
mod verify;
mod watched;
mod why;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use args::{Cli, Command, ConfigAction};
use config::{Config, Where};
use display::Unwritten;
use error::Problem;
use exit::Exit;
use item_args::ItemArgs;

/// The program: reads the process's arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    completions::answer();
    std::panic::set_hook(Box::new(tell_of_a_bug));
    ExitCode::from(execute(std::env::args_os().collect()))
}

/// Does what `arguments` say, the first of which is the program's name, and gives the exit code.
pub fn execute(arguments: Vec<OsString>) -> u8 {
    let arguments = match args::with_help_asked(arguments) {
        Ok(arguments) => arguments,
        Err(unknown) => return told(&unknown_command(&unknown)).code(),
    };
    if let Some(glued) = args::glued_like_aria2(&arguments) {
        return told_early(&usage_error(glued), &arguments).code();
    }
    let line = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let arguments = args::with_default_command(arguments);
    let place = Where::of(&arguments);
    let command = match configured(&place, &arguments) {
        Ok(command) => command,
        Err(problem) => return told_early(&problem, &arguments).code(),
    };
    let read = command.clone().try_get_matches_from(&arguments);
    let read = read.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?.command, matches)));
    match read {
        Ok((Command::Get(get), matches)) => match (command.find_subcommand("get"), matches.subcommand()) {
            (Some(command), Some((_, matches))) => {
                get::run(&get, &ItemArgs::new(command.clone(), matches), matches, line).code()
            }
            _ => Exit::Other.code(),
        },
        Ok((command, _)) => run(command, &place, line).code(),
        Err(error) => usage(&error, &arguments).code(),
    }
}

/// The definition of the command line with the configuration's values as defaults, where the command is one that has
/// any.
fn configured(place: &Where, arguments: &[OsString]) -> Result<clap::Command, Problem> {
    let empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = args::without_empty_variables(args::command(), empty);
    let name = arguments.get(1).and_then(|name| name.to_str()).unwrap_or_default();
    let asks = arguments.iter().any(|argument| argument == "-h" || argument == "--help");
    match name {
        "get" | "info" | "verify" | "create" | "seed" | "stream" | "doctor" | "ls" | "rm" if !asks => {
            Ok(Config::load(place, &command)?.apply(command))
        }
        _ => Ok(command),
    }
}

/// Help and version go to standard output and are no error.
fn usage(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match help::asked(arguments).filter(|_| error.kind() == ErrorKind::DisplayHelp) {
        Some(text) => shown(pager::show(&text)),
        // Version, and short help that was asked for.
        None if !error.use_stderr() => shown(display::write_text(error.render().to_string().as_bytes())),
        // What there is to say to a line without any word.
        None if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        None => {
            let command = arguments.get(1).and_then(|word| word.to_str()).filter(|word| args::is_command(word));
            let variable = |name: &str| std::env::var(name).ok();
            told_early(&usage::problem(error, command, arguments, variable), arguments)
        }
    }
}

/// The end of a command whose text went to standard output.
fn shown(written: Result<(), Unwritten>) -> Exit {
    written.map_or_else(|unwritten| told(&unwritten.into()), |()| Exit::Success)
}

fn run(command: Command, place: &Where, line: Vec<String>) -> Exit {
    let said = |result: Result<Exit, Problem>| result.unwrap_or_else(|problem| told(&problem));
    match command {
        Command::Get(_) => unreachable!("it is run with its matches"),
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Create(args) => create::run(&args),
        Command::Seed(args) => seed::run(&args, line),
        Command::Stream(args) => stream::run(&args, line),
        Command::Doctor(args) => doctor::run(&args),
        Command::Ls(args) => kept::list(&args),
        Command::Rm(args) => kept::remove(&args),
        Command::Config(args) => said(match args.action {
            ConfigAction::Path(_) => config::show_path(place),
            ConfigAction::Show(args) => config::show(place, &args),
        }),
        Command::Schema => said(schema::show()),
        Command::Completions(args) => shown(display::write_text(&completions::script(args.shell))),
        Command::Man(args) => man(args.what.as_deref()),
    }
}

fn man(what: Option<&std::path::Path>) -> Exit {
    let page = match what {
        None => man::page_of(None),
        Some(command) if command.to_str().is_some_and(args::is_command) => man::page_of(command.to_str()),
        Some(dir) => {
            return match man::write_all(dir) {
                Ok(()) => Exit::Success,
                Err(error) => told(&error::file_problem("write to", dir, error)),
            };
        }
    };
    shown(man::show(&page))
}

/// `help` was asked about a command that there is not.
fn unknown_command(name: &str) -> Problem {
    let problem = Problem::new(Exit::Usage, format!("there is no command {name:?}"));
    match args::nearest_command(name) {
        Some(near) => problem.hint(format!("try `rtorrent-cli help {near}`")),
        None => problem.hint("`rtorrent-cli --help` lists them"),
    }
}

/// aria2 takes `-x16 -s16` for connections; here they would be files.
fn usage_error(glued: &str) -> Problem {
    let (flag, number) = glued.split_at(2);
    let meaning = if flag == "-s" { "selects the file" } else { "leaves out the file" };
    Problem::new(Exit::Usage, format!("{glued}: {flag} {meaning} with that number here"))
        .hint(format!("write {flag} {number} if you mean that; --max-peers limits the connections"))
}

/// Tells of an error that keeps a command from beginning; who asked for JSON gets it as an event too.
fn told_early(problem: &Problem, arguments: &[OsString]) -> Exit {
    if arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json") {
        let _ = writeln!(std::io::stdout(), "{}", json::error(None, None, problem.exit, &problem.to_string()));
    }
    told(problem)
}

/// Prints an error where there is no display, and passes its exit code on.
fn told(problem: &Problem) -> Exit {
    if problem.exit == Exit::ReaderGone {
        return problem.exit;
    }
    let _ = writeln!(std::io::stderr(), "error: {problem}");
    problem.exit
}

/// One line instead of a back trace, and the end: a run that has lost a task would wait for it for ever. What is on disk
/// is good at any moment.
fn tell_of_a_bug(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message").lines().next().unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "error: a bug in rtorrent-cli, please report it: {message}{place}");
    std::process::exit(Exit::Other.code().into());
}
