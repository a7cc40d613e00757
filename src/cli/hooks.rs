//! `--on-metadata`, `--on-complete`, `--on-error`: programs that are run when something happens to an item.
//!
//! The command is split into words as a shell splits them, and that is all of a shell that there is: nothing from a
//! torrent becomes part of a command, it is in the environment alone. What a hook prints goes to a person, never to
//! standard output. The run does not end before its hooks have.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::args::HookArgs;
use super::text::{clip, escape, without_numbers};

/// A command as words; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words(Vec<String>);

impl Words {
    /// The program and its arguments.
    pub fn split(&self) -> (&str, &[String]) {
        self.0.split_first().map_or(("", &[]), |(program, arguments)| (program, arguments))
    }
}

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Words, String> {
        match shlex::split(text) {
            None => Err(format!("{text:?} has a quote that is not closed")),
            Some(words) if words.first().is_none_or(|program| program.is_empty()) => Err("the command is empty".into()),
            Some(words) => Ok(Words(words)),
        }
    }
}

/// What may have happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    Metadata,
    Complete,
    Error,
}

/// What a hook is told of its item.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub name: String,
    pub dir: PathBuf,
    /// Where the file or top folder stands, when it is complete.
    pub path: Option<PathBuf>,
    /// Hexadecimal; empty where the source did not get so far.
    pub info_hash: String,
    /// `metadata`, `complete`, or the word of the failure.
    pub status: &'static str,
    pub code: u8,
    /// `index`, `path` and `size` of each selected file.
    pub files: Vec<Value>,
}

/// The hooks of a run, and those that are running.
#[derive(Debug)]
pub struct Hooks {
    metadata: Option<Words>,
    complete: Option<Words>,
    error: Option<Words>,
    running: JoinSet<()>,
    say: mpsc::UnboundedSender<String>,
    said: mpsc::UnboundedReceiver<String>,
}

impl Default for Hooks {
    fn default() -> Hooks {
        let (say, said) = mpsc::unbounded_channel();
        Hooks { metadata: None, complete: None, error: None, running: JoinSet::new(), say, said }
    }
}

impl Hooks {
    pub fn new(args: &HookArgs) -> Hooks {
        Hooks {
            metadata: args.on_metadata.clone(),
            complete: args.on_complete.clone(),
            error: args.on_error.clone(),
            ..Hooks::default()
        }
    }

    /// Starts the hook of this occasion, if there is one; `tell` is only asked then. Must be called within a runtime.
    pub fn fire(&mut self, occasion: Occasion, tell: impl FnOnce() -> Told) {
        let words = match occasion {
            Occasion::Metadata => &self.metadata,
            Occasion::Complete => &self.complete,
            Occasion::Error => &self.error,
        };
        if let Some(words) = words.clone() {
            let (told, say) = (tell(), self.say.clone());
            self.running.spawn(async move {
                if let Err(trouble) = run(&words, &told, &say).await {
                    // Nobody listens any more once the run is over.
                    let _ = say.send(format!("hook {}: {trouble}", escape(&words.0[0])));
                }
            });
        }
    }

    /// The next line of a hook, for a person; `None` once no hook is running. Waits for ever beside a run: use
    /// [`Hooks::is_idle`] to see whether there is anything to wait for.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                Some(line) = self.said.recv() => return Some(line),
                ended = self.running.join_next() => if ended.is_none() {
                    return self.said.try_recv().ok();
                },
            }
        }
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.said.is_empty()
    }
}

/// Runs one hook to its end.
async fn run(words: &Words, told: &Told, say: &mpsc::UnboundedSender<String>) -> Result<(), String> {
    let list = file_list(told).map_err(|error| format!("cannot write the list of files: {error}"))?;
    let mut command = Command::new(&words.0[0]);
    command.args(&words.0[1..]).envs(variables(told, &list)).kill_on_drop(false);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "cannot be run: there is no such program".to_owned(),
        _ => without_numbers(&format!("cannot be run: {error}")).into_owned(),
    })?;
    let name = escape(&words.0[0]).into_owned();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (_, _, ended) = tokio::join!(pass_on(&name, out, say), pass_on(&name, err, say), child.wait());
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Longer lines of hooks are cut.
const LONGEST_LINE: usize = 1000;

async fn pass_on(name: &str, stream: Option<impl AsyncRead + Unpin>, say: &mpsc::UnboundedSender<String>) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        let _ = say.send(format!("{name}: {}", clip(&escape(line.trim_end()), LONGEST_LINE)));
    }
}

/// The list of files, as a JSON file that goes with the hook.
fn file_list(told: &Told) -> std::io::Result<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let mut file = tempfile::Builder::new().prefix("rtorrent-cli-files-").suffix(".json").tempfile()?;
    file.write_all(Value::from(told.files.clone()).to_string().as_bytes())?;
    file.flush()?;
    Ok(file)
}

fn variables(told: &Told, list: &tempfile::NamedTempFile) -> Vec<(&'static str, OsString)> {
    // A name with a NUL can be nobody's variable.
    let text = |text: &str| OsString::from(text.replace('\0', ""));
    vec![
        ("RTORRENT_HOOK_NAME", text(&told.name)),
        ("RTORRENT_HOOK_DIR", std::path::absolute(&told.dir).unwrap_or_else(|_| told.dir.clone()).into()),
        ("RTORRENT_HOOK_PATH", told.path.clone().unwrap_or_default().into()),
        ("RTORRENT_HOOK_INFOHASH", text(&told.info_hash)),
        ("RTORRENT_HOOK_STATUS", text(told.status)),
        ("RTORRENT_HOOK_CODE", told.code.to_string().into()),
        ("RTORRENT_HOOK_FILES", list.path().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does_and_nothing_is_expanded() {
        let words = |text: &str| text.parse::<Words>().map(|words| words.0);
        assert_eq!(
            words("notify-send 'it is here' a\\ b \"$HOME\"").unwrap(),
            ["notify-send", "it is here", "a b", "$HOME"]
        );
        for wrong in ["", "  ", "''", "a 'b"] {
            assert!(words(wrong).is_err(), "{wrong:?}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_hook_hears_of_its_item_by_the_environment_and_what_it_says_is_passed_on() {
        let script = r#"sh -c 'echo "$RTORRENT_HOOK_NAME|$RTORRENT_HOOK_STATUS|$RTORRENT_HOOK_CODE"; cat "$RTORRENT_HOOK_FILES"; exit 3'"#;
        let mut hooks = Hooks { error: Some(script.parse().unwrap()), ..Hooks::default() };
        hooks.fire(Occasion::Complete, || unreachable!("there is no such hook"));
        assert!(hooks.is_idle());
        let told = Told { name: "$(touch x); \x1b[2J".into(), status: "no-space", code: 9, ..Told::default() };
        hooks.fire(Occasion::Error, || told);
        let mut lines = Vec::new();
        while let Some(line) = hooks.next().await {
            lines.push(line);
        }
        assert_eq!(lines[0], "sh: $(touch x); \\u{1b}[2J|no-space|9");
        assert_eq!(lines[1], "sh: []");
        assert!(lines[2].starts_with("hook sh: exit status: 3"), "{lines:?}");
        assert!(hooks.is_idle());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_of() {
        let mut hooks = Hooks { metadata: Some("/no/such/program x".parse().unwrap()), ..Hooks::default() };
        hooks.fire(Occasion::Metadata, Told::default);
        let line = hooks.next().await.unwrap();
        assert_eq!(line, "hook /no/such/program: cannot be run: there is no such program");
        assert_eq!(hooks.next().await, None);
    }
}
