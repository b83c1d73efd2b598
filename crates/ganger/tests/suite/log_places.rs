//! Logs that are elsewhere than in the store: in a file, on the app's own stdout, nowhere.

use std::path::Path;

use ganger_testkit::{Deadline, kill_nine, wait_for_file};

use crate::support::*;

fn wait_for(path: &Path, wanted: &str) {
    let whole = wait_for_file(path, Deadline::generous(), |text| text == wanted);
    assert!(whole.is_ok(), "{whole:?}");
}

#[test]
fn a_worker_has_a_log_file_of_its_own_that_others_may_take_away() {
    let sandbox = sandbox_with(
        "web: echo one; read x < gate1; echo two; read x < gate2; echo three; exec tail -f /dev/null",
    );
    sandbox.file("ganger.toml", "[groups.web.logs]\nfile = 'web.{number}.log'\n");
    sandbox.file("web.1.log", "old\n");
    gate(&sandbox, "gate1");
    gate(&sandbox, "gate2");
    let path = sandbox.app().join("web.1.log");
    let running = sandbox.start(["start"]);
    running.wait_line("| one");
    assert!(!running.output().contains("| old"), "{}", running.output());
    wait_for(&path, "old\none\n");
    // As logrotate does it; and the overseer dies before it could know.
    sandbox.program(["mv", "web.1.log", "web.1.log.1"]).run().expect_code(0);
    kill_nine(running.child_with("overseer"), Deadline::generous());
    open_gate(&sandbox, "gate1");
    running.wait_line("| two");
    wait_for(&path, "two\n");
    sandbox.program(["rm", "web.1.log"]).run().expect_code(0);
    open_gate(&sandbox, "gate2");
    running.wait_line("| three");
    wait_for(&path, "three\n");
    assert_eq!(raw(&sandbox, &["web.1"]), ["old", "one", "three"]);
    interrupted(&sandbox, running);
    assert_eq!(raw(&sandbox, &["web.1"]), ["old", "one", "three"]);
}

#[test]
fn an_overseer_that_dies_while_a_log_file_is_rotated_loses_no_line() {
    let sandbox = sandbox_with(
        "web: echo ready; read x < gate; seq -f 'line %.0f of the log' 1 60000; echo end; exec tail -f /dev/null",
    );
    sandbox.file("ganger.toml", "[groups.web.logs]\nfile = 'web.log'\nmax_size = '16KiB'\nkeep = 1000\n");
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    open_gate(&sandbox, "gate");
    for (death, slot) in [3, 20, 50].into_iter().enumerate() {
        let path = sandbox.app().join(format!("web.log.{slot}"));
        assert!(wait_for_file(path, Deadline::generous(), |text| !text.is_empty()).is_ok());
        kill_nine(running.child_with("overseer"), Deadline::generous());
        running.wait_lines("the overseer was started again", death + 1);
    }
    running.wait_line("| end");
    let mut lines: Vec<String> = (1..=60000).map(|n| format!("line {n} of the log")).collect();
    lines.insert(0, "ready".to_owned());
    lines.push("end".to_owned());
    let found = raw(&sandbox, &["web"]);
    let differs = found.iter().zip(&lines).position(|(found, line)| found != line);
    assert_eq!((found.len(), differs), (lines.len(), None), "{:?}", differs.map(|n| &found[n]));
    let cat = "for n in $(ls web.log.* | sort -t. -k3 -rn) web.log; do cat $n; done";
    let text = sandbox.program(["sh", "-c", cat]).run().success();
    assert!(text.lines().eq(lines.iter().map(String::as_str)), "the files are the log");
    let too_long = sandbox.program(["find", ".", "-name", "web.log*", "-size", "+16k"]).run().success();
    assert_eq!(too_long, "", "the limit holds from the first byte that an overseer stores");
    interrupted(&sandbox, running);
}

#[test]
fn what_goes_to_the_apps_own_stdout_or_nowhere_is_written_by_workers_as_ever() {
    let sandbox = sandbox_with(
        "web: echo hello; echo oops >&2; exec tail -f /dev/null\nmute: seq 1 100000; echo end > done; exec tail -f /dev/null",
    );
    sandbox.file(
        "ganger.toml",
        "[groups.web.logs]\nfile = '/dev/stdout'\nstderr = 'separate'\nerr_file = 'err.log'\n[groups.mute.logs]\nfile = false\n",
    );
    let running = sandbox.start(["start"]);
    wait_for(&sandbox.app().join("done"), "end\n");
    wait_for(&sandbox.app().join("err.log"), "oops\n");
    // As the app shows it, and as it is.
    let shown = running.wait_lines("hello", 2);
    assert!(shown.iter().any(|line| line == "hello"), "{shown:?}");
    assert_eq!(raw(&sandbox, &["web", "--stdout"]), ["hello"]);
    assert_eq!(raw(&sandbox, &["mute"]), [""; 0]);
    interrupted(&sandbox, running);
    assert_eq!(raw(&sandbox, &["web", "--stderr"]), ["oops"]);
}

#[test]
fn a_log_file_whose_directory_is_missing_is_named_with_a_hint() {
    let sandbox = sandbox_with("web: echo hello");
    sandbox.file("ganger.toml", "[groups.web.logs]\nfile = 'none/web.log'\n");
    let running = sandbox.start(["start"]);
    running.wait_line("none/web.log");
    running.wait_line("hint: the directory of a log's file must be there: make it");
    interrupted(&sandbox, running);
}
