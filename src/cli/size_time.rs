//! Sizes, rates and times, as a person types them and as they are shown.

use std::time::Duration;

/// A time-out: a time, or `off` (also `none`, `inf`, `0`) for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLimit(pub Option<Duration>);

/// A time limit; a bare number is seconds.
///
/// # Errors
/// If it is neither a time nor `off`.
pub fn parse_time_limit(text: &str) -> Result<TimeLimit, String> {
    match text.trim() {
        "off" | "none" | "inf" => Ok(TimeLimit(None)),
        text => parse_time(text, Duration::from_secs(1)).map(|time| TimeLimit((!time.is_zero()).then_some(time))),
    }
}

/// How long to seed; a bare number is minutes, `inf` is for ever.
///
/// # Errors
/// If it is not a time.
pub fn parse_seed_time(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "inf" => Ok(Duration::MAX),
        text => parse_time(text, Duration::from_secs(60)),
    }
}

/// Upload for each byte of the torrent, `inf` for no end.
///
/// # Errors
/// If it is not a number, or below 0.
pub fn parse_ratio(text: &str) -> Result<f64, String> {
    if text.trim() == "inf" {
        return Ok(f64::INFINITY);
    }
    parse_number(text.trim()).ok_or_else(|| format!("{text:?} is not a ratio; write for example 1 or 1.5"))
}

/// `30`, `30s`, `5m`, `2h`, `1d`, and sums of these (`1h30m`).
fn parse_time(text: &str, bare: Duration) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; write for example 30s, 5m, 2h or 1d");
    if text.is_empty() {
        return Err(wrong());
    }
    if let Some(number) = parse_number(text) {
        return Duration::try_from_secs_f64(number * bare.as_secs_f64()).map_err(|_| wrong());
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, tail) = split_unit(rest);
        let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let step = match &tail[..unit_len] {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        seconds += parse_number(number).ok_or_else(wrong)? * step;
        rest = &tail[unit_len..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Splits after the leading digits and points.
fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// A number without sign or exponent.
fn parse_number(text: &str) -> Option<f64> {
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    let only = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if digits && only { text.parse().ok() } else { None }
}

/// `0 B`, `999 B`, `1.5 KiB`, `27.3 MiB`, `104 GiB`: three digits at most, steps of 1024.
pub fn size(bytes: u64) -> String {
    let (number, unit) = scaled(bytes);
    if unit.is_empty() { format!("{number} B") } else { format!("{number} {unit}iB") }
}

/// `12.3M`, for columns: a rate in bytes a second or a size, without the unit's tail.
pub fn short_size(bytes: u64) -> String {
    let (number, unit) = scaled(bytes);
    if unit.is_empty() { format!("{number}B") } else { format!("{number}{unit}") }
}

/// `1.2/4.5 GiB`: the unit once where it is the same.
pub fn size_of(done: u64, total: u64) -> String {
    let (done_text, total_text) = (size(done), size(total));
    match (done_text.split_once(' '), total_text.split_once(' ')) {
        (Some((number, unit)), Some((_, total_unit))) if unit == total_unit => format!("{number}/{total_text}"),
        _ => format!("{done_text}/{total_text}"),
    }
}

/// `0.1/4.5 GiB`: both in the unit of the whole, for a column of a fixed width.
pub fn size_within(done: u64, total: u64) -> String {
    let (total_number, unit) = scaled(total);
    let Some(at) = UNITS.iter().position(|name| *name == unit) else { return format!("{done}/{total_number} B") };
    let done = done as f64 / 1024f64.powi(at as i32 + 1);
    let done = if done < 99.95 { format!("{done:.1}") } else { format!("{done:.0}") };
    format!("{done}/{total_number} {unit}iB")
}

const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];

fn scaled(bytes: u64) -> (String, &'static str) {
    if bytes < 1000 {
        return (bytes.to_string(), "");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let number = if value < 99.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    (number, UNITS[unit])
}

/// `7s`, `4m32s`, `2h05m`, `3d04h`: two units at most.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m{:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// `0.4s`, `12.3s`, then as [`time`]: what something took.
pub fn elapsed(duration: Duration) -> String {
    if duration < Duration::from_secs(60) { format!("{:.1}s", duration.as_secs_f64()) } else { time(duration) }
}

/// How long until `left` bytes have come at `rate` bytes a second; `None` where that says nothing.
pub fn eta(left: u64, rate: u64) -> Option<Duration> {
    const LONGEST: u64 = 100 * 86_400;
    let seconds = left.div_ceil(rate.max(1));
    (left > 0 && rate > 0 && seconds < LONGEST).then(|| Duration::from_secs(seconds))
}

/// A moment in seconds since 1970 as `2024-04-25 13:37:00 UTC`.
pub fn date(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of the Gregorian calendar from days since 1970-01-01; years are counted from March, so that the
/// leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(ERA_DAYS);
    let of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds_and_for_seeding_minutes() {
        let limit = |seconds| Ok(TimeLimit(Some(Duration::from_secs(seconds))));
        assert_eq!(parse_time_limit("30"), limit(30));
        assert_eq!(parse_time_limit("5m"), limit(300));
        assert_eq!(parse_time_limit("1h30m"), limit(5_400));
        assert_eq!(parse_time_limit("1d"), limit(86_400));
        assert_eq!(parse_time_limit("off"), Ok(TimeLimit(None)));
        assert_eq!(parse_time_limit("0"), Ok(TimeLimit(None)));
        assert_eq!(parse_seed_time("30"), Ok(Duration::from_secs(1_800)));
        assert_eq!(parse_seed_time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_seed_time("inf"), Ok(Duration::MAX));
        for text in ["", "m", "5x", "-3", "1h-2m", "99999999999999999999999d"] {
            assert!(parse_time_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_show_three_digits_and_never_four() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (102_350, "100 KiB"),
            (1 << 20, "1.0 MiB"),
            (1_048_000, "1.0 MiB"),
            (4_831_838_208, "4.5 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size_of(1 << 30, 4_831_838_208), "1.0/4.5 GiB");
        assert_eq!(size_of(1 << 20, 1 << 30), "1.0 MiB/1.0 GiB");
        assert_eq!(short_size(12_900_000), "12.3M");
        assert_eq!(size_within(1 << 15, 3_000_000), "0.0/2.9 MiB");
        assert_eq!(size_within(99 << 30, 4 << 40), "0.1/4.0 TiB");
        assert_eq!((size_within(0, 10), size_within(999, 999)), ("0/10 B".to_owned(), "999/999 B".to_owned()));
        assert_eq!(size_within(u64::MAX, u64::MAX), "16.0/16.0 EiB");
        for total in (0..64).map(|bits| u64::MAX >> bits) {
            for done in [0, total / 1000, total / 2, total] {
                assert!(size_within(done, total).len() <= 13, "{}", size_within(done, total));
            }
        }
    }

    #[test]
    fn an_eta_is_silent_where_it_would_be_a_lie() {
        assert_eq!(eta(100, 10), Some(Duration::from_secs(10)));
        assert_eq!((eta(100, 0), eta(0, 10), eta(u64::MAX, 1)), (None, None, None));
        assert_eq!(time(Duration::from_secs(272)), "4m32s");
        assert_eq!(time(Duration::from_secs(7_500)), "2h05m");
        assert_eq!(time(Duration::from_secs(100 * 86_400)), "100d00h");
    }

    #[test]
    fn dates_before_and_after_the_leap_day() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_714_052_220), "2024-04-25 13:37:00 UTC");
        assert_eq!(date(-1), "1969-12-31 23:59:59 UTC");
        date(i64::MAX);
        date(i64::MIN);
    }
}
