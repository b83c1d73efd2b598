//! From the command line to a spec.

use std::path::PathBuf;

use ganger_spec::{Loaded, Options, Terminals};

use crate::ask::current_dir;
use crate::cli::{SpecArgs, Where};
use crate::failure::Failure;

/// What the command line says, for the spec; `groups` are those to start, all if none.
pub(crate) fn to_options(
    place: &Where,
    args: &SpecArgs,
    groups: &[String],
    dir: PathBuf,
    environment: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Options {
    Options {
        dir,
        file: place.procfile.clone(),
        root: place.root.clone(),
        env_files: (!args.env.is_empty()).then(|| args.env.clone()),
        formation: args.formation.clone(),
        port: args.port.clone(),
        groups: groups.to_vec(),
        timeout: args.timeout.clone(),
        can_die: args.can_die.clone(),
        any_can_die: args.any_can_die,
        auto_restart: args.auto_restart.clone(),
        forward: args.forward.clone(),
        background: false,
        without_groups: false,
        again: false,
        is_root: rustix::process::geteuid().is_root(),
        terminals: Terminals::default(),
        overmind: None,
        inherited: environment.into_iter().collect(),
    }
}

/// The options of this process: its directory and its environment.
pub(crate) fn options(place: &Where, args: &SpecArgs, groups: &[String]) -> Result<Options, Failure> {
    Ok(to_options(place, args, groups, current_dir()?, std::env::vars_os()))
}

/// The spec of the app here.
pub(crate) fn load(place: &Where, args: &SpecArgs, groups: &[String]) -> Result<Loaded, Failure> {
    Ok(ganger_spec::load(&options(place, args, groups)?)?)
}
