//! Write tokens: they show that who announces has been reached at the address it announces from (BEP 5).
//!
//! A token is a hash of the address and a secret that changes every five minutes; the secret before it still counts.
//! Nothing is stored per asker.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use crate::base::hash::sha1;

#[derive(Debug)]
pub struct Tokens {
    secret: [u8; 16],
    previous: [u8; 16],
    made: Instant,
}

impl Tokens {
    const LIFETIME: Duration = Duration::from_secs(5 * 60);

    pub fn new(now: Instant, rng: &mut StdRng) -> Tokens {
        let mut tokens = Tokens { secret: [0; 16], previous: [0; 16], made: now };
        rng.fill_bytes(&mut tokens.secret);
        rng.fill_bytes(&mut tokens.previous);
        tokens
    }

    pub fn issue(&mut self, now: Instant, ip: IpAddr, rng: &mut StdRng) -> [u8; 8] {
        self.rotate(now, rng);
        token(&self.secret, ip)
    }

    /// True if `token` was issued to `ip` within the last five to ten minutes.
    pub fn accepts(&mut self, now: Instant, ip: IpAddr, given: &[u8], rng: &mut StdRng) -> bool {
        self.rotate(now, rng);
        given == token(&self.secret, ip) || given == token(&self.previous, ip)
    }

    fn rotate(&mut self, now: Instant, rng: &mut StdRng) {
        let age = now.saturating_duration_since(self.made);
        if age < Self::LIFETIME {
            return;
        }
        self.previous = self.secret;
        rng.fill_bytes(&mut self.secret);
        if age >= Self::LIFETIME * 2 {
            rng.fill_bytes(&mut self.previous);
        }
        self.made = now;
    }
}

fn token(secret: &[u8; 16], ip: IpAddr) -> [u8; 8] {
    let mut message = secret.to_vec();
    match ip {
        IpAddr::V4(ip) => message.extend(ip.octets()),
        IpAddr::V6(ip) => message.extend(ip.octets()),
    }
    let mut short = [0; 8];
    short.copy_from_slice(&sha1(&message)[..8]);
    short
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_address_and_for_five_to_ten_minutes() {
        let mut rng = StdRng::seed_from_u64(7);
        let start = Instant::now();
        let mut tokens = Tokens::new(start, &mut rng);
        let ip: IpAddr = "203.0.113.5".parse().unwrap();
        let other: IpAddr = "203.0.113.6".parse().unwrap();
        let token = tokens.issue(start, ip, &mut rng);
        assert!(tokens.accepts(start, ip, &token, &mut rng));
        assert!(!tokens.accepts(start, other, &token, &mut rng));
        assert!(!tokens.accepts(start, ip, &token[..7], &mut rng));
        assert!(!tokens.accepts(start, ip, b"", &mut rng));
        let minutes = |n: u64| start + Duration::from_secs(n * 60);
        assert!(tokens.accepts(minutes(6), ip, &token, &mut rng));
        assert!(!tokens.accepts(minutes(12), ip, &token, &mut rng));
    }

    #[test]
    fn after_a_long_sleep_no_old_token_is_good() {
        let mut rng = StdRng::seed_from_u64(7);
        let start = Instant::now();
        let mut tokens = Tokens::new(start, &mut rng);
        let ip: IpAddr = "203.0.113.5".parse().unwrap();
        let token = tokens.issue(start, ip, &mut rng);
        assert!(!tokens.accepts(start + Duration::from_secs(3600), ip, &token, &mut rng));
    }
}
