//! `create` of a build without the feature of that name.

use super::args::CreateArgs;
use super::display::Display;
use super::error::Problem;
use super::exit::Exit;

/// Says that it can't.
pub fn run(args: &CreateArgs) -> Exit {
    let problem = Problem::new(Exit::Usage, "create: this build has no feature \"create\"");
    Display::new(&args.output).problem(&problem);
    problem.exit
}
