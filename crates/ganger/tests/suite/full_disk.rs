//! A full disk stops nothing: it is reported, and no line is lost.

use crate::support::*;

/// Words that run the rest in a mount namespace of its own, where the state directory is a disk of one MiB; `fill`
/// KiB of it are taken by the file `ballast`.
fn on_a_small_disk(fill: u32) -> Vec<String> {
    let script = format!(
        "mount -t tmpfs -o size=1m none \"$GANGER_STATE_DIR\" && chmod 700 \"$GANGER_STATE_DIR\" &&
         {{ head -c {fill}k /dev/zero > \"$GANGER_STATE_DIR/ballast\" 2>/dev/null || :; }} && exec \"$@\""
    );
    let user = if is_root() { None } else { Some("--map-root-user".to_owned()) };
    let words = ["unshare", "--mount"].map(str::to_owned).into_iter().chain(user);
    words.chain(["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]).collect()
}

#[test]
fn a_disk_that_is_full_from_the_start_is_an_error() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let finished = sandbox.ganger(["start"]).through(on_a_small_disk(2048)).run();
    finished.error(&["o space left"]);
    sandbox.assert_nothing_left();
}

#[test]
fn a_disk_that_fills_up_holds_lines_back_until_there_is_room() {
    let sandbox = sandbox_with(
        "web: echo ready; seq -f 'line %.0f of forty bytes or thereabouts' 1 8000; echo all written; \
         exec tail -f /dev/null",
    );
    let running = sandbox.ganger(["start"]).through(on_a_small_disk(900)).start_merged();
    running.wait_line("| ready");
    running.wait_line("o space left");
    // The disk is in a mount namespace of its own: seen through a process that lives there.
    let ballast = format!("/proc/{}/root{}/state/ballast", running.pid(), sandbox.root().display());
    let removed = std::fs::remove_file(&ballast);
    assert!(removed.is_ok(), "{ballast}: {removed:?}");
    running.wait_line("| all written");
    let output = interrupted(&sandbox, running).output;
    let numbers = output
        .lines()
        .filter_map(|line| line.split_once("| line ")?.1.split(' ').next()?.parse::<u32>().ok());
    assert!(numbers.eq(1..=8000), "every line once and in order:\n{output}");
}
