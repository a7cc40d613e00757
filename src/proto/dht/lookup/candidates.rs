//! The nodes that a lookup has heard of, nearest first, and whose word they stand on.
//!
//! At most [`Candidates::MAX`] are kept, one a host and [`Candidates::MAX_PER_SUBNET`] a subnet (limits are for global
//! addresses only), and no more than half of them with ids that don't fit their addresses (BEP 42).

use std::net::SocketAddr;

use crate::proto::dht::node_id::{Contact, Distance, NodeId, Subnet, same_host};
use crate::proto::dht::table::K;

/// How far a lookup has come with one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Fresh,
    Asked,
    Slow,
    Answered,
    Lost,
}

/// What the number of nodes near the target says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Crowding {
    /// As many as are to be expected.
    None,
    /// More than usual, which chance does now and then.
    Doubtful,
    /// So many that somebody may have come to hide what the others know.
    Crowded,
}

/// Whether a node has been asked who its own neighbours are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Survey {
    Open,
    Asked,
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub contact: Contact,
    distance: Distance,
    pub state: State,
    /// Counts towards the end of the lookup (BEP 42).
    pub fits: bool,
    pub token: Option<Vec<u8>>,
    /// Answers between us and it, it included once it answers.
    pub hops: u32,
    /// The address of who named it, to know whose word it is.
    named_by: Option<SocketAddr>,
    survey: Survey,
}

#[derive(Debug)]
pub(super) struct Candidates {
    target: NodeId,
    /// Nearest first.
    list: Vec<Candidate>,
    /// Who has named nodes that did not answer, with how many more did not than did.
    debts: Vec<(SocketAddr, i32)>,
    /// The part of the key space round the target in which all count that fit, not only the nearest.
    reach: f64,
}

impl Candidates {
    pub const MAX: usize = 256;
    pub const MAX_PER_SUBNET: usize = 2;
    /// So many nodes that did not answer make who named them unbelievable.
    const MAX_DEBT: i32 = 4;
    /// No more count, however many crowd round the target.
    pub const MAX_WINDOW: usize = 8 * K;
    /// With so many within reach where K should stand the place is crowded.
    const CROWD: usize = 2 * K;
    /// With so many in half of the reach too (chance does that once in 300 times); with K there it is doubtful.
    const HALF_CROWD: usize = 11;
    /// In a crowded place the reach is so many times as long.
    const WIDER: f64 = 3.0;

    pub fn new(target: NodeId) -> Candidates {
        Candidates { target, list: Vec::new(), debts: Vec::new(), reach: 0.0 }
    }

    /// See [`Candidates::reach`].
    pub fn set_reach(&mut self, reach: f64) {
        self.reach = reach;
    }

