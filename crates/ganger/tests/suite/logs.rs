//! `ganger logs`: the same lines while the app runs and afterwards.

use ganger_api::LogLine;
use ganger_testkit::Sandbox;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::*;

const APP: &str =
    "web: seq -f 'line %.0f' 1 20; echo ready; read x < gate; echo after; exec tail -f /dev/null
     job: echo from job; echo ready; exec tail -f /dev/null";

/// The time and text of each line of `web`.
fn timed(sandbox: &Sandbox) -> Vec<(Timestamp, String)> {
    let text = sandbox.run(["logs", "web", "--json"]).success();
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = value["time"].as_str().and_then(|time| time.parse().ok());
        time.zip(value["text"].as_str().map(str::to_owned)).unwrap_or_else(|| panic!("{value:#}"))
    };
    text.lines().map(line).collect()
}

/// Everything that can be chosen; the times are those of the lines themselves.
fn all_choices(sandbox: &Sandbox) {
    assert_eq!(raw(sandbox, &["web", "-n", "3"]), ["line 20", "ready", "after"]);
    assert_eq!(raw(sandbox, &["web", "-n", "0"]), [""; 0]);
    assert_eq!(raw(sandbox, &["web", "-n", "1000"]).len(), 22);
    assert_eq!(raw(sandbox, &["job"]), ["from job", "ready"]);
    assert_eq!(raw(sandbox, &["web", "--grep", "line 2"]), ["line 2", "line 20"]);
    assert_eq!(raw(sandbox, &["web", "--grep", "line", "-n", "2"]), ["line 19", "line 20"]);
    assert_eq!(raw(sandbox, &["--grep", "from"]), ["from job"]);
    assert_eq!(
        raw(sandbox, &["web", "--grep", "^LINE 1.$", "-i", "-n", "3"]),
        ["line 17", "line 18", "line 19"]
    );
    assert_eq!(raw(sandbox, &["--grep", "^line", "-v", "web"]), ["ready", "after"]);
    let stamped = sandbox.run(["logs", "job", "-n", "1", "--timestamps=year %Y", "--no-names"]).success();
    assert!(stamped.starts_with("year 20") && stamped.ends_with(" ready\n"), "{stamped:?}");
    assert!(
        sandbox.run(["logs", "job", "-n", "1", "--no-names", "--names"]).success().starts_with("job.1 |")
    );
    assert_eq!(raw(sandbox, &["--grep", "nothing like this"]), [""; 0]);
    assert_eq!(raw(sandbox, &["--since", "1h"]).len(), 24);
    assert_eq!(raw(sandbox, &["--until", "1h"]), [""; 0]);
    assert_eq!(raw(sandbox, &["--since", "2999-01-01"]), [""; 0]);
    let lines = timed(sandbox);
    assert_eq!(lines.len(), 22, "{lines:?}");
    let chosen = |wanted: &dyn Fn(Timestamp) -> bool| -> Vec<&str> {
        lines.iter().filter(|(time, _)| wanted(*time)).map(|(_, text)| text.as_str()).collect()
    };
    let (first, last) = (lines[0].0, lines[21].0);
    let (at_first, at_last) = (first.to_string(), last.to_string());
    assert_eq!(raw(sandbox, &["web", "--since", &at_last]), chosen(&|time| time >= last));
    assert_eq!(raw(sandbox, &["web", "--until", &at_last]), chosen(&|time| time < last));
    assert_eq!(raw(sandbox, &["web", "--since", &at_first]).len(), 22);
    assert_eq!(raw(sandbox, &["web", "--until", &at_first]), [""; 0], "a time is before what begins at it");
    let both = raw(sandbox, &["web", "--since", &at_first, "--until", &at_last, "-n", "2"]);
    let between = chosen(&|time| time < last);
    assert_eq!(both, between[between.len().saturating_sub(2)..]);
}

