//! Event listeners of a supervisord.conf: what they are told, in which order, whoever of ganger dies.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use ganger_testkit::{Deadline, Running, Sandbox, kill_nine};

use crate::support::*;

/// A listener that notes each event in `heard`, in one line, and answers with what the file `answer` says, or OK; where there
/// is a named pipe `gate`, only after a line came out of it.
const LISTENER: &str = r"
import os, sys
notes = open('heard', 'a', buffering=1)
while True:
    sys.stdout.write('READY\n')
    sys.stdout.flush()
    line = sys.stdin.readline()
    header = dict(word.split(':', 1) for word in line.split())
    payload = sys.stdin.read(int(header['len']))
    notes.write('%(serial)s/%(poolserial)s %(pool)s %(server)s %(eventname)s ' % header + repr(payload) + '\n')
    try:
        open('gate').readline()
    except FileNotFoundError:
        pass
    answer = open('answer').read() if os.path.exists('answer') else 'OK'
    if answer == 'die':
        os.remove('answer')
        os._exit(7)
    sys.stdout.write('RESULT %d\n%s' % (len(answer), answer))
    sys.stdout.flush()
";

/// A daemon with a listener to these events, and programs.
fn listening(sandbox: &Sandbox, events: &str, programs: &str) -> Running {
    sandbox.file("listener.py", LISTENER);
    daemon(sandbox, events, programs)
}

/// The same, with the listener that is there.
fn daemon(sandbox: &Sandbox, events: &str, programs: &str) -> Running {
    let mut conf = String::new();
    let here = sandbox.app();
    let _ = write!(
        conf,
        "[supervisord]\nidentifier=boss\n\n[eventlistener:mail]\ncommand=python3 -u listener.py\ndirectory={}\n\
         events={events}\nstartsecs=0\nstopwaitsecs=2\n\n{programs}",
        here.display()
    );
    sandbox.file("supervisord.conf", &conf);
    sandbox.start(["daemon", "-c", "supervisord.conf"])
}

/// A program that goes on until it is stopped.
const OBEDIENT_PROGRAM: &str = "[program:web]\ncommand=tail -f /dev/null\nstartsecs=0\n";

pub(crate) fn quit(sandbox: &Sandbox, mut running: Running) {
    sandbox.run(["quit", "-f", "supervisord.conf"]).expect_code(0);
    running.wait_exit(Deadline::generous());
    sandbox.assert_nothing_left();
}

/// The names of events and their texts, without PIDs.
fn heard(sandbox: &Sandbox) -> Vec<String> {
    let without_pid = |line: &str| match line.rsplit_once(" pid:") {
        Some((before, _)) => before.to_owned(),
        None => line.to_owned(),
    };
    sandbox.read("heard").lines().map(without_pid).collect()
}

#[test]
fn a_listener_hears_the_states_of_a_program_as_supervisord_tells_them() {
    let sandbox = sandbox();
    let running =
        listening(&sandbox, "PROCESS_STATE,SUPERVISOR_STATE_CHANGE,PROCESS_GROUP", OBEDIENT_PROGRAM);
    sandbox.wait_file("heard", "RUNNING 'processname:web");
    sandbox.run(["stop", "web", "-f", "supervisord.conf"]).expect_code(0);
    sandbox.wait_file("heard", "STOPPED 'processname:web");
    let state = |name: &str, rest: &str| format!("PROCESS_STATE_{name} 'processname:{rest}");
    let expected = [
        "PROCESS_GROUP_ADDED 'groupname:mail\\n'".to_owned(),
        "PROCESS_GROUP_ADDED 'groupname:web\\n'".to_owned(),
        "SUPERVISOR_STATE_CHANGE_RUNNING ''".to_owned(),
        state("STARTING", "mail groupname:mail from_state:STOPPED tries:0'"),
        state("RUNNING", "mail groupname:mail from_state:STARTING"),
        state("STARTING", "web groupname:web from_state:STOPPED tries:0'"),
        state("RUNNING", "web groupname:web from_state:STARTING"),
        state("STOPPING", "web groupname:web from_state:RUNNING"),
        state("STOPPED", "web groupname:web from_state:STOPPING"),
    ];
    let mut told: Vec<String> = heard(&sandbox)
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let head = format!("{number}/{number} mail boss ");
            line.strip_prefix(&head).unwrap_or_else(|| panic!("{line:?} has not {head:?}")).to_owned()
        })
        .collect();
    // Both start at once; the listener first.
    told[3..7].sort_by_key(|line| !line.contains("mail"));
    assert_eq!(told, expected);
    quit(&sandbox, running);
}

#[test]
fn an_event_that_is_rejected_or_whose_listener_dies_comes_again() {
    let sandbox = sandbox();
    sandbox.file("answer", "die");
    let running = listening(&sandbox, "PROCESS_STATE_RUNNING", "");
    // It hears of itself, dies over it, and is told again by its next run.
    sandbox.wait_file("heard", "1/1 mail");
    let serials: Vec<String> =
        heard(&sandbox).iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert_eq!(serials, ["0/0", "0/0", "1/1"]);
    quit(&sandbox, running);
}

