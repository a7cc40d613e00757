//! What stands on a terminal: screens of tmux at several widths.
#![cfg(unix)]

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/terminal.rs"]
mod terminal;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::path::Path;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use terminal::Terminal;
use unicode_width::UnicodeWidthStr as _;

const QUIET_NETWORK: &str = "--no-dht --no-lsd --no-pex --state-dir none -d out";

#[test]
fn an_item_is_one_line_at_any_width_and_leaves_nothing_behind() {
    for columns in [40, 80, 200] {
        let name = "映画 a name that is longer than a narrow terminal is wide.iso";
        let prepare = |home: &Path| {
            std::fs::write(home.join("a.torrent"), Made::file(name, noise(50_000, 1), 16_384, &[]).bytes).unwrap();
        };
        let Some(terminal) = Terminal::start(columns, 12, prepare, &format!("get {QUIET_NETWORK} a.torrent")) else {
            return;
        };
        let lines = terminal.lines(|screen| screen.contains("looking for"));
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with("映画 a"), "{lines:?}");
        terminal.interrupt();
        let lines = terminal.lines(|screen| screen.contains("ended 130"));
        assert!(lines.iter().all(|line| !line.contains("looking for") && !line.contains("^C")), "{lines:#?}");
        assert!(lines.concat().contains("to go on:"), "{lines:#?}");
    }
}

#[test]
fn more_items_than_lines_are_counted_and_do_not_scroll() {
    let prepare = |home: &Path| {
        for n in 0..30 {
            let made = Made::file(&format!("item {n}"), noise(50_000, n), 16_384, &[]);
            std::fs::write(home.join(format!("{n:02}.torrent")), made.bytes).unwrap();
        }
    };
    let Some(terminal) = Terminal::start(80, 16, prepare, &format!("get -j 30 {QUIET_NETWORK} *.torrent")) else {
        return;
    };
    let first = |screen: &str| screen.contains("30 under way") && screen.matches("looking for").count() == 13;
    let lines = terminal.lines(first);
    assert_eq!((lines.len(), lines[0].split(' ').take(2).collect::<Vec<_>>()), (14, vec!["item", "0"]), "{lines:#?}");
    assert!(lines[13].contains("(17 not shown)"), "{lines:#?}");
    terminal.interrupt();
    let lines = terminal.lines(|screen| screen.contains("ended 130"));
    assert!(lines.iter().all(|line| !line.contains("looking for")), "{lines:#?}");
}

#[test]
fn a_finished_item_settles_and_its_path_follows() {
    let made = Made::file("done.bin", noise(50_000, 1), 16_384, &[]);
    let prepare = |home: &Path| {
        std::fs::write(home.join("a.torrent"), &made.bytes).unwrap();
        std::fs::create_dir(home.join("out")).unwrap();
        made.place(&home.join("out"));
    };
    let Some(terminal) = Terminal::start(80, 12, prepare, &format!("get {QUIET_NETWORK} a.torrent")) else { return };
    let lines = terminal.lines(|screen| screen.contains("ended 0"));
    assert_eq!(lines[0], "done: done.bin, 48.8 KiB, all there", "{lines:#?}");
    assert!(lines[1].starts_with('/'), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "ended 0", "{lines:#?}");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let prepare = |home: &Path| {
        std::fs::write(home.join("a.torrent"), Made::file("plain.bin", noise(50_000, 1), 16_384, &[]).bytes).unwrap();
        std::fs::write(
            home.join("run"),
            format!("TERM=dumb {} get {QUIET_NETWORK} a.torrent", env!("CARGO_BIN_EXE_rtorrent-cli")),
        )
        .unwrap();
    };
    let Some(terminal) = Terminal::start(80, 12, prepare, "--version; sh run") else { return };
    let lines = terminal.lines(|screen| screen.contains("looking for"));
    assert_eq!(lines[1], "plain.bin: checking what is on disk", "{lines:#?}");
}

