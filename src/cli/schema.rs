//! `schema`: the JSON Schema of what `--json` writes.

use super::display::print_result;
use super::error::Problem;
use super::exit::Exit;

/// JSON Schema (draft 2020-12) of one line of `--json` of `get`, `seed`, `verify` and `ls`.
pub const EVENTS: &str = include_str!("../../schema/events.schema.json");

/// Does the command.
///
/// # Errors
/// If nobody reads standard output.
pub fn show() -> Result<Exit, Problem> {
    print_result(EVENTS.trim_end())?;
    Ok(Exit::Success)
}
