//! The picture of `ganger ui` in the README: the shop of `examples`, run for a while in a terminal of its own.

mod svg;

use std::path::Path;

use anyhow::{Context, Result};
use ganger_testkit::{Deadline, Sandbox};

use crate::command::{cargo, root};

/// Where it is.
const PATH: &str = "docs/ui.svg";
/// So many customers have come by then: somebody wanted what the shop does not have, and the log is full.
const LAST: &str = "customer 8:";

/// Makes it.
pub(crate) fn run() -> Result<()> {
    cargo(&["build", "--package", "ganger"])?;
    let sandbox = Sandbox::new(root().join("target/debug/ganger"));
    let shop = sandbox.app().join("shop");
    copy(&root().join("examples/shop"), &shop).context("cannot copy examples/shop")?;
    sandbox.ganger(["start", "-D"]).dir(&shop).run().success();
    let screen = sandbox.ganger(["ui"]).dir(&shop).env("TERM", "xterm-256color").start_on_terminal();
    let (mut screen, terminal) = screen;
    let picture = screen.wait_terminal(LAST);
    terminal.press("q");
    screen.wait_exit(Deadline::generous());
    sandbox.ganger(["quit"]).dir(&shop).run().success();
    let path = root().join(PATH);
    std::fs::write(&path, svg::of(&picture)).with_context(|| format!("cannot write {PATH}"))?;
    println!("{PATH}: look at it before you commit it");
    Ok(())
}

/// The files of a directory, but not what an earlier run left in directories of it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}
