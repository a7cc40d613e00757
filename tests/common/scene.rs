//! The program as a process, in a folder of its own, against seeders of our own on loopback.
#![allow(dead_code)] // each user needs only a part

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::make_torrent::{Made, noise};

/// Flags that keep a run to loopback.
pub const QUIET_NETWORK: [&str; 3] = ["--no-dht", "--no-lsd", "--no-pex"];

/// A folder for one test.
pub struct Scene {
    pub dir: tempfile::TempDir,
}

pub struct Seen {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Scene {
    pub fn new() -> Scene {
        Scene { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The program with nothing of this machine's in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.args(arguments).env_clear().current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        // Only a test that fails waits so long.
        command.env("RTORRENT_CLI_MAX_TIME", "300");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Seen {
        seen(&mut self.command(arguments))
    }

    pub fn get(&self, arguments: &[&str]) -> Seen {
        self.run(&[&["get"], &QUIET_NETWORK[..], arguments].concat())
    }

    /// A single file, with its data in `shared/`.
    pub fn made(&self, name: &str, len: usize, seed: u64) -> Made {
        let made = Made::file(name, noise(len, seed), 16_384, &[]);
        std::fs::create_dir_all(self.path("shared")).unwrap();
        made.place(&self.path("shared"));
        made
    }

    pub fn same(&self, name: &str, at: &str) -> bool {
        std::fs::read(self.path("shared").join(name)).unwrap() == std::fs::read(self.path(at)).unwrap_or_default()
    }
}

pub fn seen(command: &mut Command) -> Seen {
    let output = command.output().unwrap();
    Seen {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Seen {
    #[track_caller]
    pub fn ends(&self, code: i32) -> &Seen {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.out.lines().map(parse).collect()
    }

    pub fn of(&self, event: &str) -> Vec<Value> {
        self.events().into_iter().filter(|it| it["event"] == event).collect()
    }
}

/// Looks whether every line is an event of the schema, by a validator that is not ours.
pub struct Schema {
    schemas: boon::Schemas,
    events: boon::SchemaIndex,
}

impl Schema {
    pub fn load() -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/events.schema.json");
        let value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("events.json", value).unwrap();
        let events = compiler.compile("events.json", &mut schemas).unwrap();
        Schema { schemas, events }
    }

    #[track_caller]
    pub fn accepts(&self, event: &Value) {
        if let Err(error) = self.schemas.validate(event, self.events) {
            panic!("{event}\n{error:#}");
        }
    }

    pub fn refuses(&self, event: &Value) -> bool {
        self.schemas.validate(event, self.events).is_err()
    }
}
