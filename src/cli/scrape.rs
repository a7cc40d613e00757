//! `info --scrape`: what the trackers know of a swarm.

use serde_json::{Value, json};

use super::args::NetworkArgs;
use super::error::Problem;
use super::exit::Exit;
use super::facts::Facts;
use super::signals::Signals;
use super::text::count;
use crate::proto::tracker::scrape::Scrape;

/// One tracker's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scraped {
    pub tracker: String,
    /// The counts, or why there are none.
    pub answer: Result<Scrape, String>,
}

impl Scraped {
    pub fn to_json(&self) -> Value {
        let found = self.answer.as_ref().ok();
        json!({
            "tracker": self.tracker,
            "seeders": found.map(|found| found.seeders),
            "leechers": found.map(|found| found.leechers),
            "completed": found.and_then(|found| found.completed),
            "error": self.answer.as_ref().err(),
        })
    }

    pub fn to_line(&self) -> String {
        match &self.answer {
            Ok(found) => {
                let completed = found.completed.map(|n| format!(", {} so far", count(n.into(), "download")));
                format!(
                    "{}, {}{}  {}",
                    count(found.seeders.into(), "seeder"),
                    count(found.leechers.into(), "leecher"),
                    completed.unwrap_or_default(),
                    self.tracker
                )
            }
            Err(why) => format!("{why}  {}", self.tracker),
        }
    }
}

/// Asks every tracker of the torrent at once.
///
/// # Errors
/// If there is none to ask.
pub async fn all(
    _facts: &Facts,
    _network: &NetworkArgs,
    _user_agent: &str,
    _signals: &mut Signals,
) -> Result<Vec<Scraped>, Problem> {
    Err(Problem::new(Exit::Other, "this version cannot scrape"))
}
