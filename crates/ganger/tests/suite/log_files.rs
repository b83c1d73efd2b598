//! The files of the logs: what is kept, compressed, apart.

use std::path::PathBuf;

use ganger_testkit::{Deadline, Sandbox, kill_nine, wait_for_file};

use crate::support::*;

/// Where the logs of the app are.
fn logs(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("logs")
}

#[test]
fn stderr_that_is_kept_apart_is_shown_with_stdout_and_chosen_by_its_name() {
    let sandbox = sandbox_with(
        "web: echo out; read x < gate1; echo err >&2; read x < gate2; echo late >&2; echo done; exec tail -f /dev/null",
    );
    sandbox.file("ganger.toml", "[groups.web.logs]\nstderr = 'separate'\n");
    gate(&sandbox, "gate1");
    gate(&sandbox, "gate2");
    let running = sandbox.start(["start"]);
    running.wait_line("web.1     | out");
    open_gate(&sandbox, "gate1");
    running.wait_line("web.1.err | err");
    // The one that comes after it finds both pipes.
    kill_nine(running.child_with("overseer"), Deadline::generous());
    open_gate(&sandbox, "gate2");
    running.wait_line("web.1.err | late");
    running.wait_line("web.1     | done");
    let chosen = || {
        assert_eq!(raw(&sandbox, &["web.1.err"]), ["err", "late"]);
        assert_eq!(raw(&sandbox, &["--stderr"]), ["err", "late"]);
        assert_eq!(raw(&sandbox, &["web", "--stderr", "-n", "1"]), ["late"]);
        assert_eq!(raw(&sandbox, &["web", "--stdout"]), ["out", "done"]);
        let json = sandbox.run(["logs", "--json"]).success();
        let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let lines: Vec<_> = json.lines().map(value).collect();
        let of = |text: &str| lines.iter().find(|line| line["text"] == text).unwrap();
        assert_eq!((&of("done")["worker"], &of("done")["stream"]), (&"web.1".into(), &"stdout".into()));
        assert_eq!((&of("late")["worker"], &of("late")["stream"]), (&"web.1".into(), &"stderr".into()));
        let mut all = raw(&sandbox, &["web"]);
        assert_eq!(all[..2], ["out", "err"]);
        all.sort();
        assert_eq!(all, ["done", "err", "late", "out"]);
    };
    chosen();
    assert_eq!(std::fs::read(logs(&sandbox).join("web.1.log")).unwrap(), b"out\ndone\n");
    interrupted(&sandbox, running);
    chosen();
}

#[test]
fn stderr_that_is_not_kept_apart_cannot_be_chosen() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let refused = || {
        sandbox.run(["logs", "web", "--stderr"]).error(&["no stderr is kept apart", "separate"]);
        assert_eq!(raw(&sandbox, &["web", "--stdout"]), ["ready"]);
        let json = sandbox.run(["logs", "--json"]).success();
        assert!(json.contains(r#""worker":"web.1","stream":"output""#), "{json}");
    };
    let running = started(&sandbox, 1);
    refused();
    interrupted(&sandbox, running);
    refused();
}

#[test]
fn a_reload_changes_how_output_is_kept_and_restarts_nobody() {
    let sandbox = sandbox_with(
        "web: echo ready; read x < gate; seq -f 'line %.0f of the log' 1 20000; echo end; exec tail -f /dev/null",
    );
    gate(&sandbox, "gate");
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    sandbox.file("ganger.toml", "[logs]\nmax_size = '64KiB'\nkeep = 3\ncompress = true\n");
    let plan = sandbox.run(["reload"]).success();
    assert!(plan.contains("web: logs changed, in force at once"), "{plan}");
    open_gate(&sandbox, "gate");
    running.wait_line("| end");
    for slot in 1..=3 {
        let packed = logs(&sandbox).join(format!("web.1.log.{slot}.zst"));
        wait_for_file(packed, Deadline::generous(), |text| !text.is_empty()).unwrap();
    }
    assert_eq!(pid(&sandbox, "web.1"), web);
    let kept = raw(&sandbox, &["web"]);
    interrupted(&sandbox, running);
    assert_eq!(raw(&sandbox, &["web"]), kept);
    // What comes at once is not divided: a busy machine may fill the files with all of it.
    let numbered = (1..=20000).map(|n| format!("line {n} of the log"));
    let lines: Vec<String> = ["ready".to_owned()].into_iter().chain(numbered).collect();
    assert!(kept.len() > 7000, "{}", kept.len());
    assert_eq!(kept.last().map(String::as_str), Some("end"));
    assert!(lines.ends_with(&kept[..kept.len() - 1]), "no line is missing among those that are kept");
    assert!((1..=3).all(|slot| !logs(&sandbox).join(format!("web.1.log.{slot}")).exists()));
}

#[test]
fn what_is_damaged_is_told_after_the_rest_and_no_file_is_exported() {
    let sandbox = sandbox_with("web: seq -f 'line %.0f' 1 20000; echo end; exec tail -f /dev/null");
    sandbox.file("ganger.toml", "[logs]\nmax_size = '64KiB'\nkeep = 9\ncompress = true\n");
    let running = sandbox.start(["start"]);
    running.wait_line("| end");
    let packed = logs(&sandbox).join("web.1.log.2.zst");
    wait_for_file(packed.clone(), Deadline::generous(), |text| !text.is_empty()).unwrap();
    sandbox.run(["logs", "--export", "whole.jsonl"]).expect_code(0);
    let damaged = std::fs::write(&packed, "garbage");
    assert!(damaged.is_ok(), "{damaged:?}");
    let told = |sandbox: &Sandbox| {
        let finished = sandbox.ganger(["logs", "--raw", "web"]).run();
        assert!(finished.output.contains("line 1\n") && finished.output.contains("\nend\n"));
        finished.error(&["bytes of the logs are missing", "removed by rotation, or are damaged"]);
        sandbox.run(["logs", "--export", "torn.jsonl"]).error(&["bytes of the logs are missing"]);
        assert!(!sandbox.app().join("torn.jsonl").exists());
    };
    told(&sandbox);
    interrupted(&sandbox, running);
    told(&sandbox);
    assert!(sandbox.app().join("whole.jsonl").exists());
}
