//! Child processes that never outlive the test, and waiting for conditions.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program that this machine lacks, and the Debian package that has it.
pub struct Missing {
    pub program: &'static str,
    pub package: &'static str,
}

/// # Errors
/// If `program` is not there.
pub fn require(program: &'static str) -> Result<(), Missing> {
    let package = match program {
        "aria2c" => "aria2",
        "transmission-create" => "transmission-cli",
        "python3-libtorrent" => {
            let there = Command::new(python()).args(["-c", "import libtorrent"]).stderr(Stdio::null()).status();
            return match there {
                Ok(status) if status.success() => Ok(()),
                _ => Err(Missing { program, package: program }),
            };
        }
        same => same,
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if there { Ok(()) } else { Err(Missing { program, package }) }
}

/// The Python that has libtorrent: Debian's, or what `LIBTORRENT_PYTHON` says, for trying other versions.
pub fn python() -> std::ffi::OsString {
    std::env::var_os("LIBTORRENT_PYTHON").unwrap_or_else(|| "/usr/bin/python3".into())
}

/// A running program; killed when dropped.
pub struct Running {
    child: Child,
    name: String,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts `command` with its output in `folder/NAME.log`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(folder: &Path, name: &str, command: &mut Command) -> Result<Running, String> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let copy = file.try_clone().map_err(|e| e.to_string())?;
        // The clients keep their settings under HOME: none of the tester's own.
        let child = command
            .env("HOME", folder)
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(Running { child, name: name.into(), log })
    }

    /// Waits until `condition` holds; the last complaint is the reason if it never does.
    ///
    /// # Errors
    /// The complaint, with the end of the program's log.
    pub fn until(
        &mut self,
        patience: Duration,
        mut condition: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        wait(patience, &mut condition).map_err(|complaint| self.with_log(&complaint))
    }

    /// Waits for the program to end.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        let mut status = None;
        let end = wait(patience, &mut || match self.child.try_wait() {
            Ok(Some(ended)) => {
                status = Some(ended);
                Ok(())
            }
            Ok(None) => Err("still running".into()),
            Err(e) => Err(e.to_string()),
        });
        end.map_err(|complaint| self.with_log(&complaint))?;
        Ok(status.expect("it has ended"))
    }

    /// `complaint` and the last lines that the program said.
    pub fn with_log(&self, complaint: &str) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().rev().take(8).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        format!("{complaint}\n         {} said last:\n           {}", self.name, tail.join("\n           "))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks `condition` again and again until it holds.
///
/// # Errors
/// The last complaint.
pub fn wait(patience: Duration, condition: &mut dyn FnMut() -> Result<(), String>) -> Result<(), String> {
    let end = Instant::now() + patience;
    loop {
        match condition() {
            Ok(()) => return Ok(()),
            Err(complaint) if Instant::now() >= end => return Err(format!("{complaint} (after {patience:?})")),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
