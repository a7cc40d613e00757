//! Everything a person sees: arguments, settings, progress, JSON, errors, exit codes.

pub mod args;
mod bars;
pub mod completions;
mod display;
mod doctor;
mod endings;
mod error;
mod exit;
mod facts;
mod fetch;
mod get;
mod info;
mod json;
pub mod man;
mod paint;
mod place;
mod plain;
mod run;
mod runtime;
mod scrape;
mod seed;
mod settings;
mod signals;
mod size_time;
mod source;
mod status;
mod strip;
mod text;
mod values;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use error::Problem;
use exit::Exit;

/// The program: reads the process's arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_of_a_bug));
    ExitCode::from(execute(std::env::args_os().collect()))
}

/// Does what `arguments` say, the first of which is the program's name, and gives the exit code.
pub fn execute(arguments: Vec<OsString>) -> u8 {
    if let Some(glued) = args::glued_like_aria2(&arguments) {
        return usage_error(glued).code();
    }
    let line = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    match Cli::try_parse_from(args::with_default_command(arguments)) {
        Ok(cli) => run(cli.command, line).code(),
        Err(error) => {
            // Help and version go to standard output and are no error.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.code() } else { Exit::Success.code() }
        }
    }
}

fn run(command: Command, line: Vec<String>) -> Exit {
    match command {
        Command::Get(args) => get::run(&args, line),
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Seed(args) => seed::run(&args, line),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => {
            completions::write(args.shell, &mut std::io::stdout());
            Exit::Success
        }
        Command::Man(args) => man(args.dir.as_deref()),
    }
}

fn man(dir: Option<&std::path::Path>) -> Exit {
    match dir {
        None => {
            // A reader that goes away early has seen what it wanted.
            let _ = man::write(&mut std::io::stdout());
            Exit::Success
        }
        Some(dir) => match man::write_all(dir) {
            Ok(()) => Exit::Success,
            Err(error) => told(&error::file_problem("write to", dir, error)),
        },
    }
}

/// aria2 takes `-x16 -s16` for connections; here they would be files.
fn usage_error(glued: &str) -> Exit {
    let (flag, number) = glued.split_at(2);
    let meaning = if flag == "-s" { "selects the file" } else { "leaves out the file" };
    told(
        &Problem::new(Exit::Usage, format!("{glued}: {flag} {meaning} with that number here"))
            .hint(format!("write {flag} {number} if you mean that; --max-peers limits the connections")),
    )
}

/// Prints an error where there is no display, and passes its exit code on.
fn told(problem: &Problem) -> Exit {
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
