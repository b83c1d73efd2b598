//! Where the values of variables are to be found, and where they are not.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ganger_testkit::Sandbox;

use crate::support::*;

/// What both values of the variable contain.
const SECRET: &str = "xyzzy-hush";

/// Every directory and regular file below a path.
fn below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap()) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(below(&entry.path()));
        }
        if kind.is_dir() || kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// What ganger keeps of all apps of this sandbox.
fn kept(sandbox: &Sandbox) -> Vec<PathBuf> {
    ["state", "run"].into_iter().flat_map(|name| below(&sandbox.root().join(name))).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn contains(text: &[u8], wanted: &str) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// The names of the files that have the secret in them.
fn with_secret(sandbox: &Sandbox) -> Vec<String> {
    let tells = |path: &PathBuf| path.is_file() && contains(&fs::read(path).unwrap(), SECRET);
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    kept(sandbox).into_iter().filter(tells).map(name).collect()
}

#[test]
fn the_value_of_a_variable_is_in_the_ledger_and_nowhere_else() {
    let sandbox = sandbox_with(&format!("web: [ -n \"$HUSH\" ] && {OBEDIENT}"));
    sandbox.file(".env", &format!("HUSH={SECRET}-1\n"));
    let running = started(&sandbox, 1);
    let told = |words: &[&str]| {
        let finished = sandbox.ganger_with(words).run();
        finished.expect_code(0);
        assert!(!said(&finished).contains(SECRET), "ganger {words:?} tells it:\n{finished}");
    };
    told(&["restart", "web"]);
    sandbox.file(".env", &format!("HUSH={SECRET}-2\n"));
    told(&["reload"]);
    running.wait_lines("| ready", 3);
    for words in [&["ps"][..], &["why", "web.1"], &["events"], &["doctor"], &["logs"]] {
        told(words);
    }
    for command in ["ps", "events", "doctor", "logs"] {
        told(&[command, "--json"]);
    }
    let processes = sandbox.census();
    assert!(processes.len() >= 3, "a keeper, an overseer and a worker: {processes:#?}");
    assert!(processes.iter().all(|process| !process.command.contains(SECRET)), "{processes:#?}");
    assert_eq!(with_secret(&sandbox), ["ledger"]);
    let finished = interrupted(&sandbox, running);
    assert!(!said(&finished).contains(SECRET), "{finished}");
}

#[test]
fn what_is_kept_of_an_app_is_for_its_user_alone() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    // With any umask.
    let running = sandbox.ganger(["start"]).through(["sh", "-c", "umask 0; exec \"$@\"", "sh"]).start();
    running.wait_line("| ready");
    let paths = kept(&sandbox);
    assert!(paths.iter().any(|path| path.ends_with("web.1.log")), "{paths:#?}");
    for path in &paths {
        if path.is_file() {
            assert_eq!(mode(path), 0o600, "{}", path.display());
        }
    }
    for base in ["state", "run"] {
        for app in fs::read_dir(sandbox.root().join(base)).unwrap() {
            let app = app.unwrap().path();
            assert!(!app.is_dir() || mode(&app) == 0o700, "{}", app.display());
        }
    }
    interrupted(&sandbox, running);
}
