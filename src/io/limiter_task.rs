//! The limits of the run at work: one task owns a limiter for each direction and grants payload to peers and web seeds.
//!
//! Who moves payload has a [`Throttle`]. While a direction has no limit nothing is said of it; under one, wishes go to the
//! task and grants come back. The task sleeps while nobody waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use crate::base::limit::Limit;
use crate::proto::session::{Direction, Grant, QuotaWord};
use crate::swarm::limiter::{Allotment, ClientKey, Limiter};

/// The limits of both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    pub down: Limit,
    pub up: Limit,
}

/// The task, as those see it who set limits and hand out throttles.
#[derive(Clone, Debug)]
pub struct LimiterHandle {
    inbox: mpsc::UnboundedSender<Message>,
    limits: watch::Receiver<Limits>,
    set: Arc<watch::Sender<Limits>>,
}

/// What the limits are to one peer or web seed.
#[derive(Debug)]
pub struct Throttle {
    key: ClientKey,
    inbox: mpsc::UnboundedSender<Message>,
    grants: mpsc::UnboundedReceiver<Grant>,
    limits: watch::Receiver<Limits>,
}

/// What a throttle hears.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    Grant(Grant),
    /// The limits are others now: [`Throttle::limited`].
    Changed,
}

#[derive(Debug)]
enum Message {
    Here(ClientKey, mpsc::UnboundedSender<Grant>),
    Said(ClientKey, QuotaWord),
    Gone(ClientKey),
}

impl LimiterHandle {
    /// Starts the task; it ends with the last handle and throttle. Must be called within a tokio runtime.
    pub fn start(limits: Limits) -> LimiterHandle {
        let (inbox, messages) = mpsc::unbounded_channel();
        let (set, seen) = watch::channel(limits);
        let task = LimiterTask {
            messages,
            limits: seen.clone(),
            clients: HashMap::new(),
            down: Limiter::default(),
            up: Limiter::default(),
        };
        tokio::spawn(task.run());
        LimiterHandle { inbox, limits: seen, set: set.into() }
    }

    /// Changes the limits; who waits hears of it.
    pub fn set(&self, limits: Limits) {
        self.set.send_if_modified(|now| std::mem::replace(now, limits) != limits);
    }

    /// The limits as they are now.
    pub fn limits(&self) -> Limits {
        *self.limits.borrow()
    }

    /// To hear of changes.
    pub fn watch(&self) -> watch::Receiver<Limits> {
        self.limits.clone()
    }

    /// A throttle for one who moves payload of torrent `group`; `client` is never used again there.
    pub fn throttle(&self, group: u32, client: u64) -> Throttle {
        let (grant, grants) = mpsc::unbounded_channel();
        let key = ClientKey { group, client };
        // A task that is gone limits nothing any more: the run is over.
        let _ = self.inbox.send(Message::Here(key, grant));
        Throttle { key, inbox: self.inbox.clone(), grants, limits: self.limits.clone() }
    }
}

impl Throttle {
    /// Whether payload is limited now, down and up.
    pub fn limited(&self) -> (bool, bool) {
        let Limits { down, up } = *self.limits.borrow();
        (down.holds(), up.holds())
    }

    pub fn say(&self, word: QuotaWord) {
        let _ = self.inbox.send(Message::Said(self.key, word));
    }

    /// Waits for a word. Cancel-safe.
    pub async fn next(&mut self) -> Word {
        tokio::select! {
            Some(grant) = self.grants.recv() => Word::Grant(grant),
            Ok(()) = self.limits.changed() => Word::Changed,
            else => std::future::pending().await,
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        // What was granted on its way to us is not used.
        self.grants.close();
        while let Ok(Grant { direction, bytes, .. }) = self.grants.try_recv() {
            self.say(QuotaWord::Adjust(direction, bytes as i64));
        }
        let _ = self.inbox.send(Message::Gone(self.key));
    }
}

/// What a throttle hears next; waits for ever where there is none. Cancel-safe.
pub async fn next_word(throttle: &mut Option<Throttle>) -> Word {
    match throttle {
        Some(throttle) => throttle.next().await,
        None => std::future::pending().await,
    }
}

struct LimiterTask {
    messages: mpsc::UnboundedReceiver<Message>,
    limits: watch::Receiver<Limits>,
    clients: HashMap<ClientKey, mpsc::UnboundedSender<Grant>>,
    down: Limiter,
    up: Limiter,
}

impl LimiterTask {
    async fn run(mut self) {
        self.note_limits();
        loop {
            self.grant();
            let due = self.down.poll_timeout().into_iter().chain(self.up.poll_timeout()).min();
            tokio::select! {
                message = self.messages.recv() => {
                    let Some(message) = message else { return };
                    self.on_message(message);
                    while let Ok(message) = self.messages.try_recv() {
                        self.on_message(message);
                    }
                }
                Ok(()) = self.limits.changed() => self.note_limits(),
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
            }
        }
    }

