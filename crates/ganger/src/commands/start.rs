//! `ganger start`: the app in this terminal, or with `-D` in the background; while it runs, its workers from another
//! terminal.

use std::io::{self, Write};
use std::process::ExitCode;

use ganger_api::{AppFile, Place, Request, WorkersInfo};
use ganger_keeper::HandedRun;
use ganger_overseer::Survivors;

use super::act::act;
use super::daemon::{find, find_all, keep};
use super::{background, readiness, ui};
use crate::ask::{find_running, here, made_here};
use crate::cli::{StartArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::output::show;
use crate::render::{Verb, count};

/// Starts the app, or workers of the app that runs.
pub(crate) fn run(place: &Where, args: &StartArgs) -> Outcome {
    match running_here(place)? {
        Some((running, app)) => beside(&running, &app, args),
        None if args.daemon => background::run(place, args),
        None if args.wait => Err(Failure::usage("there is no running app here to wait for")
            .hinted("`ganger start -D --wait` starts it in the background and waits")),
        None if args.ui => screened(place, args),
        None => foreground(place, args),
    }
}

/// Brings workers of an app up that runs, and waits for them where that is asked for.
fn beside(running: &Place, app: &AppFile, args: &StartArgs) -> Outcome {
    let names = &args.names;
    if names.is_empty() && (args.ui || !args.wait) {
        let failure = Failure::new(format!("{} is already running (pid {})", app.name, app.keeper_pid));
        return Err(failure.hinted(if args.ui {
            "`ganger ui` shows it"
        } else {
            "`ganger ps` lists its workers; `ganger start all` brings up those that are down"
        }));
    }
    if !names.is_empty() {
        let status = act(running, Verb::Start, &Request::Start { names: names.clone() }, args.json)?;
        if !args.wait || status != ExitCode::SUCCESS {
            return Ok(status);
        }
    }
    // Its files may have changed since, or be gone: then only a good exit code means that a worker has done its work.
    let here = Where { root: Some(app.root.clone()), ..Where::default() };
    let spec = load::load(&here, &args.spec, &[]).ok().map(|loaded| loaded.spec);
    let workers = readiness::wait(running, names, spec.as_ref(), args.wait_timeout)?;
    if names.is_empty() {
        let info = WorkersInfo { workers, groups: Vec::new() };
        let text =
            |info: &WorkersInfo| format!("{}: {} ready\n", app.name, count(info.workers.len(), "worker"));
        show(args.json, &info, text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn foreground(place: &Where, args: &StartArgs) -> Outcome {
    let found = survivors(place, args)?;
    keep(std::env::args_os().skip(1), false, found)
}

/// The app has a keeper of its own, since a terminal that shows a screen takes no other output.
fn screened(place: &Where, args: &StartArgs) -> Outcome {
    ui::demand_terminal()?;
    // Its keeper finds those that are to go on.
    drop(survivors(place, args)?);
    let loaded = load::load(place, &args.spec, &args.names)?;
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}"));
    }
    let here = made_here(place)?;
    let (starter, keeper) = background::begin(&here, std::env::args_os().skip(1))?;
    let shown = ui::show(&here, &loaded.spec.app, true);
    starter.wait_end(&keeper);
    shown
}

/// What becomes of workers that survived the death of all of ganger. Those of a terminal end with it, though it comes
/// late; those of an app in the background are to go on, so it is to be said.
fn survivors(place: &Where, args: &StartArgs) -> Result<Option<Survivors>, Failure> {
    if args.adopt {
        return find(place);
    }
    match find_all(place)? {
        Some(survivors) if !(args.end_survivors || survivors.belonged_to_terminal()) => {
            let hint = "`--adopt` goes on with them here, `ganger start -D` in the background; `--end-survivors` ends \
                        them first";
            Err(refusal(&survivors, hint))
        }
        found => found.map_or(Ok(()), end).map(|()| None),
    }
}

/// Ends them, and says so; what had to be killed is named.
fn end(survivors: Survivors) -> Result<(), Failure> {
    let names = names(&survivors);
    if survivors.have_this_process() {
        let failure = Failure::new(format!(
            "this shell belongs to a worker that survives an earlier ganger, and would be ended with it\n{names}"
        ));
        return Err(failure.hinted("start it from another terminal"));
    }
    say(&format!("ending what survives an earlier ganger that was killed\n{names}"));
    for process in &survivors.end() {
        say(&format!("had to kill {process}"));
    }
    Ok(())
}

/// The same under a name that has no flags for survivors, and whose own need none in the background either.
pub(super) fn clear(place: &Where) -> Result<(), Failure> {
    match find_all(place)? {
        Some(survivors) if survivors.belonged_to_terminal() || survivors.are_overminds() => end(survivors),
        Some(survivors) => {
            let hint = "`ganger start -D` goes on with them, `ganger start --end-survivors` ends them first";
            Err(refusal(&survivors, hint))
        }
        None => Ok(()),
    }
}

fn refusal(survivors: &Survivors, hint: &str) -> Failure {
    let (count, verb) = match survivors.runs().count() {
        1 => ("a worker".to_owned(), "survives"),
        count => (format!("{count} workers"), "survive"),
    };
    let names = names(survivors);
    let text = format!("{count} of this app {verb} an earlier ganger that was killed\n{names}");
    Failure::new(text).hinted(hint)
}

/// Names them all, each on a line.
fn names(survivors: &Survivors) -> String {
    survivors.runs().map(named).collect::<Vec<_>>().join("\n")
}

fn named(run: &HandedRun) -> String {
    let command = std::fs::read(format!("/proc/{}/cmdline", run.pid)).unwrap_or_default();
    if command.is_empty() {
        return format!("{}: what is left of its run with pid {}, which has ended", run.worker, run.pid);
    }
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let since = started(run.pid).map_or_else(String::new, |since| format!(", since {since}"));
    format!("{} (pid {}{since}): {}", run.worker, run.pid, words.join(" ").trim_end())
}

/// When a process started, for people.
fn started(pid: u32) -> Option<String> {
    let made = std::fs::metadata(format!("/proc/{pid}")).ok()?.modified().ok()?;
    let at = jiff::Timestamp::try_from(made).ok()?.to_zoned(jiff::tz::TimeZone::system());
    Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Tells something beside the result; a closed stderr does not matter.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "ganger: {text}");
}

/// The app of this directory, if it runs; one of a directory above is another app.
pub(super) fn running_here(place: &Where) -> Result<Option<(Place, AppFile)>, Failure> {
    let here = here(place)?;
    let found = find_running(place)?;
    Ok(found.filter(|(running, _)| place.app.is_some() || running.id == here.id))
}
