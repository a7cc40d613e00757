//! A web server as a source of one torrent (BEP 19 GetRight, BEP 17 Hoffman).
//!
//! To the torrent the task looks like a session: it takes leases, hands filled runs up, and says that it is choked while
//! the server wants to be left alone. One request at a time on a connection that persists; bytes go from the body
//! straight into the leased buffers. What the server says no to, for now or for good, decides how long it rests.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::http::{HttpClient, HttpError, Opened, Reach, status_line};
use super::limiter_task::{Throttle, Word, next_word};
use super::peer_task::PeerReport;
use crate::base::id::InfoHashV1;
use crate::base::layout::Layout;
use crate::base::rate::RateMeter;
use crate::proto::session::{CloseReason, Direction, Grant, PeerCommand, PeerEvent, QuotaWord, Tally};
use crate::proto::web_seed::{Cut, Span, WebQueue};
use crate::swarm::PeerKey;

/// Bytes of leases that it holds: some seconds' worth, within these.
const LEAST_WINDOW: u64 = 4 << 20;
const MOST_WINDOW: u64 = 16 << 20;
const WINDOW_SECONDS: u64 = 4;

/// Under a limit: seconds' worth of its share that it holds and asks for at a time, and the least of that.
const LIMITED_SECONDS: u64 = 8;
const LEAST_LIMITED: u64 = 64 << 10;
/// What leave is asked for ahead of the bytes that come.
const AHEAD: i64 = 16 << 10;

/// How long a server may be silent, before its answer and within it.
const SILENCE: Duration = Duration::from_secs(30);
/// Rests after trouble that may pass: the first, and the longest. Each is twice as long as the one before.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);
/// What a server may ask for with Retry-After.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);
/// A rest up to this long is no reason to let others have what it holds.
const NAP: Duration = Duration::from_secs(2);
/// Troubles in a row after which the server is given up.
const PATIENCE: u32 = 12;
/// Bytes of an answer without Range support that are read and thrown away to get to those that are wanted.
const SKIPPED: u64 = 1 << 20;

/// What kind of server it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WebSeed {
    /// BEP 19: the files stand below the URL; for a torrent of one file that does not end in `/`, at the URL.
    Files(String),
    /// BEP 17: a script that is asked for pieces.
    Pieces(String),
}

/// One web seed of one torrent.
pub struct WebSeedTask {
    pub peer: PeerKey,
    pub seed: WebSeed,
    pub reach: Reach,
    pub http: HttpClient,
    pub layout: Arc<Layout>,
    /// Where each file stands below the URL, percent-encoded.
    pub paths: Arc<[String]>,
    /// A torrent of one file and no folder.
    pub single_file: bool,
    pub info_hash: InfoHashV1,
    pub commands: mpsc::Receiver<PeerCommand>,
    pub reports: mpsc::Sender<PeerReport>,
    /// `None` if the run has no limits.
    pub throttle: Option<Throttle>,
}

/// The task's own state, beside what it was given.
struct Work {
    task: WebSeedTask,
    queue: WebQueue,
    meter: RateMeter,
    tally: Tally,
    /// Bytes that may come before leave is asked for again; below zero, that came before it was had.
    credit: i64,
    /// Bytes a second to be expected under a limit.
    share: Option<u64>,
    told_tally: Option<Instant>,
    /// The torrent knows how much we could take, and has not answered yet.
    told_hunger: bool,
    /// Where the file that was asked for last was found in the end.
    found: Option<(usize, String)>,
    troubles: u32,
}

/// Why a request brought less than it should.
#[derive(Debug)]
enum Trouble {
    /// May pass: the connection, or a server that is busy.
    Passing { why: String, wish: Option<Duration> },
    /// The server does not have this file.
    Missing { file: usize, why: String },
    /// The server is of no use.
    Useless(String),
    /// The torrent wants no more of it, or is gone.
    Closed,
}

impl WebSeedTask {
    /// Runs until the torrent has had enough of the server or the other way round; the last event is
    /// [`PeerEvent::Closed`].
    pub async fn run(self) {
        let cut = if let WebSeed::Files(_) = self.seed { Cut::File } else { Cut::Piece };
        let mut work = Work {
            queue: WebQueue::new(self.layout.clone(), cut),
            task: self,
            meter: RateMeter::new(),
            tally: Tally::default(),
            credit: 0,
            share: None,
            told_tally: None,
            told_hunger: false,
            found: None,
            troubles: 0,
        };
        let reason = work.exchange().await;
        if let (Some(throttle), 1..) = (&work.task.throttle, work.credit) {
            throttle.say(QuotaWord::Adjust(Direction::Down, work.credit));
        }
        let mut events: Vec<_> = work.queue.take_all().into_iter().map(PeerEvent::Returned).collect();
        events.push(PeerEvent::Tally(work.tally));
        events.push(PeerEvent::Closed(reason));
        work.report(events).await;
    }
}

