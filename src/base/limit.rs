//! How much payload may flow in one direction.

use std::num::NonZeroU64;

/// A limit of one direction of the whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Limit {
    /// As much as there is.
    #[default]
    Off,
    /// So many bytes a second.
    Rate(NonZeroU64),
    /// Nothing flows.
    Paused,
}

impl Limit {
    /// As people write it: 0 is no limit.
    pub fn bytes(rate: u64) -> Limit {
        NonZeroU64::new(rate).map_or(Limit::Off, Limit::Rate)
    }

    /// True if somebody has to be asked before payload flows.
    pub fn holds(self) -> bool {
        self != Limit::Off
    }

    /// Bytes a second, `u64::MAX` without a limit.
    pub fn rate(self) -> u64 {
        match self {
            Limit::Off => u64::MAX,
            Limit::Rate(rate) => rate.get(),
            Limit::Paused => 0,
        }
    }
}
