//! Under Overmind's name: its flags, variables and socket, the bytes that its client sends, and scripts that know no other.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use ganger_testkit::{Deadline, Finished, Launch, Running, Sandbox, kill_nine, signal, wait_gone};
use rustix::process::Signal;

use crate::support::*;

/// What came of something that the test needs.
#[track_caller]
pub(crate) fn done<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A program of the sandbox's, with ganger also there under the names of others.
pub(crate) fn under_names(sandbox: &Sandbox, words: &[&str]) -> Launch {
    let bin = sandbox.root().join("bin");
    if !bin.exists() {
        done(std::fs::create_dir(&bin));
        for name in ["overmind", "foreman", "ganger"] {
            done(std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ganger"), bin.join(name)));
        }
    }
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    // A program is looked for with the path that it is given.
    sandbox.program_with(words).through(["/usr/bin/env"]).env("PATH", format!("{}:{path}", bin.display()))
}

fn overmind(sandbox: &Sandbox, words: &[&str]) -> Finished {
    under_names(sandbox, &[&["overmind"], words].concat()).run()
}

/// Demands that it failed as a program of this name fails, with all of `parts` said.
#[track_caller]
pub(crate) fn refused(finished: &Finished, beginning: &str, parts: &[&str]) {
    finished.expect_code(1);
    assert!(finished.errors.lines().any(|line| line.starts_with(beginning)), "{finished}");
    for part in parts {
        assert!(finished.errors.contains(part), "{part:?} is not said:\n{finished}");
    }
}

/// Ends the app in the background: when that is said, another may start.
fn quit(sandbox: &Sandbox) {
    let [keeper, _] = parts(sandbox);
    overmind(sandbox, &["quit"]).expect_code(0);
    assert!(wait_gone(keeper, Deadline::generous()));
    sandbox.assert_nothing_left();
}

/// Starts it and blocks until so many workers are ready.
fn up(sandbox: &Sandbox, words: &[&str], workers: usize) -> Running {
    let running = under_names(sandbox, &[&["overmind", "start"], words].concat()).start();
    running.wait_lines("| ready", workers);
    running
}

/// What the socket gives to a client that sends these bytes and then waits for the end.
fn said_to(socket: &Path, bytes: &[u8]) -> String {
    let mut client = done(UnixStream::connect(socket));
    done(client.write_all(bytes));
    done(client.shutdown(std::net::Shutdown::Write));
    let mut text = String::new();
    done(client.read_to_string(&mut text));
    text
}

/// Sends these bytes and goes away, as the client does that expects no answer.
fn told(socket: &Path, bytes: &[u8]) {
    done(done(UnixStream::connect(socket)).write_all(bytes));
}

fn two() -> Sandbox {
    sandbox_with(&format!("web: {OBEDIENT}\njob: {OBEDIENT}"))
}

#[test]
fn scripts_that_know_overmind_run_unchanged() {
    let sandbox = sandbox();
    sandbox.file("Procfile.dev", &format!("web: {OBEDIENT}\nsolidqueue: {OBEDIENT}\ngoodjob: {OBEDIENT}\n"));
    let makefile = "dev:\n\tDATABASE_URL=postgres:///queue overmind start -f Procfile.dev\n\
                    dev-status:\n\tovermind status\n\
                    dev-stop:\n\tovermind stop\n\tovermind quit || true\n";
    sandbox.file("Makefile", makefile);
    let dev = "#!/usr/bin/env bash\nset -e\nif [ -S .overmind.sock ]; then\n  overmind restart web\nelse\n  \
               exec overmind start -f Procfile.dev \"$@\"\nfi\n";
    sandbox.script("bin/dev", dev);
    let running = under_names(&sandbox, &["make", "dev"]).start();
    running.wait_lines("| ready", 3);
    let status = under_names(&sandbox, &["make", "-s", "dev-status"]).run().success();
    let rows: Vec<Vec<&str>> = status.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["PROCESS", "PID", "STATUS"], "{status}");
    assert_eq!(
        rows.iter().map(|row| row[0]).collect::<Vec<_>>(),
        ["PROCESS", "web", "solidqueue", "goodjob"]
    );
    assert!(rows[1..].iter().all(|row| row[2] == "running"), "{status}");
    under_names(&sandbox, &["bin/dev"]).run().expect_code(0);
    running.wait_line("web        | Restarted with pid");
    under_names(&sandbox, &["make", "dev-stop"]).run().expect_code(0);
    ended(&sandbox, running).expect_code(0);
    assert!(!sandbox.path(".overmind.sock").exists());
    under_names(&sandbox, &["bin/dev", "-D"]).run().expect_code(0);
    quit(&sandbox);
}

