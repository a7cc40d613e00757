//! What attackers achieve who want to hide a torrent's peers, with and without the limits that addresses set.
//!
//! Without: everybody has a private address, for which neither BEP 42 nor a limit a host or subnet holds; the nodes are
//! the same otherwise.

use crate::attack::{Announced, Attack, Ids};

const LOOKUPS: usize = 10;

#[test]
fn sybils_that_hide_a_torrent_are_defeated_by_the_limits_of_addresses() {
    let attacks = [
        Attack::new("64 chosen ids, 2 subnets", 2, 32, Ids::Chosen),
        Attack::new("32 chosen ids, 32 subnets", 32, 1, Ids::Chosen),
        Attack::new("32 fitting ids, 32 subnets", 32, 1, Ids::Fitting),
    ];
    println!("{:<32}{:>14}{:>16}", "attack", "limits off", "limits on");
    for attack in attacks {
        let found = |private| attack.run(LOOKUPS, Announced::Before, private).found;
        let (without, with) = (found(true), found(false));
        println!("{:<32}{:>12.0} %{:>14.0} %", attack.name, without * 100.0, with * 100.0);
        assert!(with >= 0.9, "{}: {with}", attack.name);
        if attack.ids == Ids::Chosen {
            assert!(without < with, "{}: {without} without limits, so these show nothing", attack.name);
        }
    }
}
