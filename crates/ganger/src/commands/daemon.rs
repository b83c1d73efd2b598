//! `ganger daemon`: the app, or all that were added, without a terminal, in this process.

use std::ffi::OsString;
use std::path::PathBuf;

use ganger_api::{AppsInfo, Data, Environment, Request};
use ganger_keeper::OverseerCommand;

use super::app::none_added;
use crate::ask::current_dir;
use crate::cli::{DaemonArgs, Where};
use crate::failure::{Failure, Outcome};

/// Runs the app until it is told to end.
pub(crate) fn run(place: &Where, args: &DaemonArgs) -> Outcome {
    if is_for_all(place, args)? {
        let none = Data::Apps(AppsInfo::default());
        // A daemon that runs already is the overseer's to find.
        let known = ganger_overseer::edit(&Environment::of_process(), &Request::Apps);
        if known.is_ok_and(|known| known == Ok(none)) {
            return Err(none_added());
        }
    }
    keep(std::env::args_os().skip(1), true)
}

/// Whether all apps that were added are meant: no app is named, and there is none in this directory.
pub(crate) fn is_for_all(place: &Where, args: &DaemonArgs) -> Result<bool, Failure> {
    let here = current_dir()?;
    let nothing_is_said = *place == Where::default() && *args == DaemonArgs::default();
    Ok(nothing_is_said && !["Procfile", "ganger.toml"].iter().any(|name| here.join(name).exists()))
}

/// This process becomes the keeper, of an overseer that is given these words.
pub(crate) fn keep(words: impl IntoIterator<Item = OsString>, background: bool) -> Outcome {
    let args = std::iter::once("overseer".into()).chain(words).collect();
    Ok(ganger_keeper::keep(OverseerCommand { program: program()?, args, background }).into())
}

/// The program of this process, which is started again for each of ganger's parts.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find the program of this process: {error}")))
}