#[test]
fn the_bytes_of_overminds_client_mean_what_they_meant() {
    let sandbox = two();
    let running = up(&sandbox, &["-m", "job=2"], 3);
    let socket = sandbox.path(".overmind.sock");
    let [web, job] = [pid(&sandbox, "web.1"), pid(&sandbox, "job.2")];
    let table = said_to(&socket, b"status\n");
    assert!(table.starts_with("PROCESS   PID       STATUS\nweb       "), "{table}");
    assert!(table.contains(&format!("job#2     {job:<10}running\n")), "{table}");
    told(&socket, b"restart web\n");
    running.wait_line("web    | Restarted with pid");
    assert!(wait_gone(web, Deadline::generous()));
    told(&socket, b"stop job#2 nosuch\n");
    assert!(wait_gone(job, Deadline::generous()));
    // The app goes on; what was stopped is dead there.
    let mut echo = UnixStream::connect(&socket).unwrap();
    echo.write_all(b"echo\n").unwrap();
    let opened = read_until(&mut echo, "opened");
    assert!(opened.starts_with("\x1b[1;38;5;7msystem\x1b[0m | \x1b[1mEcho #"), "{opened:?}");
    told(&socket, b"restart job*\n");
    let lines = read_until(&mut echo, "job#2 \x1b[0m | ready\n");
    assert!(lines.contains("\x1b[1;38;5;3mjob#2 \x1b[0m | ready\n"), "{lines:?}");
    assert!(said_to(&socket, b"get-connection job#1\n").ends_with(" job.1\n"));
    assert_eq!(said_to(&socket, b"get-connection nosuch\n"), "\n");
    assert_eq!(said_to(&socket, b"\nnosuch\nstatus\n").lines().count(), 4);
    // It ends with the connection, not with a newline.
    told(&socket, b"quit");
    ended(&sandbox, running).expect_code(0);
    assert!(!socket.exists());
}