impl Work {
    async fn exchange(&mut self) -> CloseReason {
        loop {
            if !self.have_leave().await {
                return CloseReason::Ours;
            }
            self.tell_hunger().await;
            let mut filled = Vec::new();
            let span = self.queue.next(&mut filled);
            self.report(filled.into_iter().map(PeerEvent::Filled).collect()).await;
            let Some(span) = span else {
                let command = self.task.commands.recv().await;
                if !self.obey(command).await {
                    return CloseReason::Ours;
                }
                continue;
            };
            let end = match self.fetch(span).await {
                Ok(()) => {
                    self.troubles = 0;
                    continue;
                }
                Err(trouble) => self.on_trouble(trouble).await,
            };
            if let Some(reason) = end {
                return reason;
            }
        }
    }

    /// One request, from its URL to the last byte that is wanted.
    async fn fetch(&mut self, span: Span) -> Result<(), Trouble> {
        let file = self.file_at(span.start);
        let mut answer = self.open(span, file).await?;
        let mut skip = self.judge(&mut answer, span, file).await?;
        self.found = Some((file, answer.url.clone()));
        while self.queue.remaining() > 0 && !self.queue.is_pointless() {
            let chunk = tokio::select! {
                chunk = timeout(SILENCE, answer.chunk()) => chunk,
                command = self.task.commands.recv() => match self.obey(command).await {
                    true => continue,
                    false => return Err(Trouble::Closed),
                },
            };
            let chunk = match chunk {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Err(passing("the answer ends too soon")),
                Ok(Err(error)) => return Err(passing(&error.to_string())),
                Err(_) => return Err(passing("it stopped sending")),
            };
            let bytes = chunk.as_ref();
            let skipped = bytes.len().min(skip as usize);
            skip -= skipped as u64;
            // Under a limit a little at a time: one chunk may be worth a second of it.
            let most = if self.share.is_some() { AHEAD as usize } else { usize::MAX };
            for part in bytes[skipped..].chunks(most) {
                self.on_bytes(part).await;
                if !self.have_leave().await {
                    return Err(Trouble::Closed);
                }
            }
        }
        if self.queue.remaining() == 0 {
            // Heard to its end, the connection can be used again.
            let _ = timeout(Duration::from_millis(100), answer.chunk()).await;
        }
        Ok(())
    }

