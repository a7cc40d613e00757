//! The limits of a run: what the user set, and the clock that its schedule follows.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::base::limit::Limit;
use crate::base::schedule::Schedule;
use crate::io::limiter_task::{LimiterHandle, Limits, Throttle};
use crate::swarm::PeerKey;

/// What the user set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LimitSettings {
    pub down: Limit,
    pub up: Limit,
    /// Counts before the others where it says something.
    pub schedule: Option<Schedule>,
}

/// Peers of a torrent that are served at a time without a limit.
const SLOTS: u32 = 8;

/// A moment of the local day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct LocalTime {
    /// Minute of the day.
    minute: u16,
    /// Until the next one begins.
    rest: Duration,
}

/// The limiter of a run, with its clock.
#[derive(Debug)]
pub struct RunLimits {
    limiter: LimiterHandle,
    /// Stops with us.
    _clock: JoinSet<()>,
}

impl LimitSettings {
    /// True if anything is ever limited.
    pub fn any(&self) -> bool {
        self.down.holds() || self.up.holds() || self.schedule.is_some()
    }

    fn at(&self, minute: u16) -> Limits {
        let (down, up) = self.schedule.as_ref().map_or((None, None), |schedule| schedule.at(minute));
        Limits { down: down.unwrap_or(self.down), up: up.unwrap_or(self.up) }
    }
}

impl RunLimits {
    /// `None` if nothing is ever limited. Must be called within a tokio runtime.
    pub(super) fn start(settings: &LimitSettings) -> Option<RunLimits> {
        let limiter = settings.any().then(|| LimiterHandle::start(settings.at(local_time().minute)))?;
        let mut clock = JoinSet::new();
        if settings.schedule.is_some() {
            clock.spawn(follow(settings.clone(), limiter.clone(), local_time, tokio::time::sleep));
        }
        Some(RunLimits { limiter, _clock: clock })
    }

    /// To hear of changes.
    pub(super) fn watch(&self) -> watch::Receiver<Limits> {
        self.limiter.watch()
    }

    /// The limits as they are now.
    pub fn limits(&self) -> Limits {
        self.limiter.limits()
    }

    pub(super) fn throttle(&self, group: u32, peer: PeerKey) -> Throttle {
        self.limiter.throttle(group, peer.0)
    }
}

/// How many peers of a torrent are served at a time: under a small limit so few that each gets a block before it loses
/// patience, in a pause none.
pub(super) fn upload_slots(limit: Limit) -> u32 {
    /// Bytes a second that a peer is worth serving with.
    const LEAST_RATE: u64 = 2 << 10;
    match limit {
        Limit::Off => SLOTS,
        Limit::Rate(rate) => (rate.get() / LEAST_RATE).clamp(2, SLOTS.into()) as u32,
        Limit::Paused => 0,
    }
}

/// Sets the limits anew with every minute of the clock: so a clock that is set, a summer time that begins and a machine
/// that slept are noticed within one.
async fn follow(
    settings: LimitSettings,
    limiter: LimiterHandle,
    clock: impl Fn() -> LocalTime,
    wait: impl AsyncFn(Duration),
) {
    loop {
        let LocalTime { minute, rest } = clock();
        limiter.set(settings.at(minute));
        wait(rest).await;
    }
}

/// By the system's clock and time zone.
fn local_time() -> LocalTime {
    let now = jiff::Zoned::now();
    let minute = now.hour() as u16 * 60 + now.minute() as u16;
    let passed = Duration::new(now.second() as u64, now.subsec_nanosecond() as u32);
    // A leap second is as good as the next minute.
    LocalTime { minute, rest: Duration::from_secs(60).saturating_sub(passed).max(Duration::from_millis(1)) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_schedule_counts_before_the_limits_and_these_where_it_is_silent() {
        let settings = LimitSettings {
            down: Limit::bytes(5),
            up: Limit::bytes(6),
            schedule: Some("1:00-2:00=7,2:00-3:00=8/9,4:00-5:00=pause".parse().unwrap()),
        };
        let at = |hour: u16| settings.at(hour * 60);
        let rates = |down, up| Limits { down: Limit::bytes(down), up: Limit::bytes(up) };
        assert_eq!([at(0), at(1), at(2), at(3)], [rates(5, 6), rates(7, 6), rates(8, 9), rates(5, 6)]);
        assert_eq!(at(4), Limits { down: Limit::Paused, up: Limit::Paused });
        assert!(settings.any() && !LimitSettings::default().any());
    }

    #[test]
    fn a_small_limit_serves_few_at_a_time() {
        let slots = [1, 5_000, 10_000, 1 << 20].map(|rate| upload_slots(Limit::bytes(rate)));
        assert_eq!((slots, upload_slots(Limit::Off), upload_slots(Limit::Paused)), ([2, 2, 4, 8], 8, 0));
    }

    #[tokio::test]
    async fn the_limits_follow_the_clock() {
        let schedule = Some("22:00-07:00=0,*=2M".parse().unwrap());
        let settings = LimitSettings { schedule, ..LimitSettings::default() };
        let limiter = LimiterHandle::start(Limits::default());
        let mut seen = limiter.watch();
        // It is 21:58:30 when the run begins.
        let (passed, looks) = (Cell::new(0), Cell::new(0));
        let clock = || {
            looks.set(looks.get() + 1);
            let seconds = 21 * 3_600 + 58 * 60 + 30 + passed.get();
            let rest = Duration::from_secs(60 - seconds % 60);
            LocalTime { minute: (seconds / 60 % 1_440) as u16, rest }
        };
        let wait = async |time: Duration| {
            // The change is seen before the time passes.
            tokio::task::yield_now().await;
            passed.set(passed.get() + time.as_secs());
        };
        let changes = async {
            let mut changes = Vec::new();
            for _ in 0..3 {
                seen.changed().await.unwrap();
                changes.push((passed.get(), seen.borrow().down));
            }
            changes
        };
        let two = Limit::bytes(2 << 20);
        tokio::select! {
            biased;
            changes = changes => assert_eq!(changes, [(0, two), (90, Limit::Off), (90 + 9 * 3_600, two)]),
            () = follow(settings, limiter, clock, wait) => unreachable!("it follows for ever"),
        }
        assert!(looks.get() <= 9 * 60 + 5, "once a minute: {}", looks.get());
    }

    #[test]
    fn the_local_time_is_a_time_of_day() {
        let now = local_time();
        assert!(now.minute < 1_440 && now.rest <= Duration::from_secs(60));
    }
}