/// Sends keys one after another, each once the screen is as it has to be.
#[test]
fn files_are_picked_from_a_list_with_search() {
    let files: Vec<(String, Vec<u8>)> = (0..40)
        .map(|n| (format!("episode {n:02}.mkv"), noise(1000, n)))
        .chain([("cover.jpg".to_owned(), noise(500, 99))])
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let made = Made::folder("show", &files, 16_384, &[]);
    let prepare = |home: &Path| {
        std::fs::write(home.join("a.torrent"), &made.bytes).unwrap();
        made.place(&home.join("out"));
    };
    let Some(terminal) = Terminal::start(80, 20, prepare, &format!("get -I {QUIET_NETWORK} a.torrent")) else { return };
    let lines = terminal.lines(|screen| screen.contains("episode 00.mkv"));
    assert!(lines.len() <= 20 && lines.iter().any(|line| line.contains("type to search")), "{lines:#?}");
    // All are ticked at first: none, then the one that the search finds.
    terminal.tmux(&["send-keys", "Left"]);
    terminal.lines(|screen| !screen.contains("[x]"));
    terminal.tmux(&["send-keys", "-l", "cover"]);
    terminal.lines(|screen| screen.contains("cover.jpg") && !screen.contains("episode"));
    terminal.tmux(&["send-keys", "Space"]);
    terminal.lines(|screen| screen.contains("[x]"));
    terminal.tmux(&["send-keys", "Enter"]);
    let lines = terminal.lines(|screen| screen.contains("ended 0"));
    assert!(lines.iter().any(|line| line.contains("1 file")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("done: show, ")), "{lines:#?}");
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1", "the cursor is seen again");
}

#[test]
fn who_does_not_want_to_pick_gets_out_with_the_terminal_as_it_was() {
    for (keys, code) in [("Escape", 130), ("C-c", 130)] {
        let made = Made::folder("show", &[("a", noise(1000, 1)), ("b", noise(1000, 2))], 16_384, &[]);
        let prepare = |home: &Path| std::fs::write(home.join("a.torrent"), &made.bytes).unwrap();
        let Some(terminal) = Terminal::start(80, 20, prepare, &format!("get -I {QUIET_NETWORK} a.torrent")) else {
            return;
        };
        terminal.lines(|screen| screen.contains("type to search"));
        terminal.tmux(&["send-keys", keys]);
        terminal.lines(|screen| screen.contains(&format!("ended {code}")));
        assert_eq!(terminal.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1", "{keys}");
    }
}

#[test]
fn a_batch_settles_above_and_ends_in_a_table() {
    let prepare = |home: &Path| {
        for n in 0..8 {
            let made = Made::file(&format!("item {n}.bin"), noise(50_000, n), 16_384, &[]);
            std::fs::write(home.join(format!("{n}.torrent")), &made.bytes).unwrap();
            made.place(&home.join("out"));
        }
    };
    for columns in [40, 80, 200] {
        let arguments = format!("get {QUIET_NETWORK} *.torrent missing.torrent");
        let Some(terminal) = Terminal::start(columns, 50, prepare, &arguments) else { return };
        let lines = terminal.lines(|screen| screen.contains("ended 4"));
        let at = |words: &str| lines.iter().filter(|line| line.starts_with(words)).count();
        assert_eq!((at("done: item"), at("done  "), at("failed  ")), (8, 8, 1), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("checking")), "{lines:#?}");
        assert!(lines.concat().contains("8 of 9 items complete"), "{lines:#?}");
    }
}

#[test]
fn a_terminal_that_is_made_narrower_or_wider_is_drawn_anew() {
    let name = "a name that is longer than a narrow terminal is wide.iso";
    let prepare = |home: &Path| {
        std::fs::write(home.join("a.torrent"), Made::file(name, noise(50_000, 1), 16_384, &[]).bytes).unwrap();
    };
    let Some(terminal) = Terminal::start(100, 12, prepare, &format!("get {QUIET_NETWORK} a.torrent")) else { return };
    terminal.lines(|screen| screen.contains("looking for peers"));
    for columns in ["60", "120"] {
        terminal.tmux(&["resize-window", "-x", columns, "-y", "12"]);
        let width: usize = columns.parse().unwrap();
        // The line is as wide as it may be now, and there is only one.
        terminal.lines(|screen| {
            let lines: Vec<&str> = screen.trim_end().lines().collect();
            let one = lines.iter().filter(|line| line.contains("looking for")).count() == 1;
            one && lines.iter().all(|line| line.chars().count() < width) && (width < 100 || screen.contains(name))
        });
    }
    terminal.interrupt();
    terminal.lines(|screen| screen.contains("ended 130"));
}

