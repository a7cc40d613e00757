//! A command line that makes no sense, as the one line that every other error is, with what is meant instead where it is
//! a habit from another program.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::error::Problem;
use super::exit::Exit;

/// What `error` says of `arguments`, for a person; `command` is the command that was asked for, `variable` tells the
/// environment.
pub fn problem(
    error: &clap::Error,
    command: Option<&str>,
    arguments: &[OsString],
    variable: impl Fn(&str) -> Option<String>,
) -> Problem {
    let usage = |text: String| Problem::new(Exit::Usage, text);
    let all = match command {
        Some(command) => format!("`rtorrent-cli {command} --help` shows all flags"),
        None => "`rtorrent-cli --help` says more".to_owned(),
    };
    let flag = one(error, ContextKind::InvalidArg).map(|arg| name(&arg).to_owned());
    let value = one(error, ContextKind::InvalidValue).filter(|value| !value.is_empty());
    // What stands nowhere on the line comes from the environment.
    let flag = flag.map(|flag| match &value {
        Some(value) if !arguments.iter().any(|argument| argument.to_string_lossy().ends_with(value)) => {
            let name = format!("RTORRENT_CLI_{}", flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase());
            if variable(&name).as_ref() == Some(value) { name } else { flag }
        }
        _ => flag,
    });
    match (error.kind(), flag) {
        (ErrorKind::UnknownArgument, Some(flag)) => {
            let near = one(error, ContextKind::SuggestedArg);
            if !flag.starts_with('-') {
                return usage(format!("{flag} is one word too many")).hint(all);
            }
            let problem = usage(format!("there is no flag {flag}"));
            match (habit(&flag), near) {
                (Some(ours), _) => problem.hint(ours),
                (None, Some(near)) => problem.hint(format!("is it {}?", name(&near))),
                (None, None) => problem.hint(all),
            }
        }
        (ErrorKind::InvalidValue, Some(flag)) => {
            let choices = many(error, ContextKind::ValidValue).join(", ");
            let problem = match &value {
                None if choices.is_empty() => usage(format!("{flag} needs a value")).hint(all),
                None => usage(format!("{flag} needs a value: {choices}")),
                Some(value) => usage(format!("{flag}: {value:?} is none of {choices}")),
            };
            let near = one(error, ContextKind::SuggestedValue).map(|near| format!("is it {near}?"));
            near.into_iter().fold(problem, Problem::hint)
        }
        (ErrorKind::ValueValidation, Some(flag)) => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            usage(format!("{flag}: {}", in_words(&why, &value.unwrap_or_default()).unwrap_or(why)))
        }
        (ErrorKind::ArgumentConflict, Some(flag)) => {
            let others = many(error, ContextKind::PriorArg);
            match others.iter().map(|other| name(other)).collect::<Vec<_>>().join(", ") {
                others if others.is_empty() || others == flag => usage(format!("{flag} stands there twice")),
                others => usage(format!("{flag} and {others} exclude each other")),
            }
        }
        (ErrorKind::InvalidSubcommand, _) => {
            let word = one(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            usage(format!("there is no command {word:?}")).hint(all)
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = many(error, ContextKind::InvalidArg);
            match (command, missing.first()) {
                (Some("get"), Some(first)) if first.contains("SRC") => usage("there is nothing to download".into())
                    .hint("give a magnet link in quotes, a .torrent file, its URL or an info hash; or -i or --resume"),
                _ => usage(format!("{} is missing", missing.join(", "))).hint(all),
            }
        }
        _ => {
            let text = error.to_string();
            usage(text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()).hint(all)
        }
    }
}

/// The flag or argument without its value, as in `--check <HOW>`.
fn name(arg: &str) -> &str {
    arg.split([' ', '=', '[']).next().unwrap_or(arg).trim_end_matches("...")
}

fn one(error: &clap::Error, kind: ContextKind) -> Option<String> {
    many(error, kind).into_iter().next()
}

