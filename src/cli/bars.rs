//! The live display of a terminal: one line an item, redrawn in place, as wide as the terminal.
//!
//! The whole frame is the message of one progress bar, so that it is drawn at once and never flickers; what is settled
//! is printed above it. The cursor is never hidden, so that every way out leaves it as it was.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint::Screen;
use super::size_time::{short_size, size, size_within, time};
use super::status::{counted, percent, stage_text};
use super::strip::{Stretch, bar, strip};
use super::text::{clip, count, fit, pad, width};
use crate::engine::{Progress, Stage};

/// Frames a second, at most.
pub const FRAMES: u64 = 10;

/// One item as it is drawn.
#[derive(Debug)]
pub struct Row {
    /// Fit to print already.
    pub name: String,
    pub progress: Progress,
    pub eta: Option<Duration>,
}

/// The frame on the terminal.
#[derive(Debug, Clone)]
pub struct Bars {
    frame: ProgressBar,
    screen: Screen,
}

impl Bars {
    pub fn new(screen: Screen) -> Self {
        // The caller keeps the pace; a limit at the same rate would swallow every other frame.
        let target = ProgressDrawTarget::stderr_with_hz(4 * FRAMES as u8);
        let style = ProgressStyle::with_template("{msg}").expect("a template without errors");
        Bars { frame: ProgressBar::with_draw_target(None, target).with_style(style), screen }
    }

    /// Draws the items that are under way; `waiting` and `over` are counted in the last line of a batch.
    pub fn draw(&self, rows: &[Row], waiting: usize, over: usize) {
        let (columns, lines) = self.screen.size();
        self.frame.set_message(frame(rows, waiting, over, columns, lines, self.screen));
        // At the start of the line an echoed ^C does not push the frame up by a line, where it would stay.
        let _ = std::io::stderr().write_all(b"\r");
    }

    /// Runs `print` with the frame out of the way.
    pub fn above(&self, print: impl FnOnce()) {
        self.frame.suspend(print);
    }

    /// Takes the frame off the terminal.
    pub fn clear(&self) {
        self.frame.finish_and_clear();
        let _ = std::io::stderr().flush();
    }
}

/// All lines of a frame; at most `lines - 1` of them, each at most `columns - 1` wide.
fn frame(rows: &[Row], waiting: usize, over: usize, columns: usize, lines: usize, screen: Screen) -> String {
    // A line that fills the last column wraps on some terminals.
    let columns = columns.saturating_sub(1);
    let room = lines.saturating_sub(2).max(1);
    let batch = rows.len() + waiting + over > 1;
    let shown = if rows.len() > room { room - 1 } else { rows.len() };
    let mut out: Vec<String> = rows[..shown].iter().map(|row| line(row, columns, screen)).collect();
    if batch {
        out.push(screen.dim(&clip(&total_line(rows, shown, waiting, over), columns)));
    }
    out.join("\n")
}

/// `3 under way (1 not shown), 12 waiting, 5 over  ↓ 12.3M/s ↑ 100K/s`.
fn total_line(rows: &[Row], shown: usize, waiting: usize, over: usize) -> String {
    let down: u64 = rows.iter().map(|row| row.progress.down_rate).sum();
    let up: u64 = rows.iter().map(|row| row.progress.up_rate).sum();
    let hidden = rows.len() - shown;
    let mut text = format!("{} under way", rows.len());
    if hidden > 0 {
        text += &format!(" ({hidden} not shown)");
    }
    for (number, word) in [(waiting, "waiting"), (over, "over")] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    text + &format!(", down {}/s, up {}/s", short_size(down), short_size(up))
}

/// One item in at most `columns`.
pub fn line(row: &Row, columns: usize, screen: Screen) -> String {
    let progress = &row.progress;
    match counted(progress) {
        Some((done, all)) if done > 0 || progress.swarm.connected > 0 || progress.stage != Stage::Downloading => {
            measured(row, done, all, columns, screen)
        }
        _ if progress.stage == Stage::Seeding => worded(&row.name, &seeding_text(progress), columns),
        _ => worded(&row.name, &stage_text(progress), columns),
    }
}

/// `seeding, up 1.2 MiB/s, 3 peers, sent 1.2 GiB, ratio 0.27`.
pub fn seeding_text(progress: &Progress) -> String {
    let swarm = &progress.swarm;
    let ratio = swarm.uploaded as f64 / swarm.have_bytes.max(1) as f64;
    format!(
        "seeding, up {}/s, {}, sent {}, ratio {ratio:.2}",
        size(progress.up_rate),
        count(swarm.connected.into(), "peer"),
        size(swarm.uploaded),
    )
}

/// Name and words.
fn worded(name: &str, words: &str, columns: usize) -> String {
    let name_columns = width(name).min((columns * 2 / 5).max(columns.saturating_sub(width(words) + 2)));
    let name = fit(name, name_columns);
    clip(&format!("{name}  {words}"), columns).into_owned()
}

/// The least columns that a name and a strip are worth drawing in.
const LEAST_NAME: usize = 10;
const LEAST_STRIP: usize = 8;

