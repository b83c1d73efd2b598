//! Ports: by position, by hand, and held by somebody else.

use std::net::{Ipv4Addr, TcpListener};

use ganger_testkit::{free_port, free_port_run};

use crate::support::*;

#[test]
fn three_kinds_of_worker_get_3000_3100_and_3200() {
    let worker = "echo $PS on $PORT ready; exec tail -f /dev/null";
    let sandbox =
        sandbox_with(&format!("# workers of one app\nui: {worker}\n\napi: {worker}\nwebsocket: {worker}"));
    let running = sandbox.start(["start", "-p", "3000"]);
    running.wait_line("| ui.1 on 3000 ready");
    running.wait_line("| api.1 on 3100 ready");
    running.wait_line("| websocket.1 on 3200 ready");
    interrupted(&sandbox, running);
}

#[test]
fn a_port_set_in_the_command_wins() {
    let sandbox = sandbox_with(
        "ui: echo ready $PORT; exec tail -f /dev/null
         api: PORT=4000 sh -c 'echo ready $PORT; exec tail -f /dev/null'",
    );
    let running = started_with(&sandbox, ["-p", "3000"], 2);
    running.wait_line("ready 3000");
    running.wait_line("ready 4000");
    interrupted(&sandbox, running);
}

#[test]
fn several_instances_count_by_one() {
    let sandbox = sandbox_with(
        "ui: echo ready $PORT; exec tail -f /dev/null\napi: echo ready $PORT; exec tail -f /dev/null",
    );
    let running = started_with(&sandbox, ["-p", "3000", "-m", "ui=2,api=2"], 4);
    for port in [3000, 3001, 3100, 3101] {
        running.wait_line(&format!("ready {port}"));
    }
    interrupted(&sandbox, running);
}

#[test]
fn workers_that_listen_get_ports_that_are_theirs() {
    let serve = "exec python3 -u -m http.server $PORT --bind 127.0.0.1";
    let sandbox = sandbox_with(&format!("ui: {serve}\napi: {serve}"));
    let base = free_port_run(2, 100);
    let running = sandbox.start(["start", "-p", &base.to_string()]);
    running.wait_line(&format!("port {base} "));
    running.wait_line(&format!("port {} ", base + 100));
    interrupted(&sandbox, running);
}

#[test]
fn a_port_that_somebody_holds_is_reported_with_the_holder() {
    let port = free_port();
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    assert!(held.is_ok(), "{held:?}");
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started_with(&sandbox, ["-p", &port.to_string()], 1);
    let me = std::process::id().to_string();
    let ports = sandbox.run(["ports"]).success();
    assert!(ports.contains(&me), "{ports}");
    let finished = interrupted(&sandbox, running);
    let report = said(&finished).lines().find(|line| line.contains(&port.to_string())).map(str::to_owned);
    assert!(
        report.is_some_and(|line| line.contains(&me)),
        "no word of port {port} and process {me}:\n{finished}"
    );
}
