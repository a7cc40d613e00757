//! What attackers achieve who want to hide a torrent's peers, with and without the limits that addresses set.
//!
//! Without: everybody has a private address, for which neither BEP 42 nor a limit a host or subnet holds; the nodes are
//! the same otherwise.

use crate::attack::{Announced, Attack, Ids};

const LOOKUPS: usize = 10;

#[test]
fn sybils_that_hide_a_torrent_are_defeated_by_the_limits_of_addresses() {
    // Each with the share of lookups that it leaves where no limit holds, and where they do, and how far these lie apart.
    // Ids that fit their addresses are what no limit refuses: the circle that is asked answers for them.
    let attacks = [
        (Attack::new("256 chosen ids, 8 subnets", 8, 32, Ids::Chosen), 0.0..=0.6, 0.9..=1.0, 0.4),
        (Attack::new("256 chosen ids, 256 subnets", 256, 1, Ids::Chosen), 0.0..=0.75, 0.8..=1.0, 0.15),
        (Attack::new("64 fitting ids, 64 subnets", 64, 1, Ids::Fitting), 0.0..=1.0, 0.9..=1.0, 0.0),
    ];
    println!("{:<32}{:>14}{:>14}{:>10}", "attack", "limits off", "limits on", "queries");
    for (attack, left_without, left_with, apart) in attacks {
        let run = |private| attack.run(LOOKUPS, Announced::Before, private);
        let (without, with) = (run(true).found, run(false));
        println!("{:<32}{:>12.0} %{:>12.0} %{:>10.0}", attack.name, without * 100.0, with.found * 100.0, with.queries);
        assert!(left_with.contains(&with.found), "{}: {} with limits", attack.name, with.found);
        assert!(left_without.contains(&without), "{}: {without} without, so limits show nothing", attack.name);
        assert!(with.found >= without + apart, "{}: {without} without limits, {} with", attack.name, with.found);
    }
}

#[test]
fn what_is_announced_amid_an_attack_is_found_too() {
    let attack = Attack::new("64 fitting ids, 64 subnets", 64, 1, Ids::Fitting);
    let found = attack.run(LOOKUPS, Announced::Amid, false).found;
    assert!(found >= 0.85, "{found}");
}
