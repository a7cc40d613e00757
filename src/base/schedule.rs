//! Limits that follow the time of day.
//!
//! `22:00-07:00=0,*=2M`: parts of the day with a rate each, the first that fits counts. A rate is bytes a second as sizes
//! are written (0 is no limit), for downloads; `DOWN/UP` limits both ways, `pause` lets nothing through in either.

use std::str::FromStr;

use super::limit::Limit;
use super::size::parse_size;

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// Text that is no schedule: which part of it, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("it is empty; write for example 22:00-07:00=0,*=2M")]
    Empty,
    #[error("{0:?} has no rate; write WHEN=RATE, as in 22:00-07:00=0")]
    NoRate(String),
    #[error("{when:?} in {part:?} is not a part of the day; write 22:00-07:00, or * for always")]
    When { part: String, when: String },
    #[error("{0:?} begins and ends at the same time; write * for always")]
    NoTime(String),
    #[error("{rate:?} in {part:?} is not a rate; write for example 500K, 2M, 0 (no limit), 2M/500K (down/up) or pause")]
    Rate { part: String, rate: String },
    #[error("{0:?} is never reached, since it stands behind *")]
    Unreachable(String),
}

/// The limits of a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    /// From this minute of the day to the other, over midnight if that is earlier; `None`: always.
    span: Option<(u16, u16)>,
    down: Limit,
    up: Option<Limit>,
}

impl Schedule {
    /// The limits down and up at a minute of the day; `None` where the schedule says nothing.
    pub fn at(&self, minute: u16) -> (Option<Limit>, Option<Limit>) {
        let part = self.parts.iter().find(|part| part.holds(minute));
        (part.map(|part| part.down), part.and_then(|part| part.up))
    }
}

impl Part {
    fn holds(&self, minute: u16) -> bool {
        match self.span {
            None => true,
            Some((from, to)) if from < to => (from..to).contains(&minute),
            Some((from, to)) => minute >= from || minute < to,
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let texts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let mut parts: Vec<Part> = Vec::with_capacity(texts.len());
        for text in texts {
            if parts.last().is_some_and(|part| part.span.is_none()) {
                return Err(ScheduleError::Unreachable(text.into()));
            }
            parts.push(part(text)?);
        }
        if parts.is_empty() { Err(ScheduleError::Empty) } else { Ok(Schedule { parts }) }
    }
}

fn part(text: &str) -> Result<Part, ScheduleError> {
    let (when, rate) = text.split_once('=').ok_or_else(|| ScheduleError::NoRate(text.into()))?;
    let (when, rate) = (when.trim(), rate.trim());
    let span = match when {
        "*" => None,
        _ => Some(span(when).ok_or_else(|| ScheduleError::When { part: text.into(), when: when.into() })?),
    };
    if span.is_some_and(|(from, to)| from == to) {
        return Err(ScheduleError::NoTime(text.into()));
    }
    let limit = |rate: &str| match rate.trim() {
        "pause" => Ok(Limit::Paused),
        size => match parse_size(size) {
            Ok(bytes) => Ok(Limit::bytes(bytes)),
            Err(_) => Err(ScheduleError::Rate { part: text.into(), rate: rate.into() }),
        },
    };
    let (down, up) = match rate.split_once('/') {
        Some((down, up)) => (limit(down)?, Some(limit(up)?)),
        None => (limit(rate)?, (rate == "pause").then_some(Limit::Paused)),
    };
    Ok(Part { span, down, up })
}

/// `22:00-07:00`, in minutes of the day; the end of the day is its beginning.
fn span(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    Some((minute(from.trim())?, minute(to.trim())?))
}

/// `7`, `07:30`, `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u16>().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, number(minute).filter(|minute| *minute < 60)?);
    let all = hour * 60 + minute;
    (all <= DAY).then_some(all % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &str, hour: u16, minute: u16) -> (Option<Limit>, Option<Limit>) {
        schedule.parse::<Schedule>().unwrap().at(hour * 60 + minute)
    }

    const M: u64 = 1 << 20;

    #[test]
    fn a_part_goes_over_midnight_and_the_first_that_fits_counts() {
        let schedule = "22:00-07:00=0,*=2M";
        for (hour, minute, limit) in [
            (22, 0, Limit::Off),
            (23, 59, Limit::Off),
            (0, 0, Limit::Off),
            (6, 59, Limit::Off),
            (7, 0, Limit::bytes(2 * M)),
            (12, 0, Limit::bytes(2 * M)),
            (21, 59, Limit::bytes(2 * M)),
        ] {
            assert_eq!(at(schedule, hour, minute), (Some(limit), None), "{hour}:{minute}");
        }
        let night_first = "0:00-6=3M, 0-12=1M";
        assert_eq!(at(night_first, 5, 59).0, Some(Limit::bytes(3 * M)));
        assert_eq!(at(night_first, 6, 0).0, Some(Limit::bytes(M)));
        assert_eq!(at(night_first, 12, 0).0, None, "nothing is said of the afternoon");
    }

    #[test]
    fn rates_are_down_or_both_or_a_pause() {
        assert_eq!(at("*=2M/500K", 1, 0), (Some(Limit::bytes(2 * M)), Some(Limit::bytes(500 << 10))));
        assert_eq!(at("*=0/1M", 1, 0), (Some(Limit::Off), Some(Limit::bytes(M))));
        assert_eq!(at("08:00-18:00=pause", 9, 0), (Some(Limit::Paused), Some(Limit::Paused)));
        assert_eq!(at("18:00-24:00=pause/0", 23, 59), (Some(Limit::Paused), Some(Limit::Off)));
    }

    #[test]
    fn errors_name_the_part() {
        let error = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        assert_eq!(error("22:00-07:00"), "\"22:00-07:00\" has no rate; write WHEN=RATE, as in 22:00-07:00=0");
        assert!(error("*=1M,25:00-07:00=0").starts_with("\"25:00-07:00=0\" is never reached"));
        for text in ["25:00-07:00=0", "22:60-7=0", "22.00-07.00=0", "noon=0", "22:00=0", "=0", "-1-5=0", "24:01-5=0"] {
            assert!(error(&format!("1-2=5K,{text}")).contains(&format!("in {text:?} is not a part of")), "{text}");
        }
        assert!(error("8:00-8:00=1M").contains("begins and ends"));
        for rate in ["fast", "", "1M/", "/1M", "1M/2M/3M", "-5"] {
            assert!(error(&format!("*={rate}")).contains("is not a rate"), "{rate}");
        }
        assert!(error(" , ").contains("empty"));
    }
}
