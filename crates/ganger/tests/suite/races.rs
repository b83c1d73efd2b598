//! Moments at which one side could be a little too early.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use ganger_testkit::{Deadline, kill_nine};

use crate::support::*;

const ROUNDS: usize = 10;
const DEATHS: usize = 3;

#[test]
fn whoever_asks_ganger_to_end_gets_its_answer_however_fast_the_end_is() {
    let sandbox = sandbox();
    let conf = "[supervisord]\n[unix_http_server]\nfile=%(here)s/s.sock\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:web]\ncommand=tail -f /dev/null\nstartsecs=0\n";
    sandbox.file("supervisord.conf", conf);
    let body = "<methodCall><methodName>supervisor.shutdown</methodName></methodCall>";
    for round in 0..ROUNDS {
        let running = sandbox.start(["daemon", "-c", "supervisord.conf"]);
        running.wait_error("web.1: started");
        if round % 2 == 0 {
            sandbox.run(["quit", "-f", "supervisord.conf"]).expect_code(0);
        } else {
            let stream = UnixStream::connect(sandbox.path("s.sock"));
            let asked = stream.and_then(|mut stream| {
                stream.set_read_timeout(Deadline::generous().left())?;
                let length = body.len();
                write!(stream, "POST /RPC2 HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}")?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer)
            });
            let told = asked.unwrap_or_else(|error| panic!("no answer in round {round}: {error}"));
            assert!(told.contains("200 OK") && told.contains("<boolean>1</boolean>"), "{told}");
        }
        ended(&sandbox, running).expect_code(0);
    }
}

#[test]
fn a_client_that_reaches_a_dying_overseer_is_served_by_the_next_one() {
    let sandbox = sandbox_with(&format!("web: {OBEDIENT}"));
    let running = started(&sandbox, 1);
    let web = pid(&sandbox, "web.1");
    let is_over = AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut served = 0;
            while !is_over.load(Ordering::Acquire) {
                assert_eq!(pid(&sandbox, "web.1"), web);
                served += 1;
            }
            served
        });
        for _ in 0..DEATHS {
            // The next one serves.
            assert_eq!(pid(&sandbox, "web.1"), web);
            kill_nine(running.child_with("overseer"), Deadline::generous());
        }
        is_over.store(true, Ordering::Release);
        client.join()
    });
    assert!(served.is_ok_and(|served| served > 0), "a client was not served");
    interrupted(&sandbox, running);
}
