//! The DHT in networks of its own kind, on a virtual clock: do lookups find what was stored, how soon, at what cost, and
//! what do attackers achieve.

mod attack;
mod attacks;
mod both_families;
mod churn;
mod figures;
mod lookups;
mod net;
