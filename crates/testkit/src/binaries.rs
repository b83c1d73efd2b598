//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `ganger-dummy` in the directory of `ganger`; built by cargo first when it is not there.
pub fn dummy_beside(ganger: &Path) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_dummy(ganger)).clone()
}

fn build_dummy(ganger: &Path) -> PathBuf {
    let directory = ganger.parent().expect("ganger's binary is in a directory");
    let dummy = directory.join("ganger-dummy");
    if dummy.exists() {
        return dummy;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "ganger-dummy"]);
    if directory.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    if let Some(target) = directory.parent() {
        build.env("CARGO_TARGET_DIR", target);
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
    assert!(status.success() && dummy.exists(), "cargo did not build {}", dummy.display());
    dummy
}