#[test]
fn no_event_is_lost_and_the_numbers_go_on_when_the_overseer_dies() {
    let sandbox = sandbox();
    gate(&sandbox, "gate");
    let running = listening(&sandbox, "PROCESS_STATE_STOPPED,PROCESS_STATE_RUNNING", OBEDIENT_PROGRAM);
    sandbox.wait_file("heard", "0/0 mail");
    for _ in 0..3 {
        sandbox.run(["restart", "web", "-f", "supervisord.conf"]).expect_code(0);
        kill_nine(running.child_with("overseer"), Deadline::generous());
        // It had the event all the while; what waits behind it was kept.
        open_gate(&sandbox, "gate");
    }
    sandbox.run(["restart", "web", "-f", "supervisord.conf"]).expect_code(0);
    // Who waits for the gate goes on, and nobody will wait for it any more.
    let gate = File::options().read(true).write(true).open(sandbox.path("gate"));
    assert!(std::fs::remove_file(sandbox.path("gate")).is_ok());
    assert!(gate.is_ok_and(|mut gate| gate.write_all(b"go\n").is_ok_and(|()| {
        sandbox.wait_file("heard", "9/9 mail");
        true
    })));
    let mut serials: Vec<String> =
        heard(&sandbox).iter().filter_map(|line| Some(line.split('/').next()?.to_owned())).collect();
    serials.dedup();
    let expected: Vec<String> = (0..10).map(|serial: u32| serial.to_string()).collect();
    assert_eq!(serials, expected, "{}", sandbox.read("heard"));
    quit(&sandbox, running);
}

#[test]
fn a_listener_that_makes_no_sense_gets_nothing_and_its_next_run_gets_all() {
    let sandbox = sandbox();
    sandbox.file("listener.py", &format!("print('hello')\n{LISTENER}"));
    let running = daemon(&sandbox, "PROCESS_STATE_STOPPED", OBEDIENT_PROGRAM);
    running.wait_error("mail.1 gets no more events before its next run: it did not say READY");
    sandbox.run(["stop", "web", "-f", "supervisord.conf"]).expect_code(0);
    sandbox.file("listener.py", LISTENER);
    sandbox.run(["restart", "mail", "-f", "supervisord.conf"]).expect_code(0);
    sandbox.wait_file("heard", "STOPPED 'processname:web");
    quit(&sandbox, running);
}

#[test]
fn ticks_are_told_and_what_overflows_is_said() {
    let sandbox = sandbox();
    gate(&sandbox, "gate");
    let running = listening(&sandbox, "TICK_5,PROCESS_STATE\nbuffer_size=1", OBEDIENT_PROGRAM);
    running.wait_error("pool mail event buffer overflowed, discarding event 1");
    std::fs::remove_file(sandbox.path("gate")).unwrap_or_default();
    sandbox.run(["restart", "mail", "-f", "supervisord.conf"]).expect_code(0);
    sandbox.wait_file("heard", "TICK_5 'when:");
    quit(&sandbox, running);
}

#[test]
fn what_a_program_writes_is_heard_and_what_is_between_marks_as_one() {
    let sandbox = sandbox();
    gate(&sandbox, "next");
    let here = sandbox.app();
    sandbox.file(
        "loud.sh",
        "printf 'h\\303\\251llo\\n'; read line < next; printf 'a<!--XSUPERVISOR:BEGIN-->one'; read line < next\n\
         printf ' two<!--XSUPERVISOR:END-->b'; echo oops >&2; printf 'last<!--XSUP'\n",
    );
    let programs = format!(
        "[program:loud]\ncommand=sh loud.sh\ndirectory={}\nstartsecs=0\nautorestart=false\n\
         stdout_events_enabled=true\nstdout_capture_maxbytes=1MB\nstderr_events_enabled=true\n",
        here.display()
    );
    let running = listening(&sandbox, "PROCESS_LOG,PROCESS_COMMUNICATION\nbuffer_size=50", &programs);
    let text = sandbox.wait_file("heard", "h\u{e9}llo");
    assert!(text.contains("channel:stdout\\nh\u{e9}llo\\n'"), "{text}");
    open_gate(&sandbox, "next");
    sandbox.wait_file("heard", "stdout\\na'");
    // The text between the marks is not whole: the next overseer hears it from its beginning.
    kill_nine(running.child_with("overseer"), Deadline::generous());
    open_gate(&sandbox, "next");
    for (name, end) in [
        ("PROCESS_COMMUNICATION_STDOUT", "\\none two'"),
        ("PROCESS_LOG_STDERR", "channel:stderr\\noops\\n'"),
        ("PROCESS_LOG_STDOUT", "<!--XSUP'"),
    ] {
        let text = sandbox.wait_file("heard", end);
        let line = text.lines().find(|line| line.ends_with(end)).unwrap_or_default();
        assert!(line.contains(name), "{text}");
    }
    let logs = sandbox.read("heard");
    let told = logs.lines().filter(|line| line.contains("PROCESS_LOG_STDOUT"));
    let said: String = told.filter_map(|line| line.split("channel:stdout\\n").nth(1)).collect();
    assert_eq!(said.replace(['\''], ""), "h\u{e9}llo\\nablast<!--XSUP", "{logs}");
    quit(&sandbox, running);
}