/// `script` gives a terminal to what has none, and keeps all that is written to it.
#[test]
fn a_typescript_ends_with_the_cursor_where_it_was() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        eprintln!("NOT RUN: script is not here; Debian has it in the package bsdutils");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let made = Made::file("done.bin", noise(50_000, 1), 16_384, &[]);
    std::fs::write(home.path().join("a.torrent"), &made.bytes).unwrap();
    std::fs::create_dir(home.path().join("out")).unwrap();
    made.place(&home.path().join("out"));
    let line = format!("{} get {QUIET_NETWORK} a.torrent", env!("CARGO_BIN_EXE_rtorrent-cli"));
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "typescript"]).current_dir(home.path()).env("TERM", "xterm").env("HOME", home.path());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.success());
    let text = std::fs::read_to_string(home.path().join("typescript")).unwrap();
    assert!(text.contains("done.bin, 48.8 KiB, all there"), "{text:?}");
    let (hidden, shown) = (text.rfind("\x1b[?25l"), text.rfind("\x1b[?25h"));
    assert!(hidden.is_none() || shown > hidden, "{text:?}");
}

#[test]
fn fifty_items_of_all_scripts_stand_in_lines_of_their_own_at_any_width() {
    let names = [
        "عربي اسم طويل جدا لملف",
        "שם ארוך מאוד של קובץ",
        "映画のタイトルがとても長い",
        "e\u{301}te\u{301} 🎬",
        "plain",
    ];
    let prepare = |home: &Path| {
        for n in 0..50 {
            let made = Made::file(&format!("{} {n}", names[n % names.len()]), noise(50_000, n as u64), 16_384, &[]);
            std::fs::write(home.join(format!("{n:02}.torrent")), made.bytes).unwrap();
        }
    };
    for columns in [40, 80, 200] {
        let arguments = format!("get -j 50 {QUIET_NETWORK} *.torrent");
        let Some(terminal) = Terminal::start(columns, 60, prepare, &arguments) else { return };
        let lines = terminal.lines(|screen| screen.contains("50 under way") && screen.matches("looking").count() == 50);
        assert_eq!(lines.len(), 51, "{lines:#?}");
        assert!(lines.iter().all(|line| line.width() < columns as usize), "{lines:#?}");
        terminal.interrupt();
        terminal.lines(|screen| screen.contains("ended 130"));
        assert_eq!(terminal.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1");
    }
}

#[test]
fn why_nothing_moves_is_said_once_above_the_line() {
    let made = Made::file("still.bin", noise(50_000, 1), 16_384, &[]);
    let prepare = |home: &Path| std::fs::write(home.join("a.torrent"), &made.bytes).unwrap();
    let Some(terminal) = Terminal::start(80, 12, prepare, &format!("get {QUIET_NETWORK} a.torrent")) else { return };
    let lines = terminal.lines(|screen| screen.contains("no peers found yet"));
    assert_eq!(lines[0], "still.bin: no peers found yet: there is no tracker", "{lines:#?}");
    assert!(lines[1].starts_with("still.bin  looking for peers") && lines.len() == 2, "{lines:#?}");
    terminal.interrupt();
    let lines = terminal.lines(|screen| screen.contains("ended 130"));
    assert_eq!(lines.iter().filter(|line| line.contains("no peers found")).count(), 1, "{lines:#?}");
}

/// What is there, what is coming and what is missing, of a download that a limit slows down.
#[test]
fn the_strip_shows_what_is_on_its_way() {
    let home = tempfile::tempdir().unwrap();
    let made = Made::file("slow.bin", noise(4_000_000, 1), 65_536, &[]);
    made.place(home.path());
    let seeder = LocalSeeder::start(&made, home.path());
    let prepare = |home: &Path| std::fs::write(home.join("a.torrent"), &seeder.torrent).unwrap();
    for columns in [80, 200] {
        let arguments = format!("get {QUIET_NETWORK} --limit-down 100K --sequential a.torrent");
        let Some(terminal) = Terminal::start(columns, 12, prepare, &arguments) else { return };
        let strip = |screen: &str| {
            let line = screen.lines().find(|line| line.contains("slow.bin ["))?;
            Some(line.split(['[', ']']).nth(1)?.to_owned())
        };
        let all_kinds = |strip: String| {
            let signs = if strip.is_ascii() { ["#", "+", "."] } else { ["█", "▪", "·"] };
            signs.iter().all(|sign| strip.contains(sign))
        };
        let lines = terminal.lines(|screen| strip(screen).is_some_and(all_kinds));
        assert!(lines.iter().all(|line| line.width() < columns as usize), "{lines:#?}");
        terminal.interrupt();
        terminal.lines(|screen| screen.contains("ended 130"));
    }
}

#[test]
fn help_that_is_longer_than_the_terminal_is_paged_where_that_is_wanted() {
    let program = env!("CARGO_BIN_EXE_rtorrent-cli");
    let shown = |rows: u32, environment: &str| {
        let line = format!("{environment} {program} get --help; echo ended $?; exec sleep 3000");
        let terminal = Terminal::start_line(100, rows, |_| {}, &line)?;
        Some(terminal.lines(|screen| screen.contains("ended")))
    };
    // A pager that says how often it saw the heading.
    let pager = "PAGER='grep -c ^Network:'";
    let Some(lines) = shown(30, pager) else { return };
    assert_eq!(lines, ["1", "ended 0"]);
    for plainly in [format!("{pager} NO_PAGER=1"), format!("{pager} TERM=dumb"), "PAGER=".to_owned()] {
        let lines = shown(30, &plainly).unwrap();
        assert!(lines.iter().any(|line| line.starts_with("Interrupted?")), "{plainly}: {lines:#?}");
        assert_eq!(lines.last().unwrap(), "ended 0");
    }
    // A pager that is not there is not missed, and what fits needs none.
    for (rows, environment) in [(30, "PAGER=no-such-pager"), (120, pager)] {
        let lines = shown(rows, environment).unwrap();
        assert!(lines.iter().any(|line| line.starts_with("Interrupted?")), "{environment}: {lines:#?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_manual_is_shown_by_man_on_a_terminal_and_is_itself_elsewhere() {
    let program = env!("CARGO_BIN_EXE_rtorrent-cli");
    let prepare = |home: &Path| {
        std::fs::write(home.join("text"), "#!/bin/sh\necho \"asked with $*\"\ngrep -o 'TH rtorrent-cli-get'\n")
            .unwrap();
    };
    // Made by the shell: what this process wrote itself may be open in a child that another test starts, and is busy then.
    let make = "cat text > man; chmod +x man";
    let line = format!(
        "{make}; PATH=.:$PATH {program} man get; {program} man get | head -n 3; echo ended $?; exec sleep 3000"
    );
    let Some(terminal) = Terminal::start_line(100, 30, prepare, &line) else { return };
    let lines = terminal.lines(|screen| screen.contains("ended"));
    assert_eq!(lines[..2], ["asked with -l -", "TH rtorrent-cli-get"], "{lines:#?}");
    assert!(lines[2..].iter().any(|line| line.starts_with(".TH rtorrent-cli-get 1")), "{lines:#?}");
}

#[test]
fn a_terminal_is_spared_the_bytes_of_a_file() {
    let prepare = |home: &Path| {
        std::fs::write(home.join("a.torrent"), Made::file("a", noise(50_000, 1), 16_384, &[]).bytes).unwrap();
    };
    let line = "get -o - --no-dht --no-lsd --state-dir none a.torrent";
    let Some(terminal) = Terminal::start(80, 12, prepare, line) else { return };
    let lines = terminal.lines(|screen| screen.contains("ended 2"));
    assert!(lines.concat().contains("lead them into a file or a program"), "{lines:#?}");
}
