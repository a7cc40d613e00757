//! The one place where a tokio runtime is made, only for what talks to the network.

use std::future::Future;

use super::error::Problem;
use super::exit::Exit;

/// Runs `future` on one thread, and leaves without waiting for what still hangs in a name look-up.
///
/// # Errors
/// If the system refuses what a runtime needs, else what `future` says.
pub fn block_on<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Exit::Other, format!("cannot start: {error}")).because(error))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}
