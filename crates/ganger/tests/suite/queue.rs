//! Workers of a real queue, as their documentation sets them up: PHP on beanstalkd under a supervisord.conf, three of them,
//! recycled after some jobs and killed at random.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic, its helpers too")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};

use ganger_testkit::{Deadline, Sandbox, connect, free_port, signal, wait_for_file};
use rustix::process::Signal;

use crate::support::*;

const JOBS: usize = 300;
/// A worker is killed each time so many more jobs are done.
const DONE_BETWEEN_KILLS: usize = 25;
const WORKERS: usize = 3;

/// Takes jobs until it has done 20, and exits with 0. There are as many seats as workers: who finds none is one too many.
const WORKER: &str = r#"<?php
[, $port, $seats] = $argv;
for ($seat = 0; ; $seat++) {
    if ($seat == $seats) { file_put_contents('too-many', getmypid() . "\n", FILE_APPEND); exit(1); }
    $mine = fopen("seat.$seat", 'c');
    if (flock($mine, LOCK_EX | LOCK_NB)) break;
}
file_put_contents('pids', getmypid() . "\n", FILE_APPEND | LOCK_EX);
$queue = stream_socket_client("tcp://127.0.0.1:$port");
for ($run = 0; $run < 20; $run++) {
    fwrite($queue, "reserve\r\n");
    [, $id, $length] = explode(' ', trim(fgets($queue)));
    $job = stream_get_contents($queue, $length + 2);
    usleep(3000);
    file_put_contents('done', trim($job) . "\n", FILE_APPEND | LOCK_EX);
    fwrite($queue, "delete $id\r\n");
    fgets($queue);
}
"#;

/// Puts the jobs into the queue.
fn fill(port: u16) {
    let mut queue = BufReader::new(connect(port, Deadline::generous()));
    for job in 0..JOBS {
        let job = format!("job-{job}");
        write!(queue.get_mut(), "put 1 0 600 {}\r\n{job}\r\n", job.len()).unwrap();
        let mut answer = String::new();
        queue.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("INSERTED"), "{answer}");
    }
}

/// Blocks until so many lines are in the file.
fn wait_lines(sandbox: &Sandbox, name: &str, count: usize) {
    let enough = |text: &str| text.lines().count() >= count;
    let seen = wait_for_file(sandbox.path(name), Deadline::generous(), enough);
    assert!(seen.is_ok(), "no {count} lines in {name}: {seen:?} {}", sandbox.report());
}

#[test]
fn no_job_of_a_queue_is_lost_though_workers_are_recycled_and_killed_and_never_is_one_too_many() {
    let sandbox = sandbox();
    let port = free_port();
    let queue = sandbox.program(["beanstalkd", "-l", "127.0.0.1", "-p", &port.to_string()]).start();
    fill(port);
    sandbox.file("worker.php", WORKER);
    for name in ["done", "pids"] {
        sandbox.file(name, "");
    }
    sandbox.file(
        "supervisord.conf",
        &format!(
            "[supervisord]\nnodaemon = true\n[program:my-app]\ncommand = php worker.php {port} {WORKERS}\n\
             numprocs = {WORKERS}\nprocess_name = my-app-worker-%(process_num)02d\nautorestart = true\n\
             startsecs = 0\ndirectory = {}\n",
            sandbox.app().display()
        ),
    );
    let daemon = sandbox.start(["daemon", "-c", "supervisord.conf"]);
    for kill in 1..JOBS / DONE_BETWEEN_KILLS {
        wait_lines(&sandbox, "done", kill * DONE_BETWEEN_KILLS);
        let pids = sandbox.read("pids");
        let begun: Vec<i32> = pids.lines().rev().filter_map(|line| line.parse().ok()).collect();
        // The one that began last may have ended already: then another lives.
        begun.iter().skip(kill % WORKERS).find(|pid| signal(**pid, Signal::KILL));
    }
    wait_lines(&sandbox, "done", JOBS);
    let distinct = |text: &str| text.lines().collect::<BTreeSet<_>>().len() == JOBS;
    let all = wait_for_file(sandbox.path("done"), Deadline::generous(), distinct);
    assert!(all.is_ok(), "jobs are lost: {}", sandbox.report());
    assert!(!sandbox.path("too-many").exists(), "more than {WORKERS}: {}", sandbox.read("too-many"));
    let told = sandbox.run(["ps", "--json", "-f", "supervisord.conf"]).json();
    let workers = told["workers"].as_array().unwrap();
    assert_eq!(workers.iter().filter(|worker| worker["wanted"] == "up").count(), WORKERS, "{told:#}");
    queue.signal(Signal::TERM);
    queue.finish(Deadline::generous());
    daemon.signal(Signal::TERM);
    ended(&sandbox, daemon).expect_code(0);
}