#[test]
fn lines_are_chosen_by_number_time_and_text_while_the_app_runs_and_afterwards() {
    let sandbox = sandbox_with(APP);
    gate(&sandbox, "gate");
    let running = started(&sandbox, 2);
    open_gate(&sandbox, "gate");
    running.wait_line("| after");
    all_choices(&sandbox);
    interrupted(&sandbox, running);
    all_choices(&sandbox);
}

#[test]
fn what_cannot_be_chosen_is_an_error_while_the_app_runs_and_afterwards() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let refuse = || {
        sandbox.run(["logs", "web", "--since", "soon"]).error(&["soon"]);
        sandbox.run(["logs", "nosuch"]).error(&["nosuch"]);
        sandbox.run(["logs", "--grep", "a[b"]).error(&["a[b", "unclosed character class", "backslash"]);
        for (word, said) in [("-v", "--grep"), ("-t=soon", "clock, iso, unix")] {
            let finished = sandbox.run(["logs", word]);
            finished.expect_code(2);
            assert_said(&finished, &[said]);
        }
    };
    let running = started(&sandbox, 1);
    refuse();
    interrupted(&sandbox, running);
    refuse();
}

#[test]
fn a_follower_sees_a_worker_that_came_later() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let followers = [sandbox.start(["logs", "-f"]), sandbox.start(["logs", "-f", "web"])];
    for follower in &followers {
        follower.wait_line("web.1 | ready");
    }
    sandbox.run(["scale", "web=2"]).expect_code(0);
    for follower in &followers {
        follower.wait_line("web.2 | ready");
    }
    running.signal(rustix::process::Signal::INT);
    for follower in followers {
        follower.finish(ganger_testkit::Deadline::generous()).expect_code(0);
    }
    ended(&sandbox, running);
}

/// What was exported, put together as it was written.
fn put_together(exported: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in exported.lines() {
        let line: LogLine = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        bytes.extend(line.text.to_bytes());
        if line.newline {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[test]
fn an_export_has_the_exact_bytes_while_the_app_runs_and_afterwards() {
    let sandbox = sandbox_with(
        "web: printf 'a\\377\\n\\n'; seq 1 15000; printf 'ready\\nno end'; exec tail -f /dev/null",
    );
    let running = sandbox.start(["start"]);
    running.wait_line("| ready");
    let mut written = b"a\xff\n\n".to_vec();
    written.extend((1..=15000).flat_map(|n| format!("{n}\n").into_bytes()));
    written.extend(b"ready\nno end");
    let export = || {
        let file = sandbox.root().join("out.jsonl");
        let to = file.display().to_string();
        sandbox.run(["logs", "web", "--export", &to]).expect_code(0);
        let exported = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(put_together(&exported) == written, "{} bytes of JSON", exported.len());
        assert_eq!(sandbox.run(["logs", "--export", "-"]).success(), exported);
        let some = sandbox.run(["logs", "--export", "-", "--grep", "^1499.$", "-n", "2"]).success();
        assert_eq!(put_together(&some), b"14998\n14999\n");
        sandbox.run(["logs", "--export", "/dev/full"]).error(&["cannot export to /dev/full", "o space left"]);
        sandbox.run(["logs", "nosuch", "--export", "other"]).error(&["nosuch"]);
        assert!(!sandbox.root().join("other").exists());
    };
    export();
    interrupted(&sandbox, running);
    export();
}

#[test]
fn the_names_of_all_lines_are_equally_wide_while_the_app_runs_and_after_it() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\nlonger-name: {OBEDIENT}"));
    let running = started(&sandbox, 2);
    let assert_aligned = || {
        let told = sandbox.run(["logs"]).success();
        let bars: Vec<_> = told.lines().map(|line| line.find('|')).collect();
        assert_eq!(bars, [Some("longer-name.1 ".len()); 2], "{told}");
    };
    assert_aligned();
    interrupted(&sandbox, running);
    assert_aligned();
}
