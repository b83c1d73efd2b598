//! The stock supervisord's own parser, from `PyPI`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The variables that both parsers see.
pub(crate) const VARIABLES: [(&str, &str); 4] =
    [("HOME", "/root"), ("STAGE", "test"), ("PERCENT", "100%"), ("QUOTED", "it's")];

/// The directory of the package, installed on the first use.
pub(crate) fn package() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("supervisor-package");
    if target.join("supervisor/options.py").is_file() {
        return target;
    }
    let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    let installed = pip.arg(fresh.path().join("p")).args(["supervisor", "setuptools<81"]).output();
    let output = installed.expect("python3 is there: `cargo xtask test` installs it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "pip cannot install supervisor, which this test compares with: {errors}"
    );
    // Another test may have been faster: then what is there is as good.
    let _ = std::fs::rename(fresh.path().join("p"), &target);
    assert!(target.join("supervisor/options.py").is_file(), "the package has no options.py");
    target
}

/// What supervisord makes of each file, all started in this directory.
pub(crate) fn parse(dir: &Path, files: &[PathBuf]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/supervisor/parse.py");
    let mut python = Command::new("python3");
    python.arg(script).current_dir(dir).env_clear().envs(inherited());
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let list = serde_json::to_vec(files).unwrap();
    child.stdin.take().unwrap().write_all(&list).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "parse.py has failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The whole environment of both parsers.
pub(crate) fn inherited() -> BTreeMap<OsString, OsString> {
    let own = VARIABLES.map(|(name, value)| (name.into(), value.into()));
    let pythons = [
        ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
        ("PYTHONPATH".into(), package().into()),
        ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
    ];
    own.into_iter().chain(pythons).collect()
}
