//! `man [COMMAND|DIR]`: the manual pages, one for the program and one for each command.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::args::{Cli, examples};
use super::display::{Unwritten, write_text};
use super::{exit, pager};

/// The page of a command, or of the program itself.
pub fn page_of(command: Option<&str>) -> Vec<u8> {
    let root = built();
    let command = command.and_then(|name| root.find_subcommand(name)).unwrap_or(&root);
    let mut out = Vec::new();
    page(command, &mut out).expect("writing to memory");
    out
}

/// Writes a page to standard output; on a terminal the system's `man` shows it, where there is one that reads it.
///
/// # Errors
/// If standard output can't be written.
pub fn show(page: &[u8]) -> Result<(), Unwritten> {
    if cfg!(target_os = "linux")
        && io::stdout().is_terminal()
        && let Some(input) = pager::input(page)
    {
        let mut man = std::process::Command::new("man");
        man.args(["-l", "-"]).stdin(input);
        pager::replace(man);
    }
    write_text(page)
}

/// (file name, contents) of every page.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let root = built();
    let commands = std::iter::once(&root).chain(root.get_subcommands());
    commands
        .map(|command| {
            let mut out = Vec::new();
            page(command, &mut out).expect("writing to memory");
            (format!("{}.1", display_name(command)), out)
        })
        .collect()
}

/// Writes every page to `dir`, which is made if missing.
///
/// # Errors
/// What the file system says.
pub fn write_all(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    pages().into_iter().try_for_each(|(name, contents)| std::fs::write(dir.join(name), contents))
}

fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

