//! `get --list` and `get --dry-run`: what there is, and what would happen, without doing it.

use std::path::Path;
use std::time::Instant;

use super::display::Display;
use super::endings::problem_of;
use super::error::Problem;
use super::exit::Exit;
use super::facts;
use super::json::{self, Totals};
use super::run::{Ended, EndedJob};
use super::size_time::size;
use super::text::{count, escape};
use crate::base::metainfo::Info;
use crate::engine::plan::{Plan, plan};
use crate::engine::{Item, ItemKey};

/// Shows every item whose metadata is known: its files, or with `planned` what would happen.
///
/// # Errors
/// If nobody reads standard output.
pub fn show(
    ended: Ended,
    planned: bool,
    state_dir: Option<&Path>,
    started: Instant,
    display: &Display,
) -> Result<Exit, Problem> {
    let (items, mut shown, mut worst) = (ended.jobs.len(), 0, Exit::Success);
    for EndedJob { key, item, info, selected } in ended.jobs {
        let (Some(item), Some(info), Some(selected)) = (item, info, selected) else { continue };
        shown += 1;
        if planned {
            let exit = show_plan(key, &item, &info, &selected, state_dir, display)?;
            worst = if worst == Exit::Success { exit } else { worst };
        } else {
            let marks = selected.iter().zip(&info.files).any(|(selected, file)| !selected && !file.pad);
            let head = format!("{}: {}", escape(&info.name), amount(&info, &selected));
            display.result_line(&head)?;
            for line in facts::tree(&info, marks.then_some(&selected)) {
                display.result_line(&line)?;
            }
        }
    }
    let exit = if ended.exit == Exit::Success { worst } else { ended.exit };
    let failed = items - shown;
    let totals =
        Totals { items, complete: shown, failed, seconds: started.elapsed().as_secs_f64(), ..Totals::default() };
    display.json_line(&json::summary(&totals, exit))?;
    Ok(exit)
}

/// `4.5 GiB in 3 files`, `1.2 GiB in 2 of 3 files, of 4.5 GiB`.
fn amount(info: &Info, selected: &[bool]) -> String {
    let (all, total) = (info.stored_files().count(), info.stored_size());
    let chosen: Vec<u64> = info.stored_files().filter(|(at, _)| selected[*at]).map(|(_, file)| file.length).collect();
    let bytes = chosen.iter().sum();
    match chosen.len() {
        n if n == all => format!("{} in {}", size(total), count(all as u64, "file")),
        n => format!("{} in {n} of {}, of {}", size(bytes), count(all as u64, "file"), size(total)),
    }
}

fn show_plan(
    key: ItemKey,
    item: &Item,
    info: &Info,
    selected: &[bool],
    state_dir: Option<&Path>,
    display: &Display,
) -> Result<Exit, Problem> {
    let made = match plan(item, info, selected, state_dir) {
        Ok(made) => made,
        Err(failure) => {
            let problem = problem_of(&info.name, &failure);
            display.json_problem(Some(key), None, &problem)?;
            display.problem(&problem);
            return Ok(problem.exit);
        }
    };
    display.json_line(&json::plan(key, &info.name, &made))?;
    for line in plan_lines(&made, info, selected) {
        display.result_line(&line)?;
    }
    let short = item.check_space && made.free_space.is_some_and(|free| made.needed_space > free);
    Ok(if short { Exit::NoSpace } else { Exit::Success })
}

fn plan_lines(plan: &Plan, info: &Info, selected: &[bool]) -> Vec<String> {
    let free = match plan.free_space {
        Some(free) if free < plan.needed_space => format!("{} free: not enough", size(free)),
        Some(free) => format!("{} free", size(free)),
        None => "free space not known".into(),
    };
    vec![
        format!("{}: {}", escape(&info.name), amount(info, selected)),
        format!("  to        {}", escape(&plan.target.to_string_lossy())),
        format!("  there     {} verified, {} on disk to check", size(plan.there), size(plan.to_check)),
        format!("  to fetch  {}", size(plan.to_fetch)),
        format!("  disk      {} needed, {free}", size(plan.needed_space)),
    ]
}