    fn note_limits(&mut self) {
        let (now, Limits { down, up }) = (Instant::now(), *self.limits.borrow_and_update());
        self.down.set_limit(now, down);
        self.up.set_limit(now, up);
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Here(key, grants) => drop(self.clients.insert(key, grants)),
            Message::Said(key, QuotaWord::Wish(direction, bytes)) => self.limiter(direction).ask(key, bytes),
            Message::Said(_, QuotaWord::Adjust(direction, bytes)) => self.limiter(direction).adjust(bytes),
            Message::Gone(key) => {
                self.clients.remove(&key);
                self.down.forget(key);
                self.up.forget(key);
            }
        }
    }

    fn limiter(&mut self, direction: Direction) -> &mut Limiter {
        match direction {
            Direction::Down => &mut self.down,
            Direction::Up => &mut self.up,
        }
    }

    fn grant(&mut self) {
        let now = Instant::now();
        let LimiterTask { clients, down, up, .. } = self;
        for (direction, limiter) in [(Direction::Down, down), (Direction::Up, up)] {
            while let Some(Allotment { client, bytes, share }) = limiter.poll_grant(now) {
                let sent = clients.get(&client).map(|client| client.send(Grant { direction, bytes, share }));
                if !matches!(sent, Some(Ok(()))) {
                    limiter.adjust(bytes as i64);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for a few grants.
    async fn drain(throttle: &mut Throttle) {
        throttle.say(QuotaWord::Wish(Direction::Down, 1 << 40));
        for _ in 0..4 {
            assert!(matches!(throttle.next().await, Word::Grant(Grant { bytes: 16_384, .. })));
        }
    }

    #[tokio::test]
    async fn grants_come_at_the_rate_and_a_change_is_heard() {
        let limits = |rate| Limits { down: Limit::bytes(rate), up: Limit::Off };
        let limiter = LimiterHandle::start(limits(160_000));
        let (mut one, mut other) = (limiter.throttle(1, 1), limiter.throttle(2, 1));
        assert_eq!(one.limited(), (true, false));
        let start = Instant::now();
        tokio::join!(drain(&mut one), drain(&mut other));
        // The first of eight costs no time.
        assert!(start.elapsed().as_secs_f64() >= 7.0 * 16_384.0 / 160_000.0);
        limiter.set(Limits { down: Limit::Paused, up: Limit::Off });
        while !matches!(one.next().await, Word::Changed) {}
        limiter.set(limits(0));
        while !matches!(one.next().await, Word::Changed) {}
        assert_eq!(one.limited(), (false, false));
    }

    /// A task of which each step is taken by hand, under these limits.
    fn task(limits: Limits) -> LimiterTask {
        let (_, messages) = mpsc::unbounded_channel();
        let limits = watch::channel(limits).1;
        let (down, up) = (Limiter::default(), Limiter::default());
        let mut task = LimiterTask { messages, limits, clients: HashMap::new(), down, up };
        task.note_limits();
        task
    }

    #[test]
    fn each_direction_has_its_limit() {
        let mut task = task(Limits { down: Limit::Off, up: Limit::Paused });
        let (client, mut grants) = mpsc::unbounded_channel();
        let key = ClientKey { group: 1, client: 1 };
        task.on_message(Message::Here(key, client));
        task.on_message(Message::Said(key, QuotaWord::Wish(Direction::Up, 100)));
        task.on_message(Message::Said(key, QuotaWord::Wish(Direction::Down, 200)));
        task.grant();
        assert!(matches!(grants.try_recv(), Ok(Grant { direction: Direction::Down, bytes: 200, .. })));
        assert!(grants.try_recv().is_err());
    }

    #[test]
    fn a_grant_that_reaches_nobody_is_not_used_up() {
        // One grant in five hours.
        let mut task = task(Limits { down: Limit::bytes(1), up: Limit::Off });
        let [(gone, _), (left, mut grants)] = [mpsc::unbounded_channel(), mpsc::unbounded_channel()];
        for (client, sender) in [(1, gone), (2, left)] {
            let key = ClientKey { group: 1, client };
            task.on_message(Message::Here(key, sender));
            task.on_message(Message::Said(key, QuotaWord::Wish(Direction::Down, 16_384)));
        }
        task.grant();
        assert!(matches!(grants.try_recv(), Ok(Grant { bytes: 16_384, .. })));
    }

    #[tokio::test]
    async fn what_is_granted_to_the_gone_goes_to_others() {
        let limiter = LimiterHandle::start(Limits { down: Limit::bytes(1), up: Limit::Off });
        let (gone, mut left) = (limiter.throttle(1, 1), limiter.throttle(1, 2));
        gone.say(QuotaWord::Wish(Direction::Down, 1 << 40));
        left.say(QuotaWord::Wish(Direction::Down, 16_384));
        // The first grant would be the only one for hours.
        while gone.grants.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(gone);
        assert!(matches!(left.next().await, Word::Grant(Grant { bytes: 16_384, .. })));
    }
}
