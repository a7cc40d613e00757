//! Behaviour of the whole torrent, with scripted peers and a scripted disk.

mod connections;
mod download;
mod exchange;
mod playing;
mod random;
mod recovery;
mod serving;
mod sparing;
mod world;
