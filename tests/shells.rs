//! Completions, asked as a person asks: shells on a terminal of tmux, with the Tab key.
#![cfg(unix)]

#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/terminal.rs"]
mod terminal;

use make_torrent::{Made, noise};
use terminal::Terminal;

/// How a shell is started without anybody's own settings, and where it finds the script.
struct Shell {
    name: &'static str,
    start: &'static str,
    load: &'static str,
    script: &'static str,
}

const SHELLS: &[Shell] = &[
    Shell { name: "bash", start: "bash --norc --noprofile -i", load: "source", script: "rtorrent-cli.bash" },
    Shell {
        name: "zsh",
        start: "zsh -f -i",
        load: "autoload -Uz compinit && compinit -D -u && source",
        script: "_rtorrent-cli",
    },
    Shell { name: "fish", start: "fish --no-config -i", load: "source", script: "rtorrent-cli.fish" },
    Shell { name: "elvish", start: "elvish -norc", load: "eval (slurp <", script: "rtorrent-cli.elv" },
];

fn is_here(shell: &str) -> bool {
    std::process::Command::new(shell).arg("--version").output().is_ok()
        || shell == "elvish" && std::process::Command::new(shell).arg("-version").output().is_ok()
}

/// Types `line` and Tab; gives the screen once `wanted` stands on it.
#[track_caller]
fn asked(terminal: &Terminal, line: &str, wanted: &str) {
    // An interrupt ends what the last question left open; where it only ends a completion under way, the line is still there.
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.tmux(&["send-keys", "C-u"]);
    terminal.tmux(&["send-keys", "-l", "clear; echo re''ady"]);
    terminal.tmux(&["send-keys", "Enter"]);
    terminal.lines(|screen| screen.lines().any(|line| line.trim() == "ready"));
    terminal.tmux(&["send-keys", "-l", line]);
    // Shells read the line before they look at the key; a second Tab shows what is ambiguous.
    terminal.tmux(&["send-keys", "Tab"]);
    terminal.tmux(&["send-keys", "Tab"]);
    terminal.lines(|screen| screen.contains(wanted));
}

#[test]
fn every_shell_that_is_here_completes_commands_flags_values_and_files() {
    for Shell { name, start, load, script } in SHELLS {
        if !is_here(name) {
            eprintln!("NOT RUN: {name} could not be asked; Debian has it in the package {name}");
            continue;
        }
        let prepare = |home: &std::path::Path| {
            let files = [("first episode.mkv", noise(1000, 1)), ("second.mkv", noise(1000, 2))];
            std::fs::write(home.join("show.torrent"), Made::folder("show", &files, 16_384, &[]).bytes).unwrap();
        };
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_rtorrent-cli")).parent().unwrap();
        let run = format!("PATH={}:$PATH; export PATH; PS1='$ '; export PS1; exec {start}", program.display());
        let Some(terminal) = Terminal::start_line(120, 40, prepare, &run) else { return };
        let path = format!("{}/completions/{script}", env!("CARGO_MANIFEST_DIR"));
        let close = if *name == "elvish" { ")" } else { "" };
        // The prompt is there before the first key.
        terminal.lines(|screen| !screen.trim().is_empty());
        terminal.tmux(&["send-keys", "-l", &format!("{load} {path}{close}")]);
        terminal.tmux(&["send-keys", "Enter"]);
        terminal.tmux(&["send-keys", "-l", "echo lo''aded"]);
        terminal.tmux(&["send-keys", "Enter"]);
        terminal.lines(|screen| screen.lines().any(|line| line.trim() == "loaded"));
        asked(&terminal, "rtorrent-cli compl", "rtorrent-cli completions");
        asked(&terminal, "rtorrent-cli get --seed-ra", "--seed-ratio");
        asked(&terminal, "rtorrent-cli get --check fu", "--check full");
        asked(&terminal, "rtorrent-cli get sho", "show.torrent");
        asked(&terminal, "rtorrent-cli get show.torrent -s show/sec", "show/second.mkv");
    }
}

/// nushell completes without a terminal, for editors: the line is a file, and the cursor at its end.
#[test]
fn nushell_completes_commands_flags_values_and_files() {
    if std::process::Command::new("nu").arg("--version").output().is_err() {
        eprintln!("NOT RUN: nu could not be asked; npm has it in the package nushell");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("show.torrent"), "").unwrap();
    for (line, wanted) in [
        ("rtorrent-cli compl", "rtorrent-cli completions"),
        ("rtorrent-cli get --seed-ra", "--seed-ratio"),
        ("rtorrent-cli create --piece-l", "--piece-length"),
        ("rtorrent-cli get --check fu", "full"),
        ("rtorrent-cli get sho", "show.torrent"),
    ] {
        let script = format!("{}/completions/rtorrent-cli.nu", env!("CARGO_MANIFEST_DIR"));
        let typed = format!("source {script}\nuse completions *\n{line}");
        std::fs::write(dir.path().join("typed.nu"), &typed).unwrap();
        let mut nu = std::process::Command::new("nu");
        nu.args(["-n", "--ide-complete", &typed.len().to_string(), "typed.nu"]).current_dir(dir.path());
        let output = nu.env("HOME", dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let answer: serde_json::Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{line}: {error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        assert!(answer["completions"].as_array().unwrap().contains(&wanted.into()), "{line}: {said}");
    }
}

/// What the scripts ask and get, without a shell between.
#[test]
fn questions_of_the_scripts_are_answered_from_the_torrent_the_state_and_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let made = Made::folder("show", &[("a.mkv", noise(1000, 1)), ("b.mkv", noise(1000, 2))], 16_384, &[]);
    std::fs::write(dir.path().join("show.torrent"), &made.bytes).unwrap();
    std::fs::write(dir.path().join("c.toml"), "[profile.night]\njobs = 1\n").unwrap();
    made.place(&dir.path().join("out"));
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.env_clear().env("HOME", dir.path()).current_dir(dir.path()).args(words);
        command
    };
    assert!(run(&["get", "--no-dht", "--no-lsd", "-d", "out", "show.torrent"]).output().unwrap().status.success());
    let ask = |words: &[&str]| {
        let mut command = run(&[&["--", "rtorrent-cli"], words].concat());
        command.env("COMPLETE", "fish").env("RTORRENT_CLI_CONFIG", "c.toml");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let files = ask(&["get", "show.torrent", "-s", ""]);
    assert!(files.contains("show/a.mkv\t1000 B") || files.contains("show/a.mkv\t1.0 KiB"), "{files}");
    assert!(ask(&["get", "show.torrent", "-x", "2"]).starts_with("2\tshow/b.mkv"));
    assert!(ask(&["stream", "show.torrent", "show/b"]).starts_with("show/b.mkv"));
    assert!(ask(&["man", "ge"]).starts_with("get\t"), "{}", ask(&["man", "ge"]));
    // Those that are looked for are found wherever they stand.
    let files: Vec<(String, Vec<u8>)> = (0..300).map(|n| (format!("{n}.txt"), vec![1])).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    std::fs::write(dir.path().join("many.torrent"), &Made::folder("many", &files, 16_384, &[]).bytes).unwrap();
    assert!(ask(&["get", "many.torrent", "-s", "many/299"]).starts_with("many/299.txt"));
    assert!(ask(&["rm", ""]).contains(&made.hash()), "{}", ask(&["rm", ""]));
    assert!(ask(&["get", "--profile", "n"]).starts_with("night"));
    assert!(ask(&["--seed-ti"]).contains("--seed-time"), "get may be left out: {}", ask(&["--seed-ti"]));
}
