//! Everything that a change must pass.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::check;
use crate::command::{self, cargo, find};

/// What the tests start besides cargo: the program and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("setsid", "util-linux"),
    ("unshare", "util-linux"),
    ("prlimit", "util-linux"),
    ("env", "coreutils"),
    ("mkfifo", "coreutils"),
    ("find", "findutils"),
    ("strace", "strace"),
    ("php", "php-cli"),
    ("beanstalkd", "beanstalkd"),
    ("less", "less"),
    ("vim", "vim"),
    ("nano", "nano"),
    ("htop", "htop"),
    ("top", "procps"),
    ("tmux", "tmux"),
    ("make", "make"),
    ("setpriv", "util-linux"),
    ("pg_ctlcluster", "postgresql"),
    ("ruby", "ruby"),
];

/// What these programs must be able to load: the words that try it, and the Debian package that has it.
const NEEDED_INSIDE: [(&str, &[&str], &str); 3] = [
    ("python3", &["-c", "import ensurepip"], "python3-venv"),
    (DEBIANS_PYTHON, &["-c", "import psycopg2"], "python3-psycopg2"),
    ("ruby", &["-e", "require 'xmlrpc/client'"], "ruby-xmlrpc"),
];
/// The Python whose modules are Debian's packages, whatever else is called so.
const DEBIANS_PYTHON: &str = "/usr/bin/python3";

/// The quick loop, then the whole program against the kernel.
pub(crate) fn run() -> Result<()> {
    install_what_is_missing()?;
    check::run()?;
    cargo(&["build", "--package", "ganger", "--package", "ganger-dummy"])?;
    cargo(&["test", "--package", "ganger", "--test", "*"])?;
    println!("passed: format, tidiness, lints, unit tests, simulator, the whole program");
    Ok(())
}

fn install_what_is_missing() -> Result<()> {
    let programs = NEEDED.iter().filter(|(program, _)| find(program).is_none());
    let inside = NEEDED_INSIDE.iter().filter(|(program, words, _)| command::run(program, words).is_err());
    let programs = programs.map(|(_, package)| *package);
    let mut packages: Vec<&str> = programs.chain(inside.map(|(.., package)| *package)).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let by_hand = format!("install these Debian packages: {list}");
    if find("apt-get").is_none() || !is_root() {
        bail!("the tests need programs that are not here; {by_hand}");
    }
    command::run("apt-get", &["update", "--quiet"]).with_context(|| by_hand.clone())?;
    let arguments = [&["install", "--yes", "--quiet", "--no-install-recommends"], &*packages].concat();
    command::run("apt-get", &arguments).context(by_hand)
}

/// Root may write where packages are.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
