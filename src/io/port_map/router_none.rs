//! A build without the feature `nat` asks no router.

use super::Mapped;

/// What a router holds for us: nothing.
pub enum Held {}

/// # Errors
/// Always.
pub async fn ask(_tcp: u16, _udp: u16) -> Result<Held, String> {
    Err("this build can't ask routers (it has no feature \"nat\")".into())
}

impl Held {
    pub fn told(&self) -> Mapped {
        match *self {}
    }

    pub async fn give_back(self) {
        match self {}
    }
}
