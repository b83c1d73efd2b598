//! Other programs, run to their end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The directory of the workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(program, arguments)
}

/// Runs a program in the workspace; an error unless it succeeds. Signals that we were started to ignore, as in the background
/// of a script or under `nohup`, reach it all the same: tests press Ctrl-C.
pub(crate) fn run(program: impl Into<OsString>, arguments: &[&str]) -> Result<()> {
    let program = program.into();
    let shown = format!("{} {}", Path::new(&program).display(), arguments.join(" "));
    eprintln!("$ {shown}");
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(&program).args(arguments).current_dir(root());
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Where a program is, if it is in the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_where_the_lock_file_is() {
        assert!(root().join("Cargo.lock").exists());
    }

    #[test]
    fn a_shell_is_found_and_nonsense_is_not() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        assert!(run("true", &[]).is_ok());
        assert!(run("false", &[]).is_err_and(|error| error.to_string().contains("false")));
        assert!(run("no-such-program-anywhere", &[]).is_err());
    }
}
