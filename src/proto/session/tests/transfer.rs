//! Two sessions back to back, over wires that cut the stream at any place.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

struct Side {
    session: Session,
    /// Bytes on their way here.
    inbox: VecDeque<u8>,
}

/// One bit of a wire's byte stream: what `from` has to write goes to `to`.
fn carry(from: &mut Side, to: &mut Side, now: Instant, data: &[u8]) {
    while let Some(outgoing) = from.session.poll_write() {
        let len = match outgoing {
            Outgoing::Bytes(bytes) => {
                to.inbox.extend(&bytes);
                bytes.len()
            }
            Outgoing::Block(block) => {
                let start = block.piece as usize * PIECE as usize + block.begin as usize;
                let mut frame = Vec::new();
                let bytes = &data[start..start + block.len as usize];
                Message::Piece { piece: block.piece, begin: block.begin, block: bytes }.encode(&mut frame);
                to.inbox.extend(&frame);
                from.session.on_block_sent(now, block);
                frame.len()
            }
        };
        from.session.on_write_progress(now, len);
    }
}

/// Reads up to `most` bytes into the session's slices.
fn read(side: &mut Side, now: Instant, most: usize) {
    let mut n = 0;
    for slice in side.session.read_slices().iter_mut() {
        for byte in slice.iter_mut() {
            if n == most {
                break;
            }
            let Some(next) = side.inbox.pop_front() else { break };
            *byte = next;
            n += 1;
        }
    }
    if n > 0 {
        side.session.on_read(now, n);
    }
}

fn transfer(seed: u64, fast: bool) {
    let mut rng = StdRng::seed_from_u64(seed);
    let layout = layout();
    let data: Vec<u8> = (0..layout.total()).map(|_| rng.random()).collect();
    let mut now = Instant::now();
    let side = |full: bool| {
        let log = HaveLog::new(layout.pieces());
        (0..layout.pieces()).filter(|_| full).for_each(|piece| log.push(piece));
        let facts = TorrentFacts { layout: layout.clone(), log, info: vec![1].into() };
        let mut config = SessionConfig { torrent: Some(facts), ..config() };
        if !fast {
            config.theirs = Reserved::default();
        }
        Side { session: Session::new(config, now), inbox: VecDeque::new() }
    };
    let (mut seeder, mut leecher) = (side(true), side(false));
    leecher.session.on_command(now, PeerCommand::Interest(true));
    let mut to_lease: Vec<u32> = (0..layout.pieces()).rev().collect();
    let mut done = 0;
    for _ in 0..100_000 {
        now += Duration::from_micros(rng.random_range(1..5_000));
        carry(&mut seeder, &mut leecher, now, &data);
        carry(&mut leecher, &mut seeder, now, &data);
        let most = [1, 5, 13, 4_000, 100_000][rng.random_range(0..5)];
        read(&mut seeder, now, most);
        read(&mut leecher, now, most);
        while let Some(event) = seeder.session.poll_event() {
            if let PeerEvent::Interested(interested) = event {
                seeder.session.on_command(now, PeerCommand::Choke(!interested));
            }
        }
        while let Some(event) = leecher.session.poll_event() {
            match event {
                PeerEvent::Has(bits) => assert!(bits.all()),
                PeerEvent::Hungry { .. } => {
                    let Some(piece) = to_lease.pop() else { continue };
                    let run = Run { piece, first: 0, count: layout.blocks(piece) };
                    let run = RunBuffer::new(RunId(piece.into()), run, &layout);
                    leecher.session.on_command(now, PeerCommand::Lease(vec![run]));
                }
                PeerEvent::Filled(run) => {
                    let start = run.run.piece as usize * PIECE as usize;
                    assert!(run.is_complete());
                    assert!(run.bytes[..] == data[start..start + run.bytes.len()], "piece {}", run.run.piece);
                    done += 1;
                }
                PeerEvent::Returned(_) | PeerEvent::Closed(_) => panic!("{}", word(&event)),
                _ => {}
            }
        }
        if done == layout.pieces() {
            assert_eq!(leecher.session.tally.wasted, 0);
            return;
        }
    }
    panic!("seed {seed}: {done} of {} pieces", layout.pieces());
}

#[test]
fn a_torrent_comes_over_byte_for_byte() {
    for seed in 0..20 {
        transfer(seed, true);
        transfer(seed, false);
    }
}
