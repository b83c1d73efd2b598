//! What ganger says of itself.

use crate::support::*;

#[test]
fn doctor_tells_what_this_machine_lets_it_do() {
    let sandbox = sandbox();
    let text = sandbox.run(["doctor"]).success();
    assert!(text.contains("pidfd") && text.contains("cgroup"), "{text}");
    assert!(sandbox.run(["doctor", "--json"]).json().is_object());
}

#[test]
fn the_version_is_that_of_the_build() {
    let sandbox = sandbox();
    assert!(sandbox.run(["version"]).success().contains(env!("CARGO_PKG_VERSION")));
    assert!(sandbox.run(["--version"]).success().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_names_every_command() {
    let sandbox = sandbox();
    let help = sandbox.run(["--help"]).success();
    for command in [
        "start",
        "run",
        "check",
        "ps",
        "stop",
        "restart",
        "scale",
        "logs",
        "signal",
        "env",
        "ports",
        "why",
        "events",
        "reload",
        "quit",
        "doctor",
        "supervisorctl",
    ] {
        let named = help.lines().any(|line| line.split_whitespace().next() == Some(command));
        assert!(named, "{command} is not in\n{help}");
        sandbox.run([command, "--help"]).expect_code(0);
    }
}

#[test]
fn completions_are_there_for_common_shells() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish"] {
        assert!(sandbox.run(["completions", shell]).success().contains("reload"), "{shell}");
    }
}
