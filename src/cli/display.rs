//! Where everything that is shown goes: results and JSON to standard output, all else to standard error.
//!
//! The display samples the items it is given; it never asks for a moment more often than it can be seen.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::{OutputArgs, ProgressStyle};
use super::bars::{self, Bars, Row};
use super::error::Problem;
use super::exit::Exit;
use super::json;
use super::paint::Screen;
use super::plain;
use super::status::Pace;
use super::text::escape;
use super::why::{Stillness, Why};
use crate::engine::{ItemKey, Progress, Stage};

/// Standard output can't be written: there is no use in going on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwritten {
    /// Whoever read it went away.
    ReaderGone,
    /// It is a file on a disk that is full.
    NoSpace,
    /// Anything else.
    Failed,
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Unwritten {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::BrokenPipe => Unwritten::ReaderGone,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Unwritten::NoSpace,
            _ => Unwritten::Failed,
        }
    }
}

impl From<Unwritten> for Exit {
    fn from(unwritten: Unwritten) -> Exit {
        match unwritten {
            Unwritten::ReaderGone => Exit::ReaderGone,
            Unwritten::NoSpace => Exit::NoSpace,
            Unwritten::Failed => Exit::FileIo,
        }
    }
}

/// The target of log lines that say what people have been told already.
pub const TOLD: &str = "rtorrent_cli::told";

/// The output of one run.
#[derive(Debug)]
pub struct Display {
    mode: Mode,
    screen: Screen,
    json: bool,
    quiet: bool,
    verbose: bool,
    watched: HashMap<ItemKey, Watched>,
    next_json: Option<Instant>,
    next_plain: Option<Instant>,
    /// Lines that wait until the terminal is free again.
    held_back: RefCell<Option<Vec<String>>>,
    /// Whether anything changed at the last look; a still picture is drawn less often.
    lively: bool,
}

#[derive(Debug)]
enum Mode {
    Bars(Bars),
    Plain,
    Silent,
}

/// What the display remembers of an item.
#[derive(Debug)]
struct Watched {
    stillness: Stillness,
    pace: Pace,
    done: u64,
    stage: Stage,
}

/// An item at a moment.
#[derive(Debug)]
pub struct Sample {
    pub key: ItemKey,
    /// As the source or the metadata calls it.
    pub name: String,
    pub progress: Progress,
}

/// How often `--json` gets a progress event of an item.
const JSON_EVERY: Duration = Duration::from_secs(1);
/// Between two frames of which nothing differs but a rate.
const STILL_FRAME: Duration = Duration::from_millis(500);

impl Display {
    pub fn new(output: &OutputArgs) -> Self {
        let screen = Screen::detect(output.color);
        let mode = match output.progress {
            _ if output.quiet => Mode::Silent,
            ProgressStyle::None => Mode::Silent,
            ProgressStyle::Auto | ProgressStyle::Bar if screen.terminal => Mode::Bars(Bars::new(screen)),
            _ => Mode::Plain,
        };
        Display {
            mode,
            screen,
            json: output.json,
            quiet: output.quiet,
            verbose: output.verbose > 0,
            watched: HashMap::new(),
            next_json: None,
            next_plain: None,
            held_back: RefCell::new(None),
            lively: true,
        }
    }

