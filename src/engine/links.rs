//! The connections of one torrent as the engine sees them: inboxes of peer tasks, and dials under way.
//!
//! Which peers to call and what to say is the torrent's business; here are only the means.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::base::id::TorrentId;
use crate::io::dial::{Dialler, Greeted, dial};
use crate::io::peer_task::PeerTask;
use crate::io::web_seed::WebSeedTask;
use crate::proto::session::PeerCommand;
use crate::proto::wire::Handshake;
use crate::swarm::PeerKey;
use crate::swarm::action::{DialFailure, Way};

/// Commands that may wait for a peer task. A task that lets so many pile up is stuck in its socket or its disk.
pub const COMMANDS: usize = 1024;

/// What became of a dial.
pub type Dialled = (PeerKey, Result<Greeted, DialFailure>);

/// The means of one torrent to reach its peers.
#[derive(Default)]
pub struct Links {
    peers: HashMap<PeerKey, mpsc::Sender<PeerCommand>>,
    dials: JoinSet<Dialled>,
    under_way: HashMap<PeerKey, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Links {
    /// Starts a dial; its end comes out of [`Links::dialled`].
    pub fn dial(
        &mut self,
        peer: PeerKey,
        addr: SocketAddr,
        id: TorrentId,
        ours: Handshake,
        dialler: Dialler,
        way: Option<Way>,
    ) {
        let handle = self.dials.spawn(async move { (peer, dial(addr, id, ours, &dialler, way).await) });
        self.under_way.insert(peer, handle);
    }

    pub fn abort_dial(&mut self, peer: PeerKey) {
        if let Some(handle) = self.under_way.remove(&peer) {
            handle.abort();
        }
    }

    /// The next dial that has ended; waits for ever if none is under way.
    pub async fn dialled(&mut self) -> Dialled {
        loop {
            match self.dials.join_next().await {
                Some(Ok((peer, end))) => {
                    // An aborted dial may have ended just before: nobody waits for it any more.
                    if self.under_way.remove(&peer).is_some() {
                        return (peer, end);
                    }
                }
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// Starts the task of a connection.
    pub fn start(&mut self, task: PeerTask, commands: mpsc::Sender<PeerCommand>) {
        self.peers.insert(task.peer, commands);
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task.run());
    }

    /// Starts the task of a web seed.
    pub fn start_web_seed(&mut self, task: WebSeedTask, commands: mpsc::Sender<PeerCommand>) {
        self.peers.insert(task.peer, commands);
        self.tasks.spawn(task.run());
    }

    /// Says something to a peer, without waiting; a peer that is gone hears nothing, one that lets its inbox fill up is
    /// cut off.
    pub fn say(&mut self, peer: PeerKey, command: PeerCommand) {
        if let Some(commands) = self.peers.get(&peer)
            && commands.try_send(command).is_err()
        {
            self.peers.remove(&peer);
        }
    }

    /// The connection is over.
    pub fn forget(&mut self, peer: PeerKey) {
        self.peers.remove(&peer);
    }

    /// True if nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Cuts every connection and dial: the tasks see their inbox closed, hand back what they hold and end.
    pub fn hang_up(&mut self) {
        self.dials.abort_all();
        self.under_way.clear();
        self.peers.clear();
    }

    /// Waits until the task of every connection has ended.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
