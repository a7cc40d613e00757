//! What stands on a terminal: screens of tmux at several widths.
#![cfg(unix)]

#[path = "common/make_torrent.rs"]
mod make_torrent;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use make_torrent::{Made, noise};

/// A tmux server of its own with one window, which ends with it.
struct Terminal {
    socket: String,
    home: tempfile::TempDir,
}

impl Terminal {
    /// `None`, said aloud, where there is no tmux.
    fn start(columns: u32, rows: u32, prepare: impl FnOnce(&Path), arguments: &str) -> Option<Terminal> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!(
                "NOT RUN: screens are looked at through tmux, which is not here; Debian has it in the package tmux"
            );
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        prepare(home.path());
        let socket = format!("rtorrent-cli-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let terminal = Terminal { socket, home };
        let program = env!("CARGO_BIN_EXE_rtorrent-cli");
        let line = format!("trap : INT; {program} {arguments}; echo ended $?; exec sleep 1000");
        let size = [columns.to_string(), rows.to_string()];
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "-u",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "sh",
            "-c",
            &line,
        ]);
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(arguments).current_dir(self.home.path());
        command.env("HOME", self.home.path()).env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The screen's lines once `wanted` holds of them, without the empty ones at the end.
    #[track_caller]
    fn lines(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if wanted(&screen) {
                return screen.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
            }
            assert!(Instant::now() < patience, "{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn interrupt(&self) {
        self.tmux(&["send-keys", "C-c"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

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
