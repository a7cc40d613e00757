//! Players of the run's one item: they are let in as soon as its metadata is known, and the named one is started.

use super::job::State;
use super::{End, Run};
use crate::base::metainfo::Info;
use crate::cli::display::Unwritten;
use crate::cli::error::Problem;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::stream::Stream;
use crate::cli::stream::player::Player;
use crate::cli::stream::site::Site;
use crate::io::http_server::HttpServer;

/// What is served, and to whom.
pub(super) struct Playing {
    _server: HttpServer,
    player: Option<Player>,
}

impl Run<'_> {
    /// The metadata of an item is known: says where players find it, if that is what the run is for.
    pub(super) fn begin_playing(&mut self, place: usize, info: &Info, selected: &[bool]) -> Result<(), Unwritten> {
        let State::Running(running) = &self.tracked[place].state else { return Ok(()) };
        let Some(Stream { listener, player }) = self.options.stream.take() else { return Ok(()) };
        let key = self.tracked[place].key;
        let (addr, site) = (listener.addr(), Site::new(info, selected, running.handle.playback()));
        let (url, urls) = (site.url(addr), site.urls(addr));
        let server = listener.serve(move |question| site.answer(&question, addr));
        self.display.json_line(&json::stream(key, &url, &urls))?;
        self.display.result_line(&url)?;
        let player = match player.map(|words| Player::start(&words, &url)).transpose() {
            Ok(player) => player,
            Err(problem) => {
                running.handle.stop();
                return self.fail(place, &problem);
            }
        };
        if player.is_some() && self.display.is_terminal() {
            // The terminal is the player's.
            self.display.hold_back(true);
        }
        self.playing = Some(Playing { _server: server, player });
        Ok(())
    }

    /// The player has ended, and with it the run.
    pub(super) fn on_player(&mut self, ended: Result<(), Problem>) -> End {
        self.display.hold_back(false);
        match ended {
            Ok(()) => End::Player(Exit::Success),
            Err(problem) => {
                self.display.problem(&problem);
                let _ = self.display.json_problem(None, None, &problem);
                End::Player(problem.exit)
            }
        }
    }
}

/// Waits for the end of the player; for ever, if there is none.
pub(super) async fn player_ends(playing: &mut Option<Playing>) -> Result<(), Problem> {
    match playing {
        Some(Playing { player: Some(player), .. }) => player.end().await,
        _ => std::future::pending().await,
    }
}
