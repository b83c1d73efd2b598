//! Bad input: a clear message, a hint, a non-zero status, nothing left running.

use ganger_testkit::Sandbox;

use crate::support::*;

/// Starts in vain: the message has all of `parts`, and nothing is left.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], parts: &[&str]) {
    sandbox.ganger_with(arguments).run().error(parts);
    sandbox.assert_nothing_left();
}

#[test]
fn a_missing_procfile() {
    refused(&sandbox(), &["start"], &["Procfile"]);
}

#[test]
fn a_missing_file_that_was_named() {
    refused(&sandbox_with("web: true"), &["start", "-f", "Elsewhere"], &["Elsewhere"]);
}

#[test]
fn an_empty_procfile() {
    let sandbox = sandbox();
    sandbox.file("Procfile", "# nothing yet\n\n");
    refused(&sandbox, &["start"], &["Procfile"]);
}

#[test]
fn a_bad_line_is_named_with_its_number() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\nthis is no entry"));
    refused(&sandbox, &["start"], &["Procfile:2"]);
    refused(&sandbox, &["check"], &["Procfile:2"]);
}

#[test]
fn a_group_that_is_there_twice() {
    refused(&sandbox_with("web: true\nweb: false"), &["start"], &["Procfile:2", "web"]);
}

#[test]
fn an_unknown_group() {
    refused(&sandbox_with("web: true"), &["start", "wbe"], &["wbe", "web"]);
}

#[test]
fn a_bad_formation() {
    let sandbox = sandbox_with("web: true");
    for formation in ["web", "web=", "web=x", "web=-1", "nosuch=1"] {
        refused(&sandbox, &["start", "-m", formation], &[formation.split('=').next().unwrap_or("")]);
    }
}

#[test]
fn an_env_file_that_cannot_be_read() {
    let sandbox = sandbox_with("web: true");
    refused(&sandbox, &["start", "-e", "nosuch.env"], &["nosuch.env"]);
    // A directory cannot be read as a file by anybody, not even by root.
    sandbox.file(".env/file", "");
    refused(&sandbox, &["start"], &[".env"]);
}

#[test]
fn a_bad_line_in_an_env_file() {
    let sandbox = sandbox_with("web: true");
    sandbox.file(".env", "GOOD=1\nQUOTE=\"never closed\n");
    refused(&sandbox, &["start"], &[".env:2"]);
}

#[test]
fn a_command_that_is_not_found() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}\njob: nosuch-program --now"));
    let finished = sandbox.run(["start"]);
    assert_ne!(finished.code(), 0, "{finished}");
    assert_said(&finished, &["job.1", "nosuch-program", "not found"]);
    sandbox.assert_nothing_left();
}

#[test]
fn a_command_that_is_not_executable() {
    let sandbox = sandbox_with("web: ./plain.txt");
    sandbox.file("plain.txt", "text\n");
    let finished = sandbox.run(["start"]);
    assert_ne!(finished.code(), 0, "{finished}");
    assert_said(&finished, &["web.1", "plain.txt", "ermission denied", "hint"]);
    sandbox.assert_nothing_left();
}

#[test]
fn a_missing_directory() {
    refused(&sandbox_with("web: true"), &["start", "-d", "nosuch-dir"], &["nosuch-dir"]);
}

#[test]
fn a_port_out_of_range() {
    let sandbox = sandbox_with("web: true\njob: true\nclock: true");
    refused(&sandbox, &["start", "-p", "70000"], &["70000"]);
    refused(&sandbox, &["start", "-p", "zero"], &["zero"]);
    refused(&sandbox, &["start", "-p", "65400"], &["clock"]);
}

#[test]
fn two_gangers_on_one_app() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let first = pid(&sandbox, "web.1");
    sandbox.run(["start"]).error(&["already", &running.pid().to_string()]);
    assert_eq!(pid(&sandbox, "web.1"), first, "the first one goes on");
    interrupted(&sandbox, running);
    let running = started(&sandbox, 1);
    interrupted(&sandbox, running);
}

#[test]
fn a_socket_path_that_is_too_long() {
    let sandbox = sandbox_with("web: true");
    let long = sandbox.root().join("x".repeat(120));
    sandbox
        .ganger(["start"])
        .env("GANGER_RUNTIME_DIR", &long)
        .run()
        .error(&["too long", "GANGER_RUNTIME_DIR"]);
    sandbox.assert_nothing_left();
}

#[test]
fn no_free_descriptors() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let finished = sandbox.ganger(["start", "-m", "web=100"]).through(["prlimit", "--nofile=24:24"]).run();
    finished.error(&["open files"]);
    sandbox.assert_nothing_left();
}

#[test]
fn an_unknown_key_in_the_native_form_gets_a_suggestion() {
    let sandbox = sandbox();
    sandbox.file("ganger.toml", "[groups.web]\ncomand = \"true\"\n");
    refused(&sandbox, &["check"], &["ganger.toml:2", "comand", "command"]);
}

#[test]
fn an_unknown_command_or_flag() {
    let sandbox = sandbox_with("web: true");
    for arguments in [&["strat"][..], &["start", "--colour"]] {
        let finished = sandbox.ganger_with(arguments).run();
        assert_eq!(finished.code(), 2, "{finished}");
    }
}

#[test]
fn check_accepts_what_is_right_and_prints_what_would_run() {
    let sandbox = sandbox_with("web: ./serve\njob:./work");
    let output = sandbox.run(["check"]).success();
    for part in ["web", "./serve", "job", "./work"] {
        assert!(output.contains(part), "{part} in\n{output}");
    }
}

#[test]
fn check_warns_of_what_this_machine_has_not() {
    let sandbox = sandbox_with("web: true\njob: true\nok: true");
    let text = "[groups.web]\ndir = \"no/such\"\n[groups.job]\nuser = \"nosuchuser\"\n";
    sandbox.file("ganger.toml", text);
    let told = sandbox.run(["check"]).success();
    for part in [
        "web cannot start on this machine: there is no directory ",
        "no/such",
        "job cannot start",
        "nosuchuser",
    ] {
        assert!(told.contains(part), "{part:?} was not said:\n{told}");
    }
    assert!(!told.contains("ok cannot"), "{told}");
    let json = sandbox.run(["check", "--json"]).json();
    assert_eq!([&json["missing"][0]["group"], &json["missing"][1]["group"]], ["web", "job"], "{json:#}");
}
