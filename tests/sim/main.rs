//! Simulation: the program's own torrents and sessions under a virtual clock, over links and disks made up from a seed.
//!
//! `world` plays the network and the time, `node` is one client (a real `swarm::Torrent` with real sessions), `disk` its
//! storage, `facts` the torrent they share. A failing run prints its seed. One behaviour a file.

mod disk;
mod facts;
mod node;
mod world;

mod churn;
mod corruption;
mod crowd;
mod disk_trouble;
mod endgame;
mod limits;
mod memory;
mod metadata;
mod playing;
mod replay;
mod stalling;
mod stop;
mod v2;
mod waste;