fn display_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let root = command.has_subcommands();
    // The examples have a section of their own here.
    let man = Man::new(command.clone().after_help(""))
        .date(DATE)
        .manual("User Commands")
        .source(concat!("rtorrent-cli ", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    section(out, "SYNOPSIS")?;
    let usage = command.clone().render_usage().to_string();
    writeln!(out, "{}", escaped(usage.trim_start_matches("Usage: ")))?;
    man.render_description_section(out)?;
    if root {
        writeln!(out, ".PP")?;
        paragraphs(out, DEFAULT_COMMAND)?;
        man.render_subcommands_section(out)?;
    } else {
        man.render_options_section(out)?;
    }
    section(out, "EXAMPLES")?;
    verbatim(out, examples_of(command.get_name()))?;
    if talks_json(command) {
        section(out, "JSON")?;
        paragraphs(out, JSON)?;
    }
    if command.get_name() == "get" {
        section(out, "INPUT FILE")?;
        paragraphs(out, INPUT_FILE)?;
        section(out, "HOOKS")?;
        paragraphs(out, HOOKS)?;
    }
    if root || command.get_name() == "config" {
        section(out, "CONFIGURATION")?;
        paragraphs(out, CONFIGURATION)?;
    }
    section(out, "EXIT STATUS")?;
    for (code, meaning) in exit::TABLE {
        writeln!(out, ".TP\n{}\n{}", escaped(code), escaped(meaning))?;
    }
    section(out, "ENVIRONMENT")?;
    environment(command, out)?;
    section(out, "FILES")?;
    for (path, meaning) in FILES {
        writeln!(out, ".TP\n\\fI{}\\fR\n{}", escaped(path), escaped(meaning))?;
    }
    section(out, "SEE ALSO")?;
    writeln!(out, "{}", see_also(command))
}

/// Of the last change of what the pages say.
const DATE: &str = "2026-11-23";

const DEFAULT_COMMAND: &[&str] = &[
    "rtorrent-cli SRC... alone means get. SRC is a magnet link, a .torrent file, an http or https URL of one, - for one \
     on standard input, or a bare info hash (40 hexadecimal or 32 base32 digits, or the 64 hexadecimal ones of version 2).",
    "Standard output carries results alone: the paths of what was completed, or JSON. Progress, warnings and errors go \
     to standard error: bars on a terminal, plain lines elsewhere.",
    "The first SIGINT, SIGTERM or SIGHUP stops in order and saves what there is; the same command line goes on later. \
     The second ends the program at once.",
];

const JSON: &[&str] = &[
    "With --json every line of standard output is one object with \"v\" (1, the version of this description), \"event\" \
     and \"id\" (the number of the item in the run, from 1; null for the run as a whole). Sizes are bytes, rates bytes a \
     second, times seconds; what is not known is null. The events:",
    "item: \"source\", \"name\", \"info_hash_v1\", \"info_hash_v2\"; once for each item, when its source has been read.",
    "skipped: \"source\", \"reason\" (same: another item is the same torrent; archive); the item is left out.",
    "stage: \"stage\" (queued, resolving, checking, hashing, downloading, finishing, seeding, stopping, done, failed).",
    "metadata: \"name\", the hashes, \"piece_length\", \"pieces\", \"total_size\", \"selected_size\", \"private\", \"files\" \
     (\"index\" from 1, \"path\", \"size\", \"selected\").",
    "plan: \"name\", \"path\", \"selected_size\", \"there\", \"to_check\", \"to_fetch\", \"needed_space\", \"free_space\"; with \
     --dry-run.",
    "progress: once a second; \"stage\", \"done\", \"total\", \"pieces_done\", \"pieces\", \"down_rate\", \"up_rate\", \
     \"downloaded\", \"uploaded\", \"wasted\", \"peers\", \"peers_known\", \"seeds\", \"unchoked_by\", \"trackers\", \
     \"trackers_answered\", \"trackers_failed\", \"dht_nodes\", \"dht_queries\", \"metadata_pieces_done\", \"metadata_pieces\", \"checked\", \
     \"to_check\", \"eta\", \"limit_down\", \"limit_up\" (null without a limit, 0 in a pause).",
    "why: \"reason\" (no_peers, unreachable, metadata, choked, silent, disk, limit, paused), \"message\"; nothing has come for \
     15 s. Once, until something moves again.",
    "file: \"index\", \"path\"; a selected file is whole and verified.",
    "complete: \"path\"; all that was selected is complete.",
    "created: what create made: \"name\", \"path\", the hashes, \"magnet\", \"piece_length\", \"pieces\", \"total_size\", \
     \"private\", \"files\"; with --dry-run without hash and link.",
    "stream: \"url\" (what a player is to be given), \"files\" (\"index\", \"url\"); of the command stream, once players \
     can come.",
    "error: \"source\", \"code\" (the exit status that belongs to it), \"kind\" (a word for it), \"message\".",
    "summary: \"items\", \"complete\", \"failed\", \"unfinished\", \"skipped\", \"downloaded\", \"uploaded\", \"seconds\", \
     \"exit\"; the last line.",
    "rtorrent-cli schema prints their JSON Schema. Within a version fields may be added; their meaning does not change.",
];

const INPUT_FILE: &[&str] = &[
    "A file for --input-file has one source a line. Blank lines and lines that begin with # are nothing. An indented line \
     KEY=VALUE sets a flag of the source above it, before the command line's: dir, output, select, exclude, check, \
     overwrite, no-part, allocate, no-space-check, sequential, first-last, seed-ratio, seed-time, no-upload, \
     metadata-timeout, stall-timeout, tracker, no-trackers, peer, web-seed, header. aria2's out, select-file, \
     bt-tracker, allow-overwrite, file-allocation and bt-stop-timeout mean the same things. What comes over standard \
     input (-i -) is read while the run is under way: an item begins when the next source or the end comes, or nothing \
     more for a moment.",
    "--save-session writes such a file.",
];

const HOOKS: &[&str] = &[
    "The command of a hook is split into words like a shell's and run without one; nothing is expanded. What it prints \
     goes to standard error. The run waits for its hooks; one that fails is told of and changes nothing. In the \
     environment: RTORRENT_HOOK_NAME, RTORRENT_HOOK_DIR (the output folder), RTORRENT_HOOK_PATH (the file or top folder, \
     when complete), RTORRENT_HOOK_INFOHASH, RTORRENT_HOOK_STATUS (metadata, complete, or the word of the failure as in \
     error events), RTORRENT_HOOK_CODE (the exit status that belongs to it), RTORRENT_HOOK_FILES (a JSON file: the \
     selected files with index, path and size; it is gone when the hook ends).",
];

const CONFIGURATION: &[&str] = &[
    "The configuration file is TOML. Keys are named like the long flags, every one that has an environment variable; a \
     table [profile.NAME] holds what --profile NAME sets before them. A flag on the command line goes before its \
     environment variable (one that is empty is none), that before the profile, that before the file. What the file \
     turns on is off for a run with RTORRENT_CLI_FLAG=no. Unknown keys are errors. config show lists \
     every value with its origin, config path names the file; --config none reads none.",
];

const FILES: &[(&str, &str)] = &[
    (
        "$XDG_STATE_HOME/rtorrent-cli, ~/.local/state/rtorrent-cli",
        "resume data, metadata of magnet links and locks; on macOS and Windows the platform's folder for application data",
    ),
    (
        "$XDG_CONFIG_HOME/rtorrent-cli/config.toml, ~/.config/rtorrent-cli/config.toml",
        "flags that are always given, and profiles of them",
    ),
    ("NAME.part", "a file in the download folder that is not whole yet"),
];

fn examples_of(command: &str) -> &'static str {
    match command {
        "info" => examples::INFO,
        "verify" => examples::VERIFY,
        "create" => examples::CREATE,
        "seed" => examples::SEED,
        "stream" => examples::STREAM,
        "doctor" => examples::DOCTOR,
        "ls" => examples::LS,
        "rm" => examples::RM,
        "config" => examples::CONFIG,
        "schema" => examples::SCHEMA,
        "completions" => examples::COMPLETIONS,
        "man" => examples::MAN,
        _ => examples::GET,
    }
}

