//! Work on the disk that is shown while it goes on.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::display::{Display, Sample};
use crate::engine::{ItemKey, Progress, Stage};
use crate::io::check::CheckWatch;

/// Does `work` on another thread while this one shows how far it is.
pub fn watched<T: Send>(
    name: &str,
    stage: Stage,
    display: &mut Display,
    work: impl FnOnce(&CheckWatch) -> T + Send,
) -> T {
    let watch = CheckWatch::default();
    std::thread::scope(|scope| {
        let (over, until_over) = channel::<()>();
        let working = scope.spawn(|| {
            let _over = over;
            work(&watch)
        });
        let mut last: Option<(Instant, u64)> = None;
        loop {
            let now = Instant::now();
            let (done, total) = (watch.done.load(Relaxed), watch.total.load(Relaxed));
            let rate = last.map_or(0, |(at, before)| {
                ((done - before) as f64 / now.duration_since(at).as_secs_f64().max(0.001)) as u64
            });
            last = Some((now, done));
            let progress = Progress { stage, checked: Some((done, total)), down_rate: rate, ..Progress::default() };
            let _ = display.tick(now, vec![Sample { key: ItemKey(1), name: name.to_owned(), progress }], 0, 0);
            let pause = display.pause(now).unwrap_or(Duration::MAX);
            match until_over.recv_timeout(pause.min(Duration::from_secs(3600))) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => break,
            }
        }
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
