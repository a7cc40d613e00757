//! Lookups in simulated DHT networks of up to 100,000 nodes, as a table.
//!
//! `cargo run --release --example dht_networks -- [LOOKUPS] [NODES]...`; a run of all sizes takes some minutes.
//! The networks are those of `tests/dht_sim`: the program's own nodes on a virtual clock, 10 % of them dead, 30 % behind
//! a NAT, 1 % of the datagrams lost.

#[path = "../tests/dht_sim/figures.rs"]
mod figures;
#[path = "../tests/dht_sim/net/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod net;

use figures::{Figures, Start};
use net::{Net, Shape};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let lookups = numbers.next().unwrap_or(300);
    let mut sizes: Vec<usize> = numbers.collect();
    if sizes.is_empty() {
        sizes = vec![100, 1_000, 10_000, 100_000];
    }
    println!("{}", Figures::head());
    for nodes in sizes {
        for start in [Start::Cold, Start::Warm] {
            let mut net = Net::steady(Shape::of(nodes, nodes as u64));
            println!("{}", Figures::collect(&mut net, start, lookups).row(&format!("{nodes} {start:?}")));
        }
    }
}