fn talks_json(command: &Command) -> bool {
    command.get_name() == "get"
}

/// The variables that stand for the flags of `command`, and those that decide about colours.
fn environment(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let mut any = false;
    for arg in command.get_arguments() {
        if let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) {
            any = true;
            let variable = escaped(&variable.to_string_lossy());
            writeln!(out, ".TP\n\\fB{variable}\\fR\n{}", escaped(&format!("stands for --{long}")))?;
        }
    }
    if command.get_name() == "create" {
        let text =
            "the date that stands in the torrent, in seconds since 1970; the same content gives the same bytes then";
        writeln!(out, ".TP\n\\fBSOURCE_DATE_EPOCH\\fR\n{}", escaped(text))?;
    }
    if command.has_subcommands() {
        any = true;
        let text = "stands for --FLAG (in capitals, _ for -); a flag on the command line goes before";
        writeln!(out, ".TP\n\\fBRTORRENT_CLI_FLAG\\fR\n{}", escaped(text))?;
        let text =
            "what shows help that is longer than the terminal (less); NO_PAGER, an empty PAGER or cat: nothing does";
        writeln!(out, ".TP\n\\fBPAGER\\fR, \\fBNO_PAGER\\fR\n{}", escaped(text))?;
    }
    if any {
        let text = "no colours; plain lines instead of bars; colours even where there is no terminal";
        writeln!(out, ".TP\n\\fBNO_COLOR\\fR, \\fBTERM=dumb\\fR, \\fBCLICOLOR_FORCE\\fR\n{}", escaped(text))?;
    } else {
        writeln!(out, "None.")?;
    }
    Ok(())
}

fn see_also(command: &Command) -> String {
    if command.has_subcommands() {
        let pages: Vec<_> =
            command.get_subcommands().map(|sub| format!("\\fB{}\\fR(1)", escaped(&display_name(sub)))).collect();
        pages.join(", ")
    } else {
        format!("\\fB{}\\fR(1)", escaped("rtorrent-cli"))
    }
}

fn section(out: &mut dyn Write, name: &str) -> io::Result<()> {
    writeln!(out, ".SH \"{name}\"")
}

fn paragraphs(out: &mut dyn Write, paragraphs: &[&str]) -> io::Result<()> {
    let texts: Vec<String> = paragraphs.iter().map(|paragraph| escaped(paragraph)).collect();
    writeln!(out, "{}", texts.join("\n.PP\n"))
}

/// Lines as they stand, without the heading that `--help` gives them.
fn verbatim(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, ".nf")?;
    for line in text.lines().filter(|line| *line != "Examples:") {
        writeln!(out, "{}", escaped(line))?;
    }
    writeln!(out, ".fi")
}

/// Text that roff takes for text.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_an_input_file_is_named() {
        for key in super::super::input_file::KEYS {
            assert!(INPUT_FILE[0].split([' ', ',', '.']).any(|word| word == *key), "{key}");
        }
    }
}