    fn crowding(&self) -> Crowding {
        let live = |it: &&Candidate| it.fits && !matches!(it.state, State::Slow | State::Lost);
        let within = |share: f64| self.list.iter().filter(live).filter(|it| it.distance.share() <= share).count();
        let half = within(self.reach / 2.0);
        if half >= Self::HALF_CROWD || within(self.reach) >= Self::CROWD {
            Crowding::Crowded
        } else if half >= K {
            Crowding::Doubtful
        } else {
            Crowding::None
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.list.iter()
    }

    /// Those that have answered, nearest first.
    pub fn answered(&self) -> impl Iterator<Item = &Candidate> {
        self.list.iter().filter(|candidate| candidate.state == State::Answered)
    }

    pub fn at(&self, addr: SocketAddr) -> Option<&Candidate> {
        self.list.iter().find(|candidate| candidate.contact.addr == addr)
    }

    /// A node that was known before the lookup (`named_by` nobody) or that an answer named.
    pub fn add(&mut self, contact: Contact, hops: u32, named_by: Option<SocketAddr>) {
        let distance = self.target.distance(&contact.id);
        let place = self.list.partition_point(|other| other.distance < distance);
        if place >= Self::MAX {
            return;
        }
        let net = Subnet::of(contact.addr);
        let mut neighbours = 0;
        for other in &mut self.list {
            if same_host(other.contact.addr, contact.addr) || other.contact.id == contact.id {
                if other.contact == contact && other.named_by != named_by && other.state == State::Fresh {
                    other.named_by = None; // two name it: no single one's word
                }
                return;
            }
            if other.state != State::Lost && Subnet::of(other.contact.addr) == net {
                neighbours += 1;
            }
        }
        if neighbours >= Self::MAX_PER_SUBNET {
            return;
        }
        let fits = contact.id.fits(contact.addr.ip());
        let (state, survey) = (State::Fresh, Survey::Open);
        let candidate = Candidate { contact, distance, state, fits, token: None, hops, named_by, survey };
        self.list.insert(place, candidate);
        self.trim();
    }

    /// How many queries hold a slot.
    pub fn busy(&self) -> usize {
        self.window().into_iter().filter(|&at| self.list[at].state == State::Asked).count() + self.surveys()
    }

    /// How many have been asked for their neighbours and not answered yet.
    pub fn surveys(&self) -> usize {
        self.list.iter().filter(|candidate| candidate.survey == Survey::Asked).count()
    }

    /// The next one to ask for its own neighbours, if anybody: round the target all name the same eight nearest, and who
    /// came to hide something sees to it that these are theirs; round themselves each names others.
    pub fn survey_next(&mut self) -> Option<Contact> {
        let window = self.window();
        let open = |at: &&usize| self.list[**at].state == State::Answered && self.list[**at].survey == Survey::Open;
        let at = *self.to_survey(&window).iter().find(open)?;
        self.list[at].survey = Survey::Asked;
        Some(self.list[at].contact)
    }

    /// Nothing more is expected of the node at `addr` about its neighbours.
    pub fn end_survey(&mut self, addr: SocketAddr) {
        let asked = |it: &&mut Candidate| it.contact.addr == addr && it.survey == Survey::Asked;
        self.list.iter_mut().filter(asked).for_each(|candidate| candidate.survey = Survey::Done);
    }

    /// The next one to ask, which counts as asked from now on.
    pub fn ask_next(&mut self) -> Option<Contact> {
        let at = self.window().into_iter().find(|&at| self.list[at].state == State::Fresh)?;
        self.list[at].state = State::Asked;
        Some(self.list[at].contact)
    }

    /// Notes an answer; how many hops away its sender is, if it is one of these.
    pub fn settle(&mut self, from: Contact, token: Option<Vec<u8>>) -> Option<u32> {
        let at = self.list.iter().position(|candidate| candidate.contact.addr == from.addr)?;
        self.blame(from.addr, if self.list[at].state == State::Slow { -2 } else { -1 });
        let mut candidate = self.list.remove(at);
        candidate.state = State::Answered;
        candidate.token = token.or(candidate.token);
        if candidate.contact.id != from.id {
            // It goes by another name than we were told: its place is where its own id puts it.
            candidate.contact = from;
            candidate.distance = self.target.distance(&from.id);
            candidate.fits = from.id.fits(from.addr.ip());
        }
        let hops = candidate.hops;
        let place = self.list.partition_point(|other| other.distance < candidate.distance);
        self.list.insert(place, candidate);
        Some(hops)
    }

    /// Moves the node at `addr` from one state to another; false if it was not in that state.
    pub fn set(&mut self, addr: SocketAddr, from: State, to: State) -> bool {
        let mut changed = false;
        let there = |candidate: &&mut Candidate| candidate.contact.addr == addr && candidate.state == from;
        for candidate in self.list.iter_mut().filter(there) {
            candidate.state = to;
            changed = true;
        }
        changed
    }

    /// Charges (or with a negative sum clears) whoever named the node at `addr`.
    pub fn blame(&mut self, addr: SocketAddr, sum: i32) {
        let Some(by) = self.at(addr).and_then(|candidate| candidate.named_by) else { return };
        match self.debts.iter_mut().find(|(who, _)| *who == by) {
            Some((_, debt)) => *debt += sum,
            None => self.debts.push((by, sum)),
        }
    }

    /// Those of the window that are asked for their neighbours: in a crowded place all, in a doubtful one the nearest,
    /// whose neighbours show which it is.
    fn to_survey<'a>(&self, window: &'a [usize]) -> &'a [usize] {
        match self.crowding() {
            Crowding::None => &[],
            Crowding::Doubtful => &window[..window.len().min(K)],
            Crowding::Crowded => window,
        }
    }

    /// True once all that count have answered, K at least.
    pub fn is_settled(&self) -> bool {
        let window = self.window();
        let counted = window.iter().filter(|&&at| self.list[at].fits).count();
        let surveyed = |at: &usize| self.list[*at].survey == Survey::Done;
        counted >= K
            && window.iter().all(|&at| self.list[at].state == State::Answered)
            && self.to_survey(&window).iter().all(surveyed)
    }

    /// The nearest candidates that may still answer or have: K whose ids fit and all that fit within reach (a longer
    /// one in a crowded place), and at most K of the others between them. What unbelievable nodes named is left out as
    /// long as there is anything else to ask.
    fn window(&self) -> Vec<usize> {
        let believed = self.window_of(|candidate| !self.is_doubted(candidate));
        let open = believed.iter().any(|&at| matches!(self.list[at].state, State::Fresh | State::Asked));
        let enough = believed.iter().filter(|&&at| self.list[at].fits).count() >= K;
        if open || enough || self.debts.is_empty() { believed } else { self.window_of(|_| true) }
    }

    fn window_of(&self, counts: impl Fn(&Candidate) -> bool) -> Vec<usize> {
        let row = self.list.iter().enumerate();
        let live = |candidate: &Candidate| !matches!(candidate.state, State::Slow | State::Lost) && counts(candidate);
        self.nearest(row.filter(|(_, candidate)| live(candidate)).map(|(at, candidate)| (candidate, at)))
    }

    /// Of a row, nearest first: as many whose ids fit as are wanted, and at most eight of the others that are nearer.
    pub fn nearest<'a, T>(&self, row: impl Iterator<Item = (&'a Candidate, T)>) -> Vec<T> {
        let reach = if self.crowding() == Crowding::Crowded { self.reach * Self::WIDER } else { self.reach };
        let wanted = |candidate: &Candidate, fitting: usize| {
            fitting < K || (fitting < Self::MAX_WINDOW && candidate.distance.share() <= reach)
        };
        let (mut fitting, mut others) = (0, 0);
        let mut chosen = Vec::with_capacity(2 * K);
        for (candidate, what) in row {
            if candidate.fits {
                if !wanted(candidate, fitting) {
                    break;
                }
                fitting += 1;
            } else {
                if others >= K {
                    continue;
                }
                others += 1;
            }
            chosen.push(what);
        }
        chosen
    }

    fn is_doubted(&self, candidate: &Candidate) -> bool {
        let debt = |by| self.debts.iter().find(|(who, _)| *who == by).map_or(0, |&(_, debt)| debt);
        candidate.state == State::Fresh && candidate.named_by.is_some_and(|by| debt(by) >= Self::MAX_DEBT)
    }

    /// Forgets the farthest when there are too many; of those whose ids don't fit, no more than half are kept, so that
    /// they can't crowd out the others.
    fn trim(&mut self) {
        let misfits = self.list.iter().filter(|candidate| !candidate.fits).count();
        let surplus = |candidate: &Candidate| misfits > Self::MAX / 2 && !candidate.fits;
        let full = self.list.len() > Self::MAX;
        let idle = |candidate: &Candidate| matches!(candidate.state, State::Fresh | State::Lost);
        let gone = self.list.iter().rposition(|candidate| idle(candidate) && (full || surplus(candidate)));
        if let Some(at) = gone.filter(|_| full || misfits > Self::MAX / 2) {
            self.list.remove(at);
        }
    }
}