/// What comes up to these words.
fn read_until(stream: &mut UnixStream, words: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    done(stream.set_read_timeout(Deadline::generous().left()));
    while !text.contains(words) {
        let read = stream.read(&mut buffer).unwrap_or_else(|error| panic!("{error} after {text:?}"));
        assert!(read > 0, "{words:?} did not come: {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

#[test]
fn kill_and_a_second_stop_kill() {
    let sandbox =
        sandbox_with(&format!("web: {STUBBORN}\njob: trap 'echo asked' INT; echo ready; {WAITING}"));
    let running = up(&sandbox, &["-t", "600"], 2);
    let socket = sandbox.path(".overmind.sock");
    let job = pid(&sandbox, "job.1");
    told(&socket, b"stop job\n");
    running.wait_line("| asked");
    told(&socket, b"stop job\n");
    assert!(wait_gone(job, Deadline::generous()));
    told(&socket, b"kill");
    ended(&sandbox, running);
}

#[test]
fn names_are_looked_for_and_answers_come_after_the_effect() {
    let sandbox = two();
    let running = up(&sandbox, &["-m", "web=2"], 3);
    let before = [pid(&sandbox, "web.1"), pid(&sandbox, "web.2")];
    overmind(&sandbox, &["restart", "web"]).expect_code(0);
    assert!(before.iter().all(|pid| !ganger_testkit::is_alive(*pid)), "both of the group, and it waits");
    overmind(&sandbox, &["stop", "web#2"]).expect_code(0);
    assert_eq!(worker(&sandbox, "web.2")["state"], "STOPPED");
    refused(&overmind(&sandbox, &["restart", "wbe"]), "overmind: ", &["overmind: no process `wbe`", "web"]);
    overmind(&sandbox, &["quit"]).expect_code(0);
    ended(&sandbox, running).expect_code(0);
    refused(
        &overmind(&sandbox, &["status"]),
        "overmind: ",
        &["cannot reach ./.overmind.sock", "overmind start"],
    );
}

#[test]
fn no_stale_socket_stops_a_start_and_a_live_one_is_named() {
    let sandbox = two();
    let socket = sandbox.path(".overmind.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let running = up(&sandbox, &[], 2);
    overmind(&sandbox, &["status"]).expect_code(0);
    refused(&overmind(&sandbox, &["start"]), "overmind: ", &["already running", "overmind quit"]);
    let finished = interrupted(&sandbox, running);
    assert_said(&finished, &["Listening at", ".overmind.sock"]);
    let other = UnixListener::bind(&socket).unwrap();
    let second = overmind(&sandbox, &["start"]);
    refused(&second, "overmind: ", &["is answered by", &std::process::id().to_string(), "--socket"]);
    drop(other);
    std::fs::remove_file(&socket).unwrap();
    sandbox.file(".overmind.sock", "mine\n");
    refused(&overmind(&sandbox, &["start", "-D"]), "overmind: ", &["is no socket", "--socket"]);
    assert_eq!(sandbox.read(".overmind.sock"), "mine\n");
    let running = up(&sandbox, &["-s", "tmp.sock"], 2);
    overmind(&sandbox, &["status", "-s", "tmp.sock"]).expect_code(0);
    assert_said(&interrupted(&sandbox, running), &["Listening at", "tmp.sock"]);
    sandbox.assert_nothing_left();
}

#[test]
fn the_socket_survives_the_overseer_and_goes_with_the_app() {
    let sandbox = two();
    let running = up(&sandbox, &[], 2);
    let before = overmind(&sandbox, &["status"]).success();
    kill_nine(running.child_with("overseer"), Deadline::generous());
    wait_taken_up(&sandbox, 1);
    assert_eq!(overmind(&sandbox, &["status"]).success(), before);
    overmind(&sandbox, &["restart", "job"]).expect_code(0);
    running.wait_line("job    | Restarted with pid");
    // With its keeper the app ends, and its socket.
    let [keeper, overseer] = parts(&sandbox);
    kill_nine(keeper, Deadline::generous());
    assert!(wait_gone(overseer, Deadline::generous()));
    sandbox.assert_nothing_left();
    assert!(!sandbox.path(".overmind.sock").exists());
}

#[test]
fn after_the_death_of_all_the_next_start_clears_up_first() {
    for daemon in [["-D"].as_slice(), &[]] {
        let sandbox = two();
        overmind(&sandbox, &["start", "-D"]).expect_code(0);
        let before = [pid(&sandbox, "web.1"), pid(&sandbox, "job.1")];
        let both = parts(&sandbox);
        for stop in [Signal::STOP, Signal::KILL] {
            for part in both {
                signal(part, stop);
            }
        }
        assert!(both.iter().all(|part| wait_gone(*part, Deadline::generous())));
        assert!(sandbox.path(".overmind.sock").exists(), "it is stale now");
        let mut running = under_names(&sandbox, &[&["overmind", "start"], daemon].concat()).start();
        running.wait_error("ending what survives");
        assert!(before.iter().all(|pid| wait_gone(*pid, Deadline::generous())));
        if daemon.is_empty() {
            running.wait_lines("| ready", 2);
        } else {
            running.wait_exit(Deadline::generous());
        }
        assert!(overmind(&sandbox, &["status"]).success().matches("running").count() == 2);
        quit(&sandbox);
    }
}

#[test]
fn in_the_background_it_ends_with_its_processes_and_remembers_no_stop() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 3"));
    gate(&sandbox, "gate");
    let started = overmind(&sandbox, &["start", "-D"]).success();
    assert!(started.contains("Daemonized. Use `overmind echo`"), "{started}");
    overmind(&sandbox, &["stop", "web"]).expect_code(0);
    quit(&sandbox);
    overmind(&sandbox, &["start", "-D"]).expect_code(0);
    assert_eq!(worker(&sandbox, "web.1")["wanted"], "up", "as the Procfile says");
    let echo = under_names(&sandbox, &["overmind", "echo"]).start();
    echo.wait_line("Echo #1 opened");
    let [keeper, _] = parts(&sandbox);
    open_gate(&sandbox, "gate");
    echo.wait_line("job   \x1b[0m | \x1b[1mExited with code 3");
    assert!(wait_gone(keeper, Deadline::generous()));
    drop(echo);
    sandbox.assert_nothing_left();
    assert!(!sandbox.path(".overmind.sock").exists());
}

#[test]
fn the_first_end_stops_all_unless_it_can_die_or_is_restarted() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: echo ready; read x < gate; exit 3"));
    gate(&sandbox, "gate");
    let running = up(&sandbox, &[], 2);
    open_gate(&sandbox, "gate");
    ended(&sandbox, running).expect_code(3);
    let running = up(&sandbox, &["-c", "job", "-r", "all"], 2);
    open_gate(&sandbox, "gate");
    running.wait_line("job    | Exited with code 3");
    assert_eq!(worker(&sandbox, "job.1")["state"], "EXITED", "what can die is not restarted");
    overmind(&sandbox, &["restart", "job"]).expect_code(0);
    interrupted(&sandbox, running);
    let running = up(&sandbox, &["--any-can-die", "-l", "job"], 1);
    open_gate(&sandbox, "gate");
    running.wait_line("job    | Exited with code 3");
    // It goes on without any process, and can start them again.
    overmind(&sandbox, &["restart"]).expect_code(0);
    running.wait_line("job    | Restarted with pid");
    interrupted(&sandbox, running);
}

#[test]
fn variables_stand_for_flags_and_env_files_for_variables() {
    let show =
        "web: echo $PORT $PS $A $B $C; echo ready; exec tail -f /dev/null\njob: exec tail -f /dev/null";
    let sandbox = sandbox_with(show);
    std::fs::write(sandbox.root().join("home/.overmind.env"), "A=home\nB=home\nOVERMIND_PORT=7000\n")
        .unwrap();
    sandbox.file(
        ".overmind.env",
        "B=here\nOVERMIND_PORT=8000\nOVERMIND_IGNORED_PROCESSES=job\nOVERMIND_ENV=more.env\n",
    );
    sandbox.file(".env", "C=\"$A and $B\"\n");
    sandbox.file("more.env", "B=more\n");
    let of_files =
        under_names(&sandbox, &["overmind", "start"]).env("OVERMIND_PORT", "9000").env("A", "shell").start();
    of_files.wait_line("web    | 8000 web home more home and here");
    assert_eq!(names(&sandbox), ["web.1"]);
    interrupted(&sandbox, of_files);
    let flagged = up(&sandbox, &["-p", "9100", "-m", "web=2", "--formation-port-step", "5", "-T"], 2);
    let line = flagged.wait_line(" web#2  | 9105 web#2");
    assert_eq!(line.split(':').count(), 3, "it begins with the time: {line}");
    interrupted(&sandbox, flagged);
    sandbox.file(".env", "no variable\nC=1\n");
    let ran = under_names(&sandbox, &["overmind", "run", "sh", "-c", "echo $A-$B-$C; exit 7"]).run();
    ran.expect_code(7);
    assert_eq!(ran.output, "home-more-\n");
    assert!(ran.errors.starts_with("overmind: skipping ./.env due to error: "), "{ran}");
    let skipped = under_names(&sandbox, &["overmind", "exec", "env"]).env("OVERMIND_SKIP_ENV", "").run();
    assert_eq!(skipped.errors, "");
    let lost = overmind(&sandbox, &["run", "no-such-program"]);
    refused(&lost, "overmind: exec", &["executable file not found in $PATH"]);
}

#[test]
fn a_stop_signal_is_int_or_what_is_said() {
    let traps = "trap 'echo got int; exit' INT; trap 'echo got term; exit' TERM";
    let sandbox =
        sandbox_with(&format!("web: {traps}; echo ready; {WAITING}\njob: {traps}; echo ready; {WAITING}"));
    let running = up(&sandbox, &["-i", "job=TERM"], 2);
    overmind(&sandbox, &["quit"]).expect_code(0);
    let finished = ended(&sandbox, running);
    assert_said(&finished, &["web    | got int", "job    | got term"]);
}

#[test]
fn commands_reach_it_over_tcp_too() {
    let sandbox = two();
    let address = format!("127.0.0.1:{}", ganger_testkit::free_port());
    let reach = ["-S", "tcp", "-s", &address];
    let running = up(&sandbox, &reach, 2);
    assert!(!sandbox.path(".overmind.sock").exists());
    let status = overmind(&sandbox, &[&["status"], reach.as_slice()].concat()).success();
    assert_eq!(status.lines().count(), 3, "{status}");
    overmind(&sandbox, &[&["restart"], reach.as_slice(), &["web"]].concat()).expect_code(0);
    overmind(&sandbox, &[&["quit"], reach.as_slice()].concat()).expect_code(0);
    ended(&sandbox, running).expect_code(0);
}

#[test]
fn connect_attaches_to_a_process() {
    let sandbox = two();
    let running = up(&sandbox, &[], 2);
    let attached = under_names(&sandbox, &["overmind", "connect", "web"]).input("").start();
    attached.wait_line("ready");
    drop(attached);
    refused(&overmind(&sandbox, &["connect", "wbe"]), "overmind: no process", &["wbe"]);
    refused(&overmind(&sandbox, &["connect", "web", "job"]), "overmind: specify", &["single name"]);
    interrupted(&sandbox, running);
}

#[test]
fn only_an_app_that_was_started_so_has_a_socket() {
    let sandbox = two();
    let running = started(&sandbox, 2);
    assert!(!sandbox.path(".overmind.sock").exists());
    interrupted(&sandbox, running);
}

#[test]
fn help_and_mistakes_are_told() {
    let sandbox = two();
    assert!(overmind(&sandbox, &[]).success().contains("restart, r"));
    assert!(overmind(&sandbox, &["start", "--help"]).success().contains("[$OVERMIND_FORMATION]"));
    assert!(overmind(&sandbox, &["--version"]).success().starts_with("Overmind version 2.5.1"));
    assert!(sandbox.run(["overmind", "help", "echo"]).success().contains("overmind echo"));
    refused(&overmind(&sandbox, &["start", "-z"]), "overmind: ", &["-z", "--help"]);
    refused(&overmind(&sandbox, &["strat"]), "overmind: ", &["no command `strat`", "start"]);
    refused(&overmind(&sandbox, &["start", "-m", "web=11"]), "overmind: ", &["ports have room for 10"]);
    refused(&overmind(&sandbox, &["start", "-x", "web,job"]), "overmind: ", &["No processes to run"]);
    refused(&overmind(&sandbox, &["start", "-f", "Nofile"]), "overmind: ", &["Nofile"]);
    sandbox.assert_nothing_left();
}
