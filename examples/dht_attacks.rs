//! What attackers achieve who want to hide one torrent in a simulated DHT of 1,000 nodes, as a table.
//!
//! `cargo run --release --example dht_attacks -- [LOOKUPS]`
//!
//! Share of the lookups that found a peer announced before the attack, and one announced amid it; queries a lookup; and the
//! share (announced before) where neither BEP 42 nor a limit a host or subnet holds, since all have private addresses.
//! `benches/dht.md` has a table, and what it means.

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
    println!("{:<32}{:>10}{:>10}{:>10}{:>14}", "attack", "before", "amid", "queries", "no limits");
    for attack in ATTACKS {
        let [before, amid, unlimited] =
            [(Announced::Before, false), (Announced::Amid, false), (Announced::Before, true)]
                .map(|(announced, private)| attack.run(lookups, announced, private));
        println!(
            "{:<32}{:>8.0} %{:>8.0} %{:>10.0}{:>12.0} %",
            attack.name,
            before.found * 100.0,
            amid.found * 100.0,
            before.queries,
            unlimited.found * 100.0
        );
    }
}
