//! A command in this terminal, with its own keeper.

use ganger_testkit::{Deadline, Exit, Launch, Sandbox};
use rustix::process::Signal;

use crate::support::HOST;

/// A sandbox that has the keeper's host for its program.
fn sandbox() -> Sandbox {
    Sandbox::new(HOST)
}

/// The host, running a worker with a scripted life attached.
fn attached(sandbox: &Sandbox, flags: &str) -> Launch {
    let dummy = sandbox.dummy();
    let words = [HOST, "attached", &dummy].into_iter().chain(flags.split_whitespace());
    sandbox.program([]).through(words)
}

#[test]
fn the_status_is_that_of_the_command() {
    let sandbox = sandbox();
    for code in [0, 1, 7, 126, 127, 255] {
        let ended = attached(&sandbox, &format!("--exit {code} --lines 1 --line-length 4")).run();
        assert_eq!((ended.exit, ended.output.as_str()), (Exit::Code(code), "1 x\n"));
    }
    for (signal, number) in [("HUP", 1), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let ended = attached(&sandbox, &format!("--signal-self {signal}")).run();
        assert_eq!(ended.exit, Exit::Code(128 + number), "as a shell has it");
    }
}

#[test]
fn a_command_that_cannot_start_is_told_with_its_reason() {
    let sandbox = sandbox();
    let ended = sandbox.program([HOST, "attached", "no-such-command"]).run();
    assert_eq!(ended.exit, Exit::Code(127));
    assert_eq!(ended.output, "no-such-command: command not found: No such file or directory\n");
    assert_eq!(sandbox.program([HOST, "attached", "/etc/passwd"]).run().exit, Exit::Code(126));
}

#[test]
fn what_a_command_leaves_behind_is_killed_and_named() {
    let sandbox = sandbox();
    let ended = attached(&sandbox, "--straggler-ignore-term --exit 5").run();
    assert_eq!((ended.exit, ended.output.as_str()), (Exit::Code(5), "killed ganger-dummy\n"));
    sandbox.assert_nothing_left();
}

#[test]
fn signals_to_stop_are_passed_on() {
    let sandbox = sandbox();
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let flags = format!("--on {name}=exit:33 --lines 1 --run-for forever");
        let running = attached(&sandbox, &flags).start();
        running.wait_line("1 ");
        running.signal(signal);
        assert_eq!(running.finish(Deadline::generous()).exit, Exit::Code(33), "{name}");
    }
}

#[test]
fn an_interrupt_from_the_terminal_is_the_commands_to_deal_with() {
    let sandbox = sandbox();
    for (reaction, code) in [("--on INT=exit:34", 34), ("--run-for forever", 128 + 2)] {
        let flags = format!("{reaction} --lines 1 --run-for forever");
        let (running, terminal) = attached(&sandbox, &flags).start_on_terminal();
        running.wait_line("1 ");
        terminal.press("\x03");
        assert_eq!(running.finish(Deadline::generous()).exit, Exit::Code(code));
    }
    // One that ignores it goes on, and so do we.
    let flags = "--ignore INT --on TERM=exit:35 --lines 1 --run-for forever";
    let (running, terminal) = attached(&sandbox, flags).start_on_terminal();
    running.wait_line("1 ");
    terminal.press("\x03after");
    running.wait_line("after");
    running.signal(Signal::TERM);
    assert_eq!(running.finish(Deadline::generous()).exit, Exit::Code(35));
}
