//! A terminal to look at: a window of tmux.
#![allow(dead_code)] // each user needs only a part

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A tmux server of its own with one window, which ends with it.
pub struct Terminal {
    socket: String,
    pub home: tempfile::TempDir,
}

impl Terminal {
    /// `None`, said aloud, where there is no tmux.
    pub fn start(columns: u32, rows: u32, prepare: impl FnOnce(&Path), arguments: &str) -> Option<Terminal> {
        let program = env!("CARGO_BIN_EXE_rtorrent-cli");
        let line = format!("trap : INT; {program} {arguments}; echo ended $?; exec sleep 3000");
        Terminal::start_line(columns, rows, prepare, &line)
    }

    /// As [`Terminal::start`], with a line for `sh`.
    pub fn start_line(columns: u32, rows: u32, prepare: impl FnOnce(&Path), line: &str) -> Option<Terminal> {
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
            line,
        ]);
        Some(terminal)
    }

    pub fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(arguments).current_dir(self.home.path());
        // The server of tmux hands its environment on to the window: nothing of the tester's own.
        command.env_clear().env("HOME", self.home.path()).env("LC_ALL", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", std::env::temp_dir());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The screen's lines once `wanted` holds of them, without the empty ones at the end.
    #[track_caller]
    pub fn lines(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(120);
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if wanted(&screen) {
                return screen.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
            }
            assert!(Instant::now() < patience, "{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn interrupt(&self) {
        self.tmux(&["send-keys", "C-c"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}