fn many(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// What is said of numbers and of yes and no, which is not ours, as ours is.
pub fn in_words(why: &str, value: &str) -> Option<String> {
    match why {
        "invalid digit found in string" => return Some(format!("{value:?} is not a number")),
        "value was not a boolean" => return Some(format!("{value:?} is neither yes nor no")),
        _ => {}
    }
    let (value, range) = why.split_once(" is not in ")?;
    let (least, most) = range.split_once("..=")?;
    match most.parse::<u64>() {
        Ok(most) if most < u32::MAX.into() => Some(format!("{value} is not from {least} to {most}")),
        _ => Some(format!("{value} is not a number from {least} on")),
    }
}

/// What a flag of aria2, curl, wget, yt-dlp or transmission is called here.
fn habit(flag: &str) -> Option<String> {
    let ours = match flag {
        "-c" | "--continue" => return Some("none is needed: the same command line goes on where it stopped".into()),
        "--split" | "--max-connection-per-server" | "--bt-max-peers" => "--max-peers",
        "-a" | "--batch-file" => "--input-file",
        "-P" | "-w" | "--paths" | "--directory-prefix" | "--output-dir" | "--download-dir" | "--output-folder" => {
            "--dir"
        }
        "-O" | "--out" | "--output-document" => "--output",
        "-S" | "--show-files" => "--list",
        "-u" | "--max-upload-limit" | "--uplimit" => "--limit-up",
        "--max-download-limit" | "--downlimit" | "--rate-limit" => "--limit-down",
        "--all-proxy" | "--http-proxy" | "--https-proxy" => "--proxy",
        "-U" => "--user-agent",
        "--allow-overwrite" | "--force-overwrites" => "--overwrite",
        "--bt-require-crypto" | "--bt-force-encryption" | "--encryption-required" => "--encryption require",
        "--bt-seed-unverified" => "--check none",
        "--bt-stop-timeout" => "--stall-timeout",
        "--bt-tracker" => "--tracker",
        "--check-integrity" => "--check full",
        "--conf-path" | "--config-location" => "--config",
        "--dht-entry-point" => "--dht-bootstrap",
        "--download-archive" => "--archive",
        "--enable-dht" => "--no-dht",
        "--enable-peer-exchange" | "--bt-enable-pex" => "--no-pex",
        "--exec" | "--on-download-complete" | "--on-bt-download-complete" | "--finish" => "--on-complete",
        "--on-download-error" => "--on-error",
        "--file-allocation" => "--allocate",
        "--listen-port" | "--dht-listen-port" => "--port",
        "--max-concurrent-downloads" | "--parallel" | "--parallel-max" | "-Z" => "--jobs",
        "--print-json" | "--dump-json" => "--json",
        "--select-file" => "--select",
        "--silent" | "--no-progress" => "--quiet",
        "--simulate" | "--spider" => "--dry-run",
        "--socks5" | "--socks5-hostname" => "--proxy socks5h://HOST:PORT",
        "--timeout" => "--stall-timeout or --max-time",
        _ => return None,
    };
    Some(format!("here that is {ours}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    #[track_caller]
    fn said(line: &[&str]) -> String {
        let error = args::command().try_get_matches_from([&["rtorrent-cli"], line].concat()).unwrap_err();
        let arguments: Vec<_> = line.iter().map(OsString::from).collect();
        let text = problem(&error, line.first().copied(), &arguments, |_| None).to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    #[test]
    fn every_mistake_is_one_line_that_says_what_to_do() {
        for (line, wanted) in [
            (&["get", "a", "--check", "ful"][..], "--check: \"ful\" is none of quick, full, none; is it full?"),
            (&["get", "a", "--jobs", "0"], "--jobs: 0 is not a number from 1 on"),
            (&["get", "a", "--max-peers", "0"], "--max-peers: 0 is not from 1 to 10000"),
            (
                &["get", "a", "--limit-down", "5X"],
                "--limit-down: \"5X\" is not a rate; write for example 500K, 2M or 0",
            ),
            (&["get", "a", "--sequental"], "there is no flag --sequental; is it --sequential?"),
            (&["get", "a", "--zzz"], "there is no flag --zzz; `rtorrent-cli get --help` shows all flags"),
            (&["get", "a", "-l", "-n"], "--list and --dry-run exclude each other"),
            (&["get", "a", "--dir"], "--dir needs a value; `rtorrent-cli get --help` shows all flags"),
            (&["get", "a", "--check"], "--check needs a value: quick, full, none"),
            (&["seed"], "<TORRENT> is missing; `rtorrent-cli seed --help` shows all flags"),
            (&["ls", "foo"], "foo is one word too many; `rtorrent-cli ls --help` shows all flags"),
            (&["get", "a", "--jobs", "x"], "--jobs: \"x\" is not a number"),
            (&["get", "a", "--seed-ratio", "-1"], "--seed-ratio: \"-1\""),
            (&["config", "foo"], "there is no command \"foo\"; `rtorrent-cli config --help`"),
            (&["get", "a", "--port-map=maybe"], "--port-map: \"maybe\" is neither yes nor no"),
            (&["completions", "csh"], "<SHELL>: \"csh\" is none of bash, zsh, fish, powershell, elvish, nushell"),
        ] {
            let text = said(line);
            assert!(text.starts_with(wanted), "{line:?}: {text}");
        }
        assert!(said(&["get"]).starts_with("there is nothing to download; give a magnet link"));
        assert!(said(&["rm"]).contains("is missing"));
    }

    #[test]
    fn a_value_of_the_environment_is_told_by_the_name_that_it_has_there() {
        let error = args::command().try_get_matches_from(["rtorrent-cli", "get", "a", "--jobs", "x"]).unwrap_err();
        let at = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
            let variable = |name: &str| (name == "RTORRENT_CLI_JOBS").then(|| "x".to_owned());
            problem(&error, Some("get"), &arguments, variable).message
        };
        assert_eq!(at(&["rtorrent-cli", "get", "a"]), "RTORRENT_CLI_JOBS: \"x\" is not a number");
        assert_eq!(at(&["rtorrent-cli", "get", "a", "-jx"]), "--jobs: \"x\" is not a number");
    }

    #[test]
    fn habits_from_other_programs_are_known_and_name_flags_that_there_are() {
        assert_eq!(said(&["get", "--select-file=1", "a"]), "there is no flag --select-file; here that is --select");
        assert!(said(&["get", "-c", "a"]).contains("the same command line goes on"));
        let command = args::command();
        let get = command.find_subcommand("get").unwrap();
        let text = include_str!("usage.rs").split("fn habit").nth(1).unwrap().split("_ => return None").next().unwrap();
        let ours = text.split("=> \"").skip(1).map(|rest| name(rest.split('"').next().unwrap()));
        for flag in ours {
            assert!(get.get_arguments().any(|arg| arg.get_long() == flag.strip_prefix("--")), "{flag}");
        }
    }
}
