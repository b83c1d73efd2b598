//! A running server with programs of all kinds, and clients for it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ganger_testkit::{Deadline, Launch, Running, Sandbox, free_port, python_environment};

/// Whose server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    Stock,
    Ours,
}

/// Whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Stock,
    Ours,
}

pub(crate) const USERNAME: &str = "somebody";
pub(crate) const PASSWORD: &str = "thepassword";
/// `PASSWORD` by SHA-1.
const PASSWORD_HASH: &str = "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d";

const PROGRAMS: &str = "
[program:cat]
command=/bin/cat
startsecs=0

[program:pair]
command=/usr/bin/tail -f /dev/null
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0

[program:failing]
command=/bin/false
startretries=0

[program:missing]
command=/no/such/program
startretries=0

[program:plain]
command=%(here)s/supervisord.conf
startretries=0

[program:instant]
command=/bin/true
startsecs=0
autorestart=false

[program:off]
command=/bin/cat
startsecs=0
autostart=false
priority=7

[program:loud]
command=/bin/sh -c \"echo out; echo err >&2; exec cat\"
startsecs=0
stdout_logfile=%(here)s/loud.out
stderr_logfile=%(here)s/loud.err

[program:slow]
command=/bin/sh -c \"trap '' TERM; echo deaf; exec tail -f /dev/null\"
startsecs=0
stopwaitsecs=1

[program:silent]
command=/bin/cat
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[program:left]
command=/bin/cat
startsecs=0

[program:right]
command=/bin/cat
startsecs=0
autostart=false
priority=2

[group:both]
programs=left,right
priority=5
";

/// What the daemon's log says once everything is as it will stay.
const SETTLED: [&str; 8] = [
    "success: cat entered RUNNING",
    "success: pair_1 entered RUNNING",
    "success: slow entered RUNNING",
    "success: left entered RUNNING",
    "gave up: failing",
    "gave up: missing",
    "gave up: plain",
    "exited: instant",
];

/// A server in a sandbox of its own.
pub(crate) struct Server {
    pub(crate) sandbox: Sandbox,
    pub(crate) port: u16,
    daemon: Option<Running>,
    /// So often it has begun.
    begun: usize,
}

/// Where the stock programs are.
pub(crate) fn stock() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let ganger = Path::new(env!("CARGO_BIN_EXE_ganger"));
    PLACE.get_or_init(|| python_environment(ganger, &["supervisor", "superlance"]))
}

impl Server {
    /// Starts one and blocks until its programs are as they will stay.
    pub(crate) fn start(daemon: Daemon) -> Self {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_ganger"));
        let port = free_port();
        let configuration = format!(
            "[unix_http_server]\nfile=%(here)s/s.sock\n\
             [inet_http_server]\nport=127.0.0.1:{port}\nusername={USERNAME}\npassword={PASSWORD_HASH}\n\
             [supervisord]\nlogfile=%(here)s/supervisord.log\npidfile=%(here)s/supervisord.pid\nnodaemon=true\n\
             childlogdir=%(here)s\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://%(here)s/s.sock\nhistory_file=%(here)s/history\n\
             [include]\nfiles=more/*.conf\n{PROGRAMS}"
        );
        sandbox.file("supervisord.conf", &configuration);
        sandbox.file("more/none.conf", "");
        std::fs::create_dir(sandbox.root().join("bin")).expect("a directory for programs");
        let bin = sandbox.root().join("bin");
        for name in ["supervisord", "supervisorctl"] {
            symlink(env!("CARGO_BIN_EXE_ganger"), bin.join(name)).expect("ganger by another name");
        }
        let program = match daemon {
            Daemon::Stock => stock().join("supervisord"),
            Daemon::Ours => bin.join("supervisord"),
        };
        let running = sandbox.program([&program.to_string_lossy(), "-c", "supervisord.conf"]).start();
        let mut server = Self { sandbox, port, daemon: Some(running), begun: 0 };
        server.settle();
        server
    }

    /// Blocks until the programs are as they will stay, once more after each restart of the server.
    pub(crate) fn settle(&mut self) {
        self.begun += 1;
        let log = self.sandbox.path("supervisord.log");
        let settled = |text: &str| SETTLED.iter().all(|line| text.matches(line).count() >= self.begun);
        let waited = ganger_testkit::wait_for_file(log, Deadline::generous(), settled);
        assert!(waited.is_ok(), "it does not settle: {waited:?}\n{}", self.sandbox.report());
        self.sandbox.wait_file("loud.err", "err");
    }

    /// Blocks until the server has ended by itself.
    pub(crate) fn ended(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.wait_exit(Deadline::generous());
        }
    }

    /// The client's program.
    pub(crate) fn client_program(&self, client: Client) -> String {
        let place = match client {
            Client::Stock => stock().join("supervisorctl"),
            Client::Ours => self.sandbox.root().join("bin/supervisorctl"),
        };
        place.to_string_lossy().into_owned()
    }

    /// The client with these words, to be started. It finds the configuration in the present directory.
    pub(crate) fn client(&self, client: Client, words: &[&str]) -> Launch {
        let program = self.client_program(client);
        let words: Vec<&str> = std::iter::once(program.as_str()).chain(words.iter().copied()).collect();
        self.sandbox.program_with(&words).env("TERM", "dumb")
    }
}
