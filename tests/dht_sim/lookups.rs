//! Lookups in networks of many sizes.

use std::time::Duration;

use crate::figures::{Figures, Start, at};
use crate::net::{Net, Shape};
use rtorrent_cli::proto::dht::node::Family;

/// Prints the table (`--nocapture` shows it) and holds every row to the goals.
fn check(net: &mut Net, name: &str, count: usize) {
    println!("{}", Figures::head());
    for start in [Start::Cold, Start::Warm] {
        let figures = Figures::collect(net, start, count);
        println!("{}", figures.row(&format!("{name} {start:?}")));
        assert!(figures.share_found() > 0.99, "{} of {} found", figures.found, figures.lookups);
        assert!(at(&figures.announced, 0.5) >= 8, "announced to {}", at(&figures.announced, 0.5));
    }
}

#[test]
fn a_grown_network_of_100() {
    let mut net = Net::grown(Shape::of(100, 100), Duration::from_secs(60));
    check(&mut net, "100 grown", 100);
}

#[test]
fn a_grown_network_of_1_000() {
    let mut net = Net::grown(Shape::of(1_000, 1_000), Duration::from_secs(120));
    check(&mut net, "1,000 grown", 60);
}

#[test]
fn a_steady_network_of_10_000() {
    let mut net = Net::steady(Shape::of(10_000, 10_000));
    check(&mut net, "10,000 steady", 60);
}

#[test]
fn a_steady_network_of_1_000_over_ipv6() {
    let mut net = Net::steady(Shape { family: Family::V6, ..Shape::of(1_000, 6) });
    check(&mut net, "1,000 IPv6", 60);
}
