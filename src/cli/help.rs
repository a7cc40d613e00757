//! `-h` and `--help`: the flags that most people need on one screen, and all of them.

use clap::Command;

use super::args;

/// Lines of a screen: what `-h` shows of any command is not longer.
const SCREEN: usize = 50;

/// The flags of `get` that `-h` shows; of other commands with more than fits a screen also what they have alone.
const COMMON: &[&str] = &[
    "sources",
    "dir",
    "name",
    "check",
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
    "trackers",
    "peers",
    "port",
    "json",
    "quiet",
    "verbose",
    "help",
    "limit_down",
];

/// What to print for a command line that asks for help; `None` where clap's own text is right.
pub fn asked(arguments: &[std::ffi::OsString]) -> Option<String> {
    let name = arguments.get(1)?.to_str()?;
    let command = args::command();
    let sub = command.find_subcommand(name)?;
    let short = arguments.iter().find(|argument| *argument == "-h" || *argument == "--help")? == "-h";
    // The full name, as it stands in the usage line.
    let text = |command: Command| command.bin_name(format!("rtorrent-cli {name}")).render_help().to_string();
    let whole = text(sub.clone());
    let long = whole.lines().count() > SCREEN;
    Some(if short && long { text(common(sub.clone(), command.find_subcommand("get")?)) } else { whole })
}

fn common(command: Command, get: &Command) -> Command {
    command
        .mut_args(|arg| {
            let id = arg.get_id();
            let hide = !COMMON.contains(&id.as_str()) && get.get_arguments().any(|of_get| of_get.get_id() == id);
            arg.hide(hide)
        })
        .after_help("--help shows all flags, `rtorrent-cli man | man -l -` the manual.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &[&str]) -> Vec<String> {
        let arguments: Vec<_> = line.iter().map(std::ffi::OsString::from).collect();
        asked(&arguments).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_short_help_of_every_command_fits_a_screen_and_has_what_is_its_own() {
        let command = args::command();
        for sub in command.get_subcommands() {
            let short = lines(&["rtorrent-cli", sub.get_name(), "-h"]);
            assert!(short.len() <= SCREEN, "{}: {} lines", sub.get_name(), short.len());
            assert!(short.iter().all(|line| line.chars().count() <= 100), "{short:#?}");
        }
        assert!(lines(&["rtorrent-cli", "info", "-h"]).join("\n").contains("--offline"));
        assert!(lines(&["rtorrent-cli", "seed", "-h"]).join("\n").contains("--super"));
    }

    #[test]
    fn the_short_help_fits_a_screen_and_the_long_one_has_every_flag() {
        let short = lines(&["rtorrent-cli", "get", "-h"]);
        assert!(short.len() <= SCREEN, "{} lines", short.len());
        assert!(short.iter().all(|line| line.chars().count() <= 100), "{short:#?}");
        let long = lines(&["rtorrent-cli", "get", "--help"]).join("\n");
        let command = args::command();
        for arg in command.find_subcommand("get").unwrap().get_arguments() {
            let long_name = arg.get_long().unwrap_or_default();
            assert!(long.contains(&format!("--{long_name}")), "{long_name}");
            assert!(!COMMON.contains(&arg.get_id().as_str()) || short.join("\n").contains(long_name), "{long_name}");
        }
    }
}
