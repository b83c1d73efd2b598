//! Every flag of the scripted worker.

use std::fs;
use std::net::TcpStream;

use ganger_testkit::{Deadline, Exit, Finished, Launch, Sandbox, free_port, signal};
use rustix::process::Signal;

/// A sandbox that has the worker for its program.
fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_ganger-dummy"))
}

fn dummy(sandbox: &Sandbox, flags: &str) -> Launch {
    sandbox.ganger_with(&flags.split_whitespace().collect::<Vec<_>>())
}

fn run(flags: &str) -> Finished {
    dummy(&sandbox(), flags).run()
}

#[test]
fn it_ends_with_code_zero_or_the_one_it_is_told() {
    run("").expect_code(0);
    run("--exit 0").expect_code(0);
    run("--exit 255 --run-for 1").expect_code(255);
}

#[test]
fn it_ends_by_the_signal_it_is_told_even_if_it_ignores_that() {
    assert_eq!(run("--signal-self TERM").exit, Exit::Signal(15));
    assert_eq!(run("--ignore SIGUSR1 --signal-self 10 --exit 3").exit, Exit::Signal(10));
}

#[test]
fn it_prints_as_many_lines_of_the_length_and_then_what_is_partial() {
    let ended = run("--lines 3 --line-length 6 --partial ab");
    assert_eq!(ended.output, "1 xxx\n2 xxx\n3 xxx\nab");
    assert_eq!(run("--lines 2 --line-length 1 --rate 1000000").output, "1 \n2 \n", "a number is never cut");
    let long = run("--lines 1").output;
    assert_eq!(long.len(), 80);
}

#[test]
fn it_prints_variables() {
    let sandbox = sandbox();
    let ended =
        dummy(&sandbox, "--print-env ONE --print-env NONE --print-env TWO").env("ONE", "1").env("TWO", "2");
    assert_eq!(ended.run().output, "1\n\n2\n");
}

#[test]
fn it_leaves_a_file_and_a_stamp_and_waits_for_another_file() {
    let sandbox = sandbox();
    let running =
        dummy(&sandbox, "--touch begun --stamp stamps --ready-late 1 --wait-for go --exit 3").start();
    let stamp = sandbox.wait_file("stamps", "\n");
    let (pid, time) = stamp.trim_end().split_once(' ').unwrap();
    assert_eq!(pid.parse(), Ok(running.pid()));
    assert!(time.parse::<u64>().unwrap() > 0);
    assert_eq!(sandbox.read("begun"), "");
    assert!(running.is_alive());
    sandbox.file("go", "");
    running.finish(Deadline::generous()).expect_code(3);
    dummy(&sandbox, "--stamp stamps --wait-for go").run().expect_code(0);
    assert_eq!(sandbox.read("stamps").lines().count(), 2, "a stamp is added to those before");
}

#[test]
fn it_reacts_to_signals_as_it_is_told() {
    let sandbox = sandbox();
    let flags = "--ignore TERM --on USR1=exit:7 --lines 1 --run-for forever";
    let running = dummy(&sandbox, flags).start();
    running.wait_line("1 ");
    running.signal(Signal::TERM);
    running.signal(Signal::USR1);
    running.finish(Deadline::generous()).expect_code(7);
    let running = dummy(&sandbox, "--lines 1 --run-for forever").start();
    running.wait_line("1 ");
    running.signal(Signal::TERM);
    assert_eq!(running.finish(Deadline::generous()).exit, Exit::Signal(15));
}

#[test]
fn it_listens_on_its_port() {
    let sandbox = sandbox();
    let port = free_port();
    let flags = "--listen --lines 1 --run-for forever";
    let running = dummy(&sandbox, flags).env("PORT", port.to_string()).start();
    running.wait_line("1 ");
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(running);
    let ended = dummy(&sandbox, "--listen").without_env("PORT").run();
    assert_eq!(ended.errors, "ganger-dummy: PORT is not set\n");
    ended.expect_code(65);
}

/// The signals that a process ignores, a bit each.
fn ignored_by(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.unwrap_or_else(|| panic!("what process {process} ignores cannot be read: {status}"))
}

#[test]
fn it_leaves_a_straggler() {
    for (flags, ignores, leaks) in [
        ("--straggler", false, false),
        ("--straggler-ignore-term", true, false),
        ("--leak-pipe", false, true),
        ("--straggler-ignore-term --leak-pipe", true, true),
    ] {
        let sandbox = sandbox();
        let mut running = dummy(&sandbox, flags).start();
        assert_eq!(running.wait_exit(Deadline::generous()), Exit::Code(0));
        let [straggler] =
            sandbox.census().try_into().unwrap_or_else(|all| panic!("not one straggler: {all:?}"));
        let output = fs::read_link(format!("/proc/{}/fd/1", straggler.pid)).unwrap();
        assert_eq!(output.to_string_lossy().starts_with("pipe:"), leaks, "{flags}");
        let ignored = ignored_by(&straggler.pid.to_string());
        for number in [1, 2, 15] {
            let bit = 1 << (number - 1);
            // What ignores a signal for this test, as `nohup` does, does so for its children.
            assert_eq!(ignored & bit != 0, ignores || ignored_by("self") & bit != 0, "{flags}: {number}");
        }
        assert!(signal(straggler.pid, Signal::KILL));
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for (flags, message) in [
        ("--no-such 1", "--no-such: no such flag"),
        ("--exit", "--exit needs a value"),
        ("--exit 256", "--exit 256: not an exit code"),
        ("--lines -1", "--lines -1: not a number"),
        ("--on TERM", "--on TERM: not SIG=exit:N"),
        ("--on TERM=exit:x", "--on TERM=exit:x: not SIG=exit:N"),
        ("--ignore NONE", "NONE: no such signal"),
    ] {
        let ended = run(flags);
        assert_eq!(ended.errors, format!("ganger-dummy: {message}\n"));
        ended.expect_code(64);
    }
}

#[test]
fn it_tells_how_many_lines_it_has_written_and_signs_each() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("tally")).expect("a directory");
    let running = dummy(&sandbox, "--lines 3 --line-length 20 --tally tally --run-for forever").start();
    running.wait_lines("x", 3);
    let pid = running.pid();
    let first = format!("{pid} 1 ");
    assert_eq!(running.output().lines().next(), Some(&*format!("{first:x<19}")));
    // The tally follows the line.
    signal(pid, Signal::TERM);
    running.finish(Deadline::generous());
    let told = fs::read(sandbox.path("tally").join(pid.to_string())).expect("a tally");
    let told = u64::from_le_bytes(told.try_into().expect("eight bytes"));
    assert!(told == 3 || told == 2, "{told}");
}

#[test]
fn it_tells_when_another_run_of_its_worker_is_alive() {
    let sandbox = sandbox();
    let run = |worker: &str| {
        let launch = dummy(&sandbox, "--alone . --lines 1 --run-for forever").env("GANGER_WORKER", worker);
        let running = launch.start();
        running.wait_line("1 x");
        running
    };
    let first = run("web.1");
    let _other = run("web.2");
    assert!(!sandbox.path("doubled").exists());
    let second = run("web.1");
    assert_eq!(sandbox.read("doubled"), format!("web.1, now {}\n", second.pid()));
    first.kill_nine();
}
