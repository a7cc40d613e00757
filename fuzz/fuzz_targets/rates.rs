//! Sizes, rates, times, ports and limits by the time of day, as people type them; and the limiter that keeps to them.
//!
//! Must hold: a size is what exact arithmetic says; of a schedule the first part that fits a minute counts; what we show is
//! read again as nearly the same; and over any stretch of time no more is granted than the rate, the brim and one grant
//! allow, and nothing that nobody asked for.
#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::limit::Limit;
use rtorrent_cli::base::schedule::{DAY, Schedule};
use rtorrent_cli::base::size::parse_size;
use rtorrent_cli::cli::{size_time, values};
use rtorrent_cli::swarm::limiter::{ClientKey, Limiter};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        sizes(text);
        schedules(text);
        times_and_ports(text);
    }
    limits(bytes);
});

fn sizes(text: &str) {
    if let Ok(bytes) = parse_size(text) {
        assert_eq!(parse_size(&bytes.to_string()), Ok(bytes));
        assert_eq!(parse_size(&text.to_ascii_uppercase()), Ok(bytes));
        let number = text.trim().trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim();
        let unit = text.trim()[number.len()..].trim().to_ascii_lowercase();
        let step: u128 = match (unit.trim_end_matches('b').ends_with('i'), unit.ends_with('b')) {
            (false, true) => 1000,
            _ => 1024,
        };
        let power = ["", "k", "m", "g", "t", "p"].iter().position(|known| unit.starts_with(known) && !known.is_empty());
        let unit = step.pow(power.unwrap_or(0) as u32);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let exact = whole.parse().unwrap_or(0u128) * unit;
        let digits = &fraction[..fraction.len().min(18)];
        let part = digits.parse().unwrap_or(0u128) * unit / 10u128.pow(digits.len() as u32);
        assert_eq!(u128::from(bytes), exact + part, "{text:?}");
        if bytes < 1 << 59 {
            for shown in [size_time::size(bytes), size_time::short_size(bytes)] {
                let read = parse_size(&shown).expect("what we show");
                assert!(read.abs_diff(bytes) <= bytes / 15, "{bytes} as {shown}");
            }
        }
    }
}

fn schedules(text: &str) {
    let Ok(schedule) = text.parse::<Schedule>() else { return };
    let parts: Vec<Schedule> = text
        .split(',')
        .filter(|part| !part.trim().is_empty())
        .map(|part| part.parse().expect("a part of a good schedule"))
        .collect();
    for minute in 0..DAY {
        let first = parts.iter().map(|part| part.at(minute)).find(|at| at.0.is_some());
        assert_eq!(schedule.at(minute), first.unwrap_or((None, None)), "{text:?} at {minute}");
    }
    for part in &parts {
        let silent = (0..DAY).filter(|minute| part.at(*minute).0.is_none()).count();
        assert!(silent < DAY.into(), "no part is of no time");
    }
}

fn times_and_ports(text: &str) {
    if let Ok(limit) = size_time::parse_time_limit(text) {
        assert!(limit.0.is_none_or(|time| !time.is_zero()));
    }
    if let Ok(time) = size_time::parse_seed_time(text)
        && time < Duration::from_secs(86_400)
    {
        let shown = size_time::time(time);
        let read = size_time::parse_seed_time(&shown).expect("what we show");
        assert!(read <= time && time - read < Duration::from_secs(60), "{time:?} as {shown}");
    }
    if let Ok(ratio) = size_time::parse_ratio(text) {
        assert!(ratio >= 0.0);
    }
    if let Ok(ports) = values::parse_ports(text) {
        assert!(*ports.start() > 0 && ports.start() <= ports.end());
    }
    if let Ok(length) = values::parse_piece_length(text) {
        assert!(length.is_power_of_two() && (1 << 14..=1 << 29).contains(&length));
    }
    if let Ok(tier) = values::parse_tier(text) {
        assert!(!tier.is_empty() && tier.join(",") == text);
    }
    let _ = (values::parse_host_port(text), values::parse_name_server(text), values::parse_memory(text));
    let _ = (values::parse_web_seed(text), values::parse_user_agent(text), values::parse_tracker(text));
}

/// Steps of three bytes: what happens, to whom, and how much.
fn limits(script: &[u8]) {
    let (mut now, mut limiter) = (Instant::now(), Limiter::default());
    let mut limit = Limit::Off;
    let mut asked: BTreeMap<ClientKey, u64> = BTreeMap::new();
    // Since the limit was set: bytes that were granted and not given back.
    let (mut set, mut flowed) = (now, 0i64);
    for step in script.chunks_exact(3).take(400) {
        let &[what, whom, much] = step else { continue };
        let key = ClientKey { group: u32::from(whom % 3), client: u64::from(whom / 3 % 4) };
        let much = u64::from(much);
        match what % 6 {
            0 => {
                limit = match much {
                    0 => Limit::Off,
                    1 => Limit::Paused,
                    much => Limit::bytes(much * much * 1_500),
                };
                limiter.set_limit(now, limit);
                (set, flowed) = (now, 0);
            }
            1 => {
                limiter.ask(key, much << 14);
                asked.insert(key, much << 14);
            }
            2 => {
                limiter.forget(key);
                asked.remove(&key);
            }
            3 => now += Duration::from_millis(much * much),
            // More flowed than was granted, or less.
            4 if whom % 2 == 0 => limiter.adjust(-(much as i64) * 100),
            4 => {
                let back = flowed.min(much as i64 * 100);
                limiter.adjust(back);
                flowed -= back;
            }
            _ => {
                for _ in 0..much.min(40) {
                    let waits = asked.values().any(|bytes| *bytes > 0);
                    let Some(grant) = limiter.poll_grant(now) else {
                        assert!(limit != Limit::Off || !waits);
                        if let (Limit::Rate(_), true) = (limit, waits) {
                            let at = limiter.poll_timeout().expect("somebody waits");
                            assert!(at > now);
                        }
                        break;
                    };
                    let wish = asked.get_mut(&grant.client).expect("it asked");
                    assert!(grant.bytes > 0 && grant.bytes <= *wish && limit != Limit::Paused);
                    *wish -= grant.bytes;
                    flowed += grant.bytes as i64;
                }
            }
        }
        if let Limit::Rate(rate) = limit {
            let (rate, time) = (rate.get() as f64, (now - set).as_secs_f64());
            let most = rate / 8.0 + rate * time + (rate / 64.0).clamp(16_384.0, 1_048_576.0) + 1.0;
            assert!(flowed as f64 <= most, "{flowed} in {time} at {rate}");
        }
    }
}
