//! What attackers achieve who want to hide one torrent in a simulated DHT of 1,000 nodes, as a table.
//!
//! `cargo run --release --example dht_attacks -- [LOOKUPS]`
//!
//! Share of 50 lookups that found a peer that was announced before the attack, and one announced amid it; by asking the
//! nearest eight alone, and by asking all that stand where eight should (`proto::dht::density`):
//!
//! | attackers | before: eight | density | amid: eight | density |
//! |---|---|---|---|---|
//! | none | 100 % | 100 % | 100 % | 100 % |
//! | 64 chosen ids in 2 subnets | 100 % | 100 % | 100 % | 100 % |
//! | 32 chosen ids in 32 subnets | 100 % | 100 % | 100 % | 100 % |
//! | 256 chosen ids in 256 subnets | 94 % | 92 % | 84 % | 90 % |
//! | 64 ids that fit, in 64 subnets | 94 % | 98 % | 96 % | 98 % |
//! | 128 ids that fit, in 128 subnets | 86 % | 84 % | 74 % | 76 % |
//! | 256 ids that fit, in 256 subnets | 48 % | 58 % | 26 % | 56 % |
//! | 512 ids that fit, in 512 subnets | 26 % | 36 % | 2 % | 18 % |
//!
//! It costs up to six queries a lookup. It is no cure: who commands a quarter as many subnets as the network has nodes
//! hides a torrent from four in ten. With 50 lookups a figure is good to some seven per cent either way.

#[path = "../tests/dht_sim/attack.rs"]
mod attack;
#[path = "../tests/dht_sim/net/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod net;

use attack::{Announced, Attack, Ids};

const ATTACKS: [Attack; 8] = [
    Attack::new("none", 0, 0, Ids::Chosen),
    Attack::new("64 chosen ids, 2 subnets", 2, 32, Ids::Chosen),
    Attack::new("32 chosen ids, 32 subnets", 32, 1, Ids::Chosen),
    Attack::new("256 chosen ids, 256 subnets", 256, 1, Ids::Chosen),
    Attack::new("64 fitting ids, 64 subnets", 64, 1, Ids::Fitting),
    Attack::new("128 fitting ids, 128 subnets", 128, 1, Ids::Fitting),
    Attack::new("256 fitting ids, 256 subnets", 256, 1, Ids::Fitting),
    Attack::new("512 fitting ids, 512 subnets", 512, 1, Ids::Fitting),
];

fn main() {
    let lookups = std::env::args().nth(1).map_or(50, |number| number.parse().expect("a number"));
    println!("{:<32}{:>18}{:>10}{:>18}{:>10}", "attack", "announced before", "queries", "announced amid", "queries");
    for attack in ATTACKS {
        let (before, amid) =
            (attack.run(lookups, Announced::Before, false), attack.run(lookups, Announced::Amid, false));
        println!(
            "{:<32}{:>16.0} %{:>10.0}{:>16.0} %{:>10.0}",
            attack.name,
            before.found * 100.0,
            before.queries,
            amid.found * 100.0,
            amid.queries
        );
    }
}