    /// How long the next sample may wait; `None` where nobody looks.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let frame = match self.mode {
            Mode::Bars(_) if self.lively => Some(Duration::from_millis(1000 / bars::FRAMES)),
            Mode::Bars(_) => Some(STILL_FRAME),
            Mode::Plain => Some(plain::LOOK),
            Mode::Silent => None,
        };
        let line = self.json.then(|| self.next_json.map_or(JSON_EVERY, |at| at.saturating_duration_since(now)));
        frame.into_iter().chain(line).min()
    }

    /// Shows the items that are under way; `waiting` have not begun and `over` have ended.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn tick(&mut self, now: Instant, samples: Vec<Sample>, waiting: usize, over: usize) -> Result<(), Unwritten> {
        let json_due = self.json && self.next_json.is_none_or(|at| at <= now);
        let plain_due = matches!(self.mode, Mode::Plain) && self.next_plain.is_none_or(|at| at <= now);
        let first_plain = self.next_plain.is_none();
        let mut rows = Vec::with_capacity(samples.len());
        self.lively = false;
        for sample in samples {
            let (key, row, still) = self.watch(now, sample);
            if json_due {
                self.json_line(&json::progress(key, &row.progress, row.eta))?;
            }
            if let Some(why) = still {
                self.json_line(&json::why(key, &why))?;
                self.note(&format!("{}: {}", row.name, why.text));
            }
            rows.push(row);
        }
        if json_due {
            self.next_json = Some(now + JSON_EVERY);
        }
        if plain_due {
            self.next_plain = Some(now + plain::EVERY);
        }
        match &self.mode {
            Mode::Bars(_) if self.held_back.borrow().is_some() => {}
            Mode::Bars(bars) => bars.draw(&rows, waiting, over),
            Mode::Plain if plain_due && !first_plain => rows.iter().for_each(|row| self.note(&plain::line(row))),
            Mode::Plain | Mode::Silent => {}
        }
        Ok(())
    }

    fn watch(&mut self, now: Instant, sample: Sample) -> (ItemKey, Row, Option<Why>) {
        let Sample { key, name, progress } = sample;
        self.lively |= !self.watched.contains_key(&key);
        let watched = self.watched.entry(key).or_insert_with(|| Watched {
            stillness: Stillness::new(now, &progress),
            pace: Pace::default(),
            done: 0,
            stage: Stage::Queued,
        });
        let swarm = &progress.swarm;
        let moved = swarm.downloaded + swarm.uploaded + progress.checked.map_or(0, |(done, _)| done);
        self.lively |= moved != watched.done || progress.stage != watched.stage;
        watched.done = moved;
        watched.stage = progress.stage;
        let left = swarm.wanted_bytes.saturating_sub(swarm.done_bytes);
        let eta = match progress.stage {
            Stage::Downloading => watched.pace.eta(now, progress.down_rate, left),
            _ => None,
        };
        let still = watched.stillness.look(now, &progress);
        (key, Row { name: escape(&name).into_owned(), progress, eta }, still)
    }

    /// An item entered another stage; `quietly` where only scripts want to know.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn stage(&mut self, sample: Sample, stage: Stage, quietly: bool) -> Result<(), Unwritten> {
        self.json_line(&json::stage(sample.key, stage))?;
        self.lively = true;
        // What ends an item is told by its result.
        if matches!(self.mode, Mode::Plain) && !quietly && !matches!(stage, Stage::Done | Stage::Failed) {
            let progress = Progress { stage, ..sample.progress };
            let row = Row { name: escape(&sample.name).into_owned(), progress, eta: None };
            self.note(&plain::line(&row));
        }
        Ok(())
    }

    /// Writes an event, under `--json`.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn json_line(&self, event: &Value) -> Result<(), Unwritten> {
        if self.json { self.result(&event.to_string()) } else { Ok(()) }
    }

    /// Writes an error event, under `--json`.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn json_problem(&self, key: Option<ItemKey>, source: Option<&str>, problem: &Problem) -> Result<(), Unwritten> {
        self.json_line(&json::error(key, source, problem.exit, &problem.to_string()))
    }

    /// Writes a result in words, where `--json` does not speak for it.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn result_line(&self, line: &str) -> Result<(), Unwritten> {
        if self.json { Ok(()) } else { self.result(line) }
    }

    fn result(&self, line: &str) -> Result<(), Unwritten> {
        let mut written = Ok(());
        self.above(|| written = print_result(line));
        written
    }

    /// A line for a person, above whatever moves.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.print(line);
        }
    }

    /// A line of good news.
    pub fn good(&self, word: &str, line: &str) {
        self.note(&format!("{}: {line}", self.screen.good(word)));
    }

    /// Something that a person may want to know and that ends nothing.
    pub fn warning(&self, line: &str) {
        self.note(&format!("{}: {line}", self.screen.warn("warning")));
    }

    /// An error, shown whatever else is silent.
    pub fn problem(&self, problem: &Problem) {
        if problem.exit == Exit::ReaderGone {
            return;
        }
        let lines = problem.lines(self.verbose);
        self.print(&format!("{}: {}", self.screen.bad("error"), lines.join("\n")));
    }

    /// Lets nothing be drawn while somebody else has the terminal; what is said meanwhile follows.
    pub fn hold_back(&self, hold: bool) {
        if hold {
            self.clear();
        }
        let lines = if hold { self.held_back.replace(Some(Vec::new())) } else { self.held_back.take() };
        lines.unwrap_or_default().iter().for_each(|line| self.print(line));
    }

    /// Whether a person watches on a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.mode, Mode::Bars(_))
    }

    /// How wide it is.
    pub fn columns(&self) -> usize {
        self.screen.size().0
    }

    /// Takes what moves off the terminal.
    pub fn clear(&self) {
        if let Mode::Bars(bars) = &self.mode {
            bars.clear();
        }
    }

    /// A writer for log lines that keeps clear of the bars.
    pub fn log_writer(&self) -> LogWriter {
        match &self.mode {
            Mode::Bars(bars) => LogWriter(Some(bars.clone())),
            _ => LogWriter(None),
        }
    }

    fn print(&self, line: &str) {
        if let Some(held_back) = &mut *self.held_back.borrow_mut() {
            held_back.push(line.to_owned());
            return;
        }
        tracing::info!(target: TOLD, "{line}");
        self.above(|| print_error(line.as_bytes()));
    }

    fn above(&self, print: impl FnOnce()) {
        match &self.mode {
            Mode::Bars(bars) => bars.above(print),
            _ => print(),
        }
    }
}

/// Writes log lines to standard error, above the bars where there are any.
#[derive(Clone, Debug)]
pub struct LogWriter(Option<Bars>);

impl std::io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        match &self.0 {
            Some(bars) => bars.above(|| print_error(line)),
            None => print_error(line),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One write a line, so that lines of several processes do not mix; a closed standard error is nobody's trouble.
fn print_error(line: &[u8]) {
    let _ = std::io::stderr().write_all(&[line, b"\n"].concat());
}

/// Writes a line to standard output at once.
///
/// # Errors
/// If nobody reads it or it cannot be written.
pub fn print_result(line: &str) -> Result<(), Unwritten> {
    write_result(format!("{line}\n").as_bytes())
}

/// Writes a text of the program's own to standard output; a reader that goes away early has seen what it wanted.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(text: &[u8]) -> Result<(), Unwritten> {
    match write_result(text) {
        Err(Unwritten::ReaderGone) => Ok(()),
        written => written,
    }
}

/// Writes to standard output at once.
///
/// # Errors
/// If nobody reads it or it cannot be written.
pub fn write_result(bytes: &[u8]) -> Result<(), Unwritten> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(bytes).and_then(|()| out.flush())?)
}