    async fn open(&mut self, span: Span, file: usize) -> Result<Opened, Trouble> {
        let (url, known, range) = match &self.task.seed {
            WebSeed::Files(base) => {
                let from = span.start - self.task.layout.files()[file].offset;
                let known = self.found.as_ref().filter(|(found, _)| *found == file).map(|(_, url)| url.clone());
                (self.url_of(base, file), known, Some((from, from + span.len)))
            }
            WebSeed::Pieces(base) => (self.piece_url(base, span), None, None),
        };
        let (http, reach) = (self.task.http.clone(), self.task.reach);
        let open = async move { timeout(SILENCE, http.open(&url, known.as_deref(), range, reach)).await };
        tokio::pin!(open);
        loop {
            tokio::select! {
                answer = &mut open => return match answer {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(error @ (HttpError::BadUrl(_) | HttpError::Redirects(_)))) => {
                        Err(Trouble::Useless(error.to_string()))
                    }
                    Ok(Err(error)) => Err(passing(&error.to_string())),
                    Err(_) => Err(passing("no answer")),
                },
                command = self.task.commands.recv() => if !self.obey(command).await {
                    return Err(Trouble::Closed);
                },
            }
        }
    }

    /// Is it what was asked for? How many bytes stand before it in the body.
    async fn judge(&mut self, answer: &mut Opened, span: Span, file: usize) -> Result<u64, Trouble> {
        let says = |status| format!("the server says {}", status_line(status));
        let span_of_file = self.task.layout.files()[file];
        let from = span.start - span_of_file.offset;
        match answer.status {
            200 | 206 if answer.packed => Err(Trouble::Useless("the server packs what has to come as it is".into())),
            206 => match answer.part {
                Some((_, Some(length))) if length != span_of_file.length => {
                    let why = format!("the file there has {length} bytes, not {}", span_of_file.length);
                    Err(Trouble::Missing { file, why })
                }
                Some((start, _)) if start == from => Ok(0),
                _ => Err(Trouble::Useless("the server sends other parts of files than it is asked for".into())),
            },
            200 if self.task.seed.has_pieces() => Ok(0),
            // The whole file: good enough near its beginning.
            200 if from <= SKIPPED => Ok(from),
            200 => Err(Trouble::Useless("the server sends whole files only".into())),
            status @ (408 | 425 | 429 | 500..=599) => {
                let mut wish = answer.retry_after.as_deref().and_then(|text| wish(text, SystemTime::now()));
                if wish.is_none() && status == 503 && self.task.seed.has_pieces() {
                    // BEP 17: the body is the number of seconds.
                    let body = timeout(SILENCE, answer.chunk()).await.ok().and_then(Result::ok).flatten();
                    let seconds = body.and_then(|body| std::str::from_utf8(body.as_ref()).ok()?.trim().parse().ok());
                    wish = seconds.map(Duration::from_secs);
                }
                Err(Trouble::Passing { why: says(status), wish: wish.map(|wish| wish.min(LONGEST_WISH)) })
            }
            // Where a redirect led may hold no longer.
            _ if self.found.take().is_some() => Err(passing(&says(answer.status))),
            status => Err(Trouble::Missing { file, why: says(status) }),
        }
    }

    async fn on_bytes(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let (mut filled, wasted) = (Vec::new(), self.queue.wasted());
        let taken = self.queue.remaining().min(bytes.len() as u64);
        self.queue.on_bytes(bytes, &mut filled);
        let wasted = self.queue.wasted() - wasted;
        self.credit -= taken as i64;
        self.tally.wasted += wasted;
        self.tally.down += taken - wasted;
        self.meter.push(now, taken);
        let mut events: Vec<_> = filled.into_iter().map(PeerEvent::Filled).collect();
        if self.told_tally.is_none_or(|told| told + Duration::from_secs(1) <= now) {
            self.told_tally = Some(now);
            events.push(PeerEvent::Tally(self.tally));
        }
        self.report(events).await;
        self.tell_hunger().await;
    }

    /// Carries a command out; false if it is the last, or the torrent is gone.
    async fn obey(&mut self, command: Option<PeerCommand>) -> bool {
        let Some(command) = command else { return false };
        match command {
            PeerCommand::Lease(runs) => {
                runs.into_iter().for_each(|run| self.queue.push(run));
                self.told_hunger = false;
            }
            PeerCommand::Recall(ids) => {
                let back = self.queue.recall(&ids).into_iter().map(PeerEvent::Returned).collect();
                self.report(back).await;
                self.told_hunger = false;
            }
            PeerCommand::Close => return false,
            _ => {}
        }
        true
    }

    async fn tell_hunger(&mut self) {
        let rate = self.meter.rate(Instant::now());
        let window = match self.share {
            None => (rate * WINDOW_SECONDS).clamp(LEAST_WINDOW, MOST_WINDOW),
            Some(share) => share.saturating_mul(LIMITED_SECONDS).clamp(LEAST_LIMITED, LEAST_WINDOW),
        };
        let held = self.queue.bytes();
        if !self.told_hunger && held <= window / 2 {
            self.told_hunger = true;
            self.report(vec![PeerEvent::Hungry { bytes: (window - held) as u32, rate }]).await;
        }
    }

    /// Under a limit, waits until more may come, while it obeys; false if it is to end.
    ///
    /// What has come is paid for before more is read: the server is held back by its connection, and the length of its
    /// answers keeps it from having to wait long.
    async fn have_leave(&mut self) -> bool {
        let mut asked = false;
        while self.credit <= 0 {
            let Some(throttle) = self.task.throttle.as_ref().filter(|throttle| throttle.limited().0) else {
                (self.credit, self.share) = (0, None);
                self.queue.set_longest(u64::MAX);
                return true;
            };
            if !std::mem::replace(&mut asked, true) {
                throttle.say(QuotaWord::Wish(Direction::Down, (AHEAD - self.credit) as u64));
            }
            tokio::select! {
                word = next_word(&mut self.task.throttle) => match word {
                    Word::Grant(Grant { direction: Direction::Down, bytes, share }) => {
                        self.credit += bytes as i64;
                        self.share = Some(share);
                        self.queue.set_longest(share.saturating_mul(LIMITED_SECONDS).max(LEAST_LIMITED));
                    }
                    Word::Grant(_) => {}
                    Word::Changed => asked = false,
                },
                command = self.task.commands.recv() => if !self.obey(command).await {
                    return false;
                },
            }
        }
        true
    }

    /// Rests, or ends it.
    async fn on_trouble(&mut self, trouble: Trouble) -> Option<CloseReason> {
        let (why, wish) = match trouble {
            Trouble::Closed => return Some(CloseReason::Ours),
            Trouble::Useless(why) => return Some(CloseReason::Lost(why)),
            Trouble::Missing { file, why } => return self.do_without(file, why).await,
            Trouble::Passing { why, wish } => (why, wish),
        };
        self.found = None;
        self.troubles += 1;
        if self.troubles >= PATIENCE {
            return Some(CloseReason::Lost(why));
        }
        let rest = wish.unwrap_or((FIRST_REST * (1 << (self.troubles - 1).min(10))).min(LONGEST_REST));
        tracing::debug!(peer = ?self.task.peer, ?rest, %why, "a web seed rests");
        if rest <= NAP {
            return self.sleep(rest).await;
        }
        // Others are to have what it held meanwhile.
        let mut events = vec![PeerEvent::Choked];
        events.extend(self.queue.take_all().into_iter().map(PeerEvent::Returned));
        self.report(events).await;
        let end = self.sleep(rest).await;
        self.told_hunger = false;
        self.report(vec![PeerEvent::Unchoked]).await;
        end
    }

    async fn sleep(&mut self, rest: Duration) -> Option<CloseReason> {
        let until = tokio::time::Instant::now() + rest;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return None,
                command = self.task.commands.recv() => if !self.obey(command).await {
                    return Some(CloseReason::Ours);
                },
            }
        }
    }

    /// The server lacks a file: nothing that lies in it is asked of it any more.
    async fn do_without(&mut self, file: usize, why: String) -> Option<CloseReason> {
        let pieces = self.task.layout.pieces_of(file);
        if self.task.seed.has_pieces() || pieces.len() as u32 >= self.task.layout.pieces() {
            return Some(CloseReason::Lost(why));
        }
        self.troubles += 1;
        if self.troubles >= PATIENCE {
            return Some(CloseReason::Lost(why));
        }
        // Choked for a moment, so that what comes back does not count as refused.
        let mut events = vec![PeerEvent::Choked];
        events.extend(self.queue.take_all().into_iter().map(PeerEvent::Returned));
        events.extend(pieces.map(PeerEvent::DontHave));
        events.push(PeerEvent::Unchoked);
        self.report(events).await;
        self.told_hunger = false;
        None
    }

    async fn report(&self, events: Vec<PeerEvent>) {
        if !events.is_empty() {
            // The torrent never waits for us, so waiting for it is back-pressure and no deadlock.
            let _ = self.task.reports.send(PeerReport { peer: self.task.peer, events }).await;
        }
    }

    fn file_at(&self, at: u64) -> usize {
        self.task.layout.file_at(at)
    }

    fn url_of(&self, base: &str, file: usize) -> String {
        match (base.ends_with('/'), self.task.single_file) {
            (false, true) => base.to_owned(),
            (true, _) => format!("{base}{}", self.task.paths[file]),
            (false, false) => format!("{base}/{}", self.task.paths[file]),
        }
    }

    fn piece_url(&self, base: &str, span: Span) -> String {
        let piece = self.task.layout.piece_at(span.start);
        let from = span.start - self.task.layout.piece_offset(piece);
        let sign = if base.contains('?') { '&' } else { '?' };
        let hash: String = self.task.info_hash.0.iter().map(|byte| format!("%{byte:02X}")).collect();
        format!("{base}{sign}info_hash={hash}&piece={piece}&ranges={from}-{}", from + span.len - 1)
    }
}

impl WebSeed {
    fn has_pieces(&self) -> bool {
        matches!(self, WebSeed::Pieces(_))
    }

    /// The host, for messages: the rest of a URL may hold a key.
    pub fn name(&self) -> String {
        let (WebSeed::Files(url) | WebSeed::Pieces(url)) = self;
        let rest = url.split_once("://").map_or(&url[..], |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        host.rsplit('@').next().unwrap_or_default().to_owned()
    }
}

fn passing(why: &str) -> Trouble {
    Trouble::Passing { why: why.to_owned(), wish: None }
}

/// Retry-After: seconds, or a date (RFC 9110, 10.2.3).
fn wish(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(date(text)?);
    Some(date.duration_since(now).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970 (RFC 9110, 5.6.7).
fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n < 10_000);
    let (day, year) = (number(day)?, number(year).filter(|year| *year >= 1970)?);
    // Days from the first of March of the year 0, leap days at the end of each year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day.checked_sub(1)? - 719_468;
    Some(days * 86_400 + number(hour)? * 3_600 + number(minute)? * 60 + number(second)?)
}

#[cfg(test)]
mod tests;
