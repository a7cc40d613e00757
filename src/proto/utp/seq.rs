//! Sequence numbers: sixteen bits that wrap.

/// The number of a packet. Numbers less than half the circle apart have an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seq(pub u16);

impl Seq {
    pub fn plus(self, n: u16) -> Seq {
        Seq(self.0.wrapping_add(n))
    }

    pub fn minus(self, n: u16) -> Seq {
        Seq(self.0.wrapping_sub(n))
    }

    /// How many steps it is from `earlier` to `self`, wrapping.
    pub fn since(self, earlier: Seq) -> u16 {
        self.0.wrapping_sub(earlier.0)
    }

    /// True if `self` comes before `other` on the nearer way around.
    pub fn is_before(self, other: Seq) -> bool {
        self.since(other) >= 0x8000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        assert_eq!(Seq(65_535).plus(2), Seq(1));
        assert_eq!(Seq(1).minus(2), Seq(65_535));
        assert_eq!(Seq(3).since(Seq(65_530)), 9);
        assert!(Seq(65_530).is_before(Seq(3)) && !Seq(3).is_before(Seq(65_530)) && !Seq(3).is_before(Seq(3)));
    }
}
