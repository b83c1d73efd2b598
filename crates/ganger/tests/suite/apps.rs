//! Several apps under one daemon.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::fs;
use std::path::PathBuf;

use ganger_testkit::{Deadline, Running, Sandbox, is_alive, kill_nine, wait_gone};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::*;

/// An app beside the sandbox's own.
fn app(sandbox: &Sandbox, name: &str, procfile: &str) -> PathBuf {
    let dir = sandbox.root().join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("Procfile"), procfile).unwrap();
    dir
}

/// The daemon of all apps, in a directory without one.
fn daemon(sandbox: &Sandbox) -> Running {
    sandbox.ganger(["daemon"]).dir(sandbox.root()).start()
}

fn end(sandbox: &Sandbox, daemon: Running) {
    daemon.signal(Signal::TERM);
    ended(sandbox, daemon).expect_code(0);
}

/// A list of apps: `name state` each.
fn states(list: &Value) -> Vec<String> {
    let one = |app: &Value| format!("{} {}", app["name"].as_str().unwrap(), app["state"].as_str().unwrap());
    list["apps"].as_array().unwrap().iter().map(one).collect()
}

fn listed(sandbox: &Sandbox) -> Vec<String> {
    states(&sandbox.run(["app", "list", "--json"]).json())
}

/// The workers of one app: name and PID; 0 before there is one.
fn workers(sandbox: &Sandbox, which: [&str; 2]) -> Vec<(String, i64)> {
    let [flag, value] = which;
    let all = sandbox.run([flag, value, "ps", "--json"]).json();
    let one = |worker: &Value| {
        (worker["name"].as_str().unwrap().to_owned(), worker["pid"].as_i64().unwrap_or_default())
    };
    all["workers"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_broken_app_stops_no_other_and_each_is_asked_in_its_own_directory() {
    let sandbox = sandbox();
    let shop = app(&sandbox, "shop", &format!("web: {OBEDIENT}\njob: {OBEDIENT}\n"));
    let bad = app(&sandbox, "bad", "this is no entry\n");
    let blog = app(&sandbox, "blog", &format!("web: {OBEDIENT}\n"));
    for dir in [&shop, &bad] {
        sandbox.run(["app", "add", dir.to_str().unwrap()]).expect_code(0);
    }
    let daemon = daemon(&sandbox);
    daemon.wait_error("bad/main cannot be started");
    daemon.wait_error("shop/main: job.1: started");
    sandbox.run(["app", "add", blog.to_str().unwrap()]).expect_code(0);
    daemon.wait_error("blog/main: web.1: started");
    assert_eq!(listed(&sandbox), ["bad/main failed", "blog/main running", "shop/main running"]);
    let names = |dir: &PathBuf| {
        let workers = workers(&sandbox, ["-d", dir.to_str().unwrap()]);
        workers.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&shop), names(&blog)),
        (vec!["web.1".into(), "job.1".into()], vec!["web.1".to_owned()])
    );
    sandbox.ganger(["scale", "web=2"]).dir(&blog).run().expect_code(0);
    assert_eq!((names(&shop).len(), names(&blog).len()), (2, 2));
    let logs = sandbox.ganger(["logs", "-f"]).dir(&blog).start();
    logs.wait_lines("| ready", 2);
    drop(logs);
    fs::write(bad.join("Procfile"), format!("web: {OBEDIENT}\n")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_error("bad/main: web.1: started");
    end(&sandbox, daemon);
}

#[test]
fn the_list_and_what_was_asked_of_each_app_survive_the_daemon() {
    let sandbox = sandbox();
    let shop = app(&sandbox, "shop", &format!("web: {OBEDIENT}\n"));
    let dir = shop.to_str().unwrap();
    sandbox.run(["app", "add", dir]).expect_code(0);
    sandbox.run(["app", "add", dir, "--as", "shop/staging"]).expect_code(0);
    sandbox.run(["app", "add", dir, "--as", "other"]).error(&["shop/main"]);
    assert_eq!(listed(&sandbox), ["shop/main waiting", "shop/staging waiting"]);
    let first = daemon(&sandbox);
    first.wait_error("shop/main: web.1: started");
    first.wait_error("shop/staging: web.1: started");
    sandbox.run(["--app", "shop/staging", "scale", "web=3"]).expect_code(0);
    assert_eq!(workers(&sandbox, ["-d", dir]).len(), 1, "in its directory the main one is meant");
    end(&sandbox, first);
    let second = daemon(&sandbox);
    second.wait_error("shop/staging: web.3: started");
    second.wait_error("shop/main: web.1: started");
    assert_eq!(workers(&sandbox, ["--app", "shop/main"]).len(), 1);
    end(&sandbox, second);
}

#[test]
fn the_workers_of_all_apps_survive_the_death_of_the_overseer() {
    let sandbox = sandbox();
    let [shop, blog] = ["shop", "blog"].map(|name| app(&sandbox, name, &format!("web: {OBEDIENT}\n")));
    for dir in [&shop, &blog] {
        sandbox.run(["app", "add", dir.to_str().unwrap()]).expect_code(0);
    }
    let daemon = daemon(&sandbox);
    let all = || [&shop, &blog].map(|dir| workers(&sandbox, ["-d", dir.to_str().unwrap()]));
    daemon.wait_error("shop/main: web.1: started");
    daemon.wait_error("blog/main: web.1: started");
    let before = all();
    for round in 1..=3 {
        kill_nine(daemon.child_with("overseer"), Deadline::generous());
        assert_eq!(all(), before, "after death {round}");
    }
    for dir in [&shop, &blog] {
        sandbox.ganger(["restart", "web"]).dir(dir).run().expect_code(0);
    }
    assert!(before.iter().flatten().all(|(_, pid)| !is_alive(i32::try_from(*pid).unwrap())));
    end(&sandbox, daemon);
}

#[test]
fn an_app_that_ends_ends_alone_and_comes_back_when_it_is_added_again() {
    let sandbox = sandbox();
    let [shop, blog] = ["shop", "blog"].map(|name| app(&sandbox, name, &format!("web: {OBEDIENT}\n")));
    daemon(&sandbox).finish(Deadline::generous()).error(&["no app was added"]);
    for dir in [&shop, &blog] {
        sandbox.run(["app", "add", dir.to_str().unwrap()]).expect_code(0);
    }
    let daemon = daemon(&sandbox);
    daemon.wait_error("shop/main: web.1: started");
    daemon.wait_error("blog/main: web.1: started");
    let (_, web) = workers(&sandbox, ["-d", blog.to_str().unwrap()])[0].clone();
    sandbox.ganger(["quit"]).dir(&blog).run().expect_code(0);
    assert!(wait_gone(i32::try_from(web).unwrap(), Deadline::generous()));
    daemon.wait_error("blog/main has ended");
    assert_eq!(listed(&sandbox), ["blog/main ended", "shop/main running"]);
    kill_nine(daemon.child_with("overseer"), Deadline::generous());
    sandbox.run(["app", "add", blog.to_str().unwrap()]).expect_code(0);
    let back = || assert_eq!(workers(&sandbox, ["-d", blog.to_str().unwrap()]).len(), 1);
    back();
    let left = states(&sandbox.run(["app", "remove", "blog", "--json"]).json());
    assert_eq!(left, ["shop/main running"]);
    sandbox.run(["app", "remove", "blog"]).error(&["blog"]);
    sandbox.run(["app", "add", blog.to_str().unwrap()]).expect_code(0);
    back();
    end(&sandbox, daemon);
}

/// The process that oversees the apps, below their daemon's keeper.
fn overseer(sandbox: &Sandbox) -> i32 {
    let is = |pid: i32| ganger_testkit::command_line(pid).split(' ').nth(1) == Some("overseer");
    sandbox.census().iter().map(|process| process.pid).find(|pid| is(*pid)).unwrap()
}

#[test]
fn neither_the_death_of_the_keeper_nor_of_all_costs_a_worker_of_any_app_or_doubles_it() {
    let sandbox = sandbox();
    let [shop, blog, rest] = ["shop", "blog", "rest"].map(|name| {
        let dir = app(&sandbox, name, &format!("web: {OBEDIENT}\n")).to_str().unwrap().to_owned();
        sandbox.run(["app", "add", &dir]).expect_code(0);
        dir
    });
    let first = daemon(&sandbox);
    for name in ["shop", "blog", "rest"] {
        first.wait_error(&format!("{name}/main: web.1: started"));
    }
    sandbox.ganger(["quit"]).dir(&rest).run().expect_code(0);
    let all = || [&shop, &blog].map(|dir| workers(&sandbox, ["-d", dir]));
    let before = all();
    let (keeper, heir) = (first.pid(), overseer(&sandbox));
    kill_nine(keeper, Deadline::generous());
    first.wait_error("shop/main: the overseer was started again");
    first.wait_error("blog/main: the overseer was started again");
    assert_eq!(all(), before);
    assert_eq!(listed(&sandbox), ["blog/main running", "rest/main ended", "shop/main running"]);
    let next = overseer(&sandbox);
    for stop in [Signal::STOP, Signal::KILL] {
        ganger_testkit::signal(heir, stop);
        ganger_testkit::signal(next, stop);
    }
    assert!(wait_gone(heir, Deadline::generous()) && wait_gone(next, Deadline::generous()));
    drop(first);
    let again = daemon(&sandbox);
    again.wait_error("shop/main: the overseer was started again");
    again.wait_error("blog/main: the overseer was started again");
    assert_eq!(all(), before);
    sandbox.ganger(["restart", "web"]).dir(&shop).run().expect_code(0);
    assert!(!is_alive(i32::try_from(before[0][0].1).unwrap()));
    end(&sandbox, again);
}
