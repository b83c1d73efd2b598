//! Programs of others that tests run, fetched when they are missing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// The `bin` directory of a Python environment with these packages, each the newest when it was made. It is kept in
/// `target/tools`; without one and without a network the test fails.
pub fn python_environment(ganger: &Path, packages: &[&str]) -> PathBuf {
    let target = ganger.parent().and_then(Path::parent).expect("ganger's binary is in target/PROFILE");
    let tools = target.join("tools");
    std::fs::create_dir_all(&tools).expect("a directory for tools");
    let place = tools.join(packages.join("-"));
    let lock = File::create(tools.join("lock")).expect("a lock");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock is taken");
    let complete = place.join("complete");
    if !complete.exists() {
        let place = place.to_string_lossy().into_owned();
        run("python3", &["-m", "venv", "--clear", &place]);
        let pip = format!("{place}/bin/pip");
        run(&pip, &[&["install", "--quiet", "--disable-pip-version-check"], packages].concat());
        File::create(&complete).expect("a mark");
    }
    place.join("bin")
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(
        matches!(&status, Ok(status) if status.success()),
        "{program} {}: {status:?}; it needs Debian's python3-venv and the Python package index",
        arguments.join(" ")
    );
}