/// Name, strip, per cent, sizes, rates, peers and time left; the less important go first where there is no room.
fn measured(row: &Row, done: u64, all: u64, columns: usize, screen: Screen) -> String {
    let progress = &row.progress;
    let arrows = if screen.unicode { ["↓", "↑"] } else { ["d ", "u "] };
    let moving = progress.stage == Stage::Downloading;
    let tail = match progress.stage {
        Stage::Downloading => pad(&row.eta.map(time).unwrap_or_else(|| "--".into()), 6),
        stage => super::status::stage_word(stage).to_owned(),
    };
    // Fields from left to right: text, fixed width, rank (the highest is left out first).
    let peers = progress.swarm.connected;
    let peers = if columns > 110 { count(peers.into(), "peer") } else { format!("{peers}p") };
    let peers_columns = if columns > 110 { 9 } else { 4 };
    let mut fields = vec![
        (format!("{:>3}%", percent(done, all)), 4, 0),
        (pad(&size_within(done, all), 13), 13, 3),
        (pad(&format!("{}{}/s", arrows[0], short_size(progress.down_rate)), 8), 8, 1),
        (pad(&format!("{}{}/s", arrows[1], short_size(progress.up_rate)), 8), 8, 5),
        (pad(&peers, peers_columns), peers_columns, 4),
        (tail.clone(), width(&tail), 2),
    ];
    if !moving {
        fields.retain(|(_, _, rank)| matches!(rank, 0 | 2 | 3));
    }
    let taken = |fields: &[(String, usize, u32)]| fields.iter().map(|(_, width, _)| width + 1).sum::<usize>();
    while taken(&fields) + LEAST_NAME > columns && fields.len() > 1 {
        let last = fields.iter().enumerate().max_by_key(|(_, field)| field.2).map_or(0, |(at, _)| at);
        fields.remove(last);
    }
    let room = columns.saturating_sub(taken(&fields));
    let wants_strip = room >= LEAST_NAME + LEAST_STRIP + 3;
    let name_columns = match wants_strip {
        true => width(&row.name).min(room - LEAST_STRIP - 3).min((room * 3 / 5).max(LEAST_NAME)),
        false => room,
    };
    let mut out = pad(&row.name, name_columns);
    if wants_strip {
        let cells = room - name_columns - 3;
        let drawn: String = match progress.stage {
            Stage::Checking | Stage::Hashing => screen.good(&bar(done, all, cells, screen.unicode)),
            _ if progress.swarm.pieces == 0 => screen.good(&bar(done, all, cells, screen.unicode)),
            _ => {
                let stretches =
                    strip(&progress.pieces, &progress.under_way, progress.swarm.pieces, cells, screen.unicode);
                let paint = |Stretch { cells, moving }: &Stretch| match moving {
                    true => screen.warn(cells),
                    false => screen.good(cells),
                };
                stretches.iter().map(paint).collect()
            }
        };
        out += &format!(" [{drawn}]");
    }
    for (text, _, _) in &fields {
        out.push(' ');
        out += text;
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::action::Snapshot;
    use std::sync::Arc;

    fn row(name: &str) -> Row {
        let swarm = Snapshot {
            wanted_bytes: 4_831_838_208,
            done_bytes: 1_288_490_188,
            pieces: 64,
            pieces_done: 17,
            connected: 23,
            ..Snapshot::default()
        };
        let progress = Progress {
            stage: Stage::Downloading,
            swarm,
            down_rate: 12_900_000,
            up_rate: 102_400,
            pieces: Arc::from([0x1_ffffu64]),
            ..Progress::default()
        };
        Row { name: name.into(), progress, eta: Some(Duration::from_secs(272)) }
    }

    #[test]
    fn a_line_at_three_widths() {
        let row = row("debian-12.5.0-amd64-netinst.iso");
        let at = |columns: usize| line(&row, columns - 1, Screen::plain());
        assert_eq!(at(40), "debian-12.5.…t.iso  26% ↓12.3M/s 4m32s");
        assert_eq!(at(80), "debian-12.5.…t.iso [██▒······]  26% 1.2/4.5 GiB   ↓12.3M/s ↑100K/s  23p  4m32s");
        assert_eq!(
            at(200),
            format!(
                "debian-12.5.0-amd64-netinst.iso [{}{}]  26% 1.2/4.5 GiB   ↓12.3M/s ↑100K/s  23 peers  4m32s",
                "█".repeat(30),
                "·".repeat(81)
            )
        );
    }

    #[test]
    fn no_width_is_exceeded_whatever_the_name() {
        for name in ["a", "映画のタイトルがとても長い上に続きがある.mkv", &"x".repeat(300), "שלום עולם"]
        {
            for columns in 0..220 {
                for stage in [Stage::Downloading, Stage::Checking, Stage::Resolving, Stage::Seeding, Stage::Finishing] {
                    let mut row = row(name);
                    row.progress.stage = stage;
                    row.progress.checked = Some((1 << 20, 1 << 30));
                    let drawn = line(&row, columns, Screen::plain());
                    assert!(columns < 6 || width(&drawn) <= columns, "{columns}: {drawn}");
                }
            }
        }
    }

    #[test]
    fn fifty_items_never_scroll_a_small_terminal() {
        let rows: Vec<Row> = (0..50).map(|n| row(&format!("item {n}"))).collect();
        let drawn = frame(&rows, 7, 3, 80, 24, Screen::plain());
        assert_eq!(drawn.lines().count(), 22);
        let last = drawn.lines().last().unwrap();
        assert_eq!(last, "50 under way (29 not shown), 7 waiting, 3 over, down 615M/s, up 4.9M/s");
        assert_eq!(frame(&rows[..1], 0, 0, 80, 24, Screen::plain()).lines().count(), 1);
    }

    #[test]
    fn before_there_is_anything_to_count_the_stage_stands_in_words() {
        let mut row = row("linux");
        row.progress = Progress { stage: Stage::Resolving, trackers: (0, 8), dht_nodes: 143, ..Progress::default() };
        assert_eq!(line(&row, 79, Screen::plain()), "linux  resolving: 8 trackers, 143 DHT nodes, no peers yet");
        assert_eq!(line(&row, 39, Screen::plain()), "linux  resolving: 8 trackers, 143 DHT …");
    }
}
