//! `-h` and `--help`: the flags that most people need on one screen, and all of them, a line each. The manual pages say
//! the rest.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::args;

/// Lines of a screen: what `-h` shows of any command is not longer.
const SCREEN: usize = 50;

/// The flags of `get` that `-h` shows; of other commands with more than fits a screen also what they have alone.
const COMMON: &[&str] = &[
    "sources",
    "dir",
    "name",
    "select",
    "exclude",
    "interactive",
    "list",
    "dry_run",
    "input_file",
    "jobs",
    "resume",
    "seed_ratio",
    "seed_time",
    "max_time",
    "stall_timeout",
    "limit_down",
    "limit_up",
    "trackers",
    "peers",
    "port",
    "json",
    "quiet",
    "verbose",
    "help",
];

/// What to print for a command line that asks for help; `None` if it asks for something else.
pub fn asked(arguments: &[OsString]) -> Option<String> {
    let short = arguments.iter().find(|argument| *argument == "-h" || *argument == "--help")? == "-h";
    Some(text(arguments, short, None))
}

/// The help of the command that `arguments` name, as wide as the terminal or as `width` says.
fn text(arguments: &[OsString], short: bool, width: Option<usize>) -> String {
    let root = args::command();
    let (mut command, mut name) = (&root, "rtorrent-cli".to_owned());
    for word in arguments.iter().skip(1) {
        let Some(sub) = word.to_str().and_then(|word| command.find_subcommand(word)) else { break };
        (command, name) = (sub, format!("{name} {}", sub.get_name()));
    }
    let render = |command: Command| {
        // The full name, as it stands in the usage line.
        let command = width.into_iter().fold(command.bin_name(&name), Command::term_width);
        let command = if command.has_subcommands() { command } else { with_help_beside_the_rest(command) };
        command.max_term_width(100).render_help().to_string()
    };
    let whole = render(command.clone());
    match root.find_subcommand("get") {
        Some(get) if short && whole.lines().count() > SCREEN => render(common(command.clone(), get)),
        _ => whole,
    }
}

/// `--help` below a heading that is there, where it needs none of its own.
fn with_help_beside_the_rest(command: Command) -> Command {
    let flags: Vec<_> = command.get_arguments().filter(|arg| !arg.is_positional()).collect();
    let with_heading = flags.iter().find(|arg| arg.get_help_heading() == Some("Output")).or(flags.last());
    let heading = with_heading.and_then(|arg| arg.get_help_heading()).map(str::to_owned);
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let help = help.help("This help; -h is short, --help has all flags");
    let help = heading.into_iter().fold(help, Arg::help_heading);
    command.disable_help_flag(true).arg(help)
}

fn common(command: Command, get: &Command) -> Command {
    let manual = format!("--help shows all flags, `rtorrent-cli man {}` the manual.", command.get_name());
    command
        .mut_args(|arg| {
            let id = arg.get_id();
            let hide = !COMMON.contains(&id.as_str()) && get.get_arguments().any(|of_get| of_get.get_id() == id);
            arg.hide(hide)
        })
        .after_help(manual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &[&str], width: usize) -> Vec<String> {
        let arguments: Vec<_> = std::iter::once(&"rtorrent-cli").chain(line).map(OsString::from).collect();
        let short = line.contains(&"-h");
        text(&arguments, short, Some(width)).lines().map(str::to_owned).collect()
    }

    /// Lines that go on with the text of the flag above.
    fn wrapped(lines: &[String]) -> Vec<&String> {
        let goes_on = |line: &&String| line.starts_with("        ") && !line.trim_start().starts_with('-');
        lines.iter().filter(goes_on).collect()
    }

    #[test]
    fn the_short_help_of_every_command_fits_a_screen_and_has_what_is_its_own() {
        for sub in args::command().get_subcommands() {
            let short = lines(&[sub.get_name(), "-h"], 80);
            assert!(short.len() <= SCREEN, "{}: {} lines", sub.get_name(), short.len());
            let wide: Vec<_> = short.iter().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty(), "{wide:#?}");
            assert!(wrapped(&short).is_empty(), "{}: {:#?}", sub.get_name(), wrapped(&short));
        }
        assert!(lines(&["info", "-h"], 80).join("\n").contains("--offline"));
        assert!(lines(&["seed", "-h"], 80).join("\n").contains("--super"));
        assert!(lines(&["-h"], 80).len() <= SCREEN);
    }

    #[test]
    fn the_long_help_has_every_flag_and_gives_each_a_line() {
        for sub in args::command().get_subcommands() {
            let long = lines(&[sub.get_name(), "--help"], 80);
            assert!(wrapped(&long).is_empty(), "{}: {:#?}", sub.get_name(), wrapped(&long));
            let text = long.join("\n");
            for arg in sub.get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(text.contains(&format!("--{arg}")), "{}: {arg}", sub.get_name());
            }
        }
        let short = lines(&["get", "-h"], 80).join("\n");
        for id in COMMON {
            let command = args::command();
            let get = command.find_subcommand("get").unwrap();
            let long = get.get_arguments().find(|arg| arg.get_id() == id).and_then(|arg| arg.get_long());
            assert!(short.contains(long.unwrap_or_default()), "{id}");
        }
    }

    #[test]
    fn a_command_of_a_command_has_its_own_help() {
        let usage = |line: &[&str]| lines(line, 80).into_iter().find(|line| line.starts_with("Usage")).unwrap();
        assert!(usage(&["config", "show", "--help"]).contains("rtorrent-cli config show [OPTIONS]"));
        assert!(usage(&["get", "a.torrent", "-h"]).contains("rtorrent-cli get [OPTIONS]"));
        assert!(usage(&["--help"]).contains("rtorrent-cli <COMMAND>"));
    }
}
