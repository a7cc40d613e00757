//! A build without the feature `interactive` has no list; nobody comes here, since `possible` says so before.

use crate::base::metainfo::Info;
use crate::cli::error::Problem;
use crate::cli::exit::Exit;

/// # Errors
/// Always.
pub fn files(_info: &Info, _selected: &[bool]) -> Result<Vec<bool>, Problem> {
    Err(Problem::new(Exit::Usage, "-I: this build has no feature \"interactive\""))
}
