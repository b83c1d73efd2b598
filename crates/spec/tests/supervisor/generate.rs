//! Random files: each key with values that are right and values that are wrong, in every dress that the dialect has.

use std::fmt::Write;

/// Chance, from a seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A key, values that are taken, and values that are refused.
type Key = (&'static str, &'static [&'static str], &'static [&'static str]);

const BOOLEANS: &[&str] = &["true", "False", "ON", "off", "1", "0", "yes", "no"];
const NO_BOOLEANS: &[&str] = &["maybe", "", "2", "true false"];
const SIZES: &[&str] = &["0", "1024", "10MB", "1gb", "5 KB", "1_000", "50mB"];
const NO_SIZES: &[&str] = &["10M", "MB", "x", "", "1.5MB"];
const NUMBERS: &[&str] = &["0", "1", "5", "-1", "+7", "1_000", "  3", "007"];
const NO_NUMBERS: &[&str] = &["", "x", "1.0", "0x10", "1__0", "five"];
const FILES: &[&str] = &[
    "AUTO",
    "none",
    "OFF",
    "/tmp/%(program_name)s.log",
    "here.log",
    "%(here)s/a.log",
    "/tmp/%(process_num)03d.log",
    "~/x.log",
    "syslog",
    "/tmp/%(ENV_STAGE)s.log",
    "/tmp/%(ENV_OWN)s.log",
    "/tmp/%%%%x.log",
    "/dev/stdout",
];
const NO_FILES: &[&str] = &["/no/such/dir/x.log", "/tmp/%(nobody)s", "/tmp/%%x.log", "%(ENV_NOBODY)s"];

const SUPERVISORD: &[Key] = &[
    (
        "logfile",
        &["/tmp/s.log", "s.log", "%(here)s/s.log", "syslog", "~/s.log", "%(ENV_STAGE)s.log"],
        &["/no/such/s.log", "%(x)s"],
    ),
    ("logfile_maxbytes", SIZES, NO_SIZES),
    ("logfile_backups", NUMBERS, NO_NUMBERS),
    (
        "loglevel",
        &["info", "DEBUG", "critical", "warn", "error", "trace", "blather"],
        &["loud", "", "warning"],
    ),
    ("pidfile", &["/tmp/s.pid", "s.pid", "../s.pid"], &["/no/such/s.pid"]),
    ("umask", &["022", "0o27", "77", "0"], &["8", "x", ""]),
    ("nodaemon", BOOLEANS, NO_BOOLEANS),
    ("silent", BOOLEANS, NO_BOOLEANS),
    ("minfds", NUMBERS, NO_NUMBERS),
    ("minprocs", NUMBERS, NO_NUMBERS),
    ("nocleanup", BOOLEANS, NO_BOOLEANS),
    ("childlogdir", &["/tmp", "%(here)s", "~", "."], &["/no/such", "%(here)s/nope"]),
    ("user", &["root", "0", "nobody"], &["no-such-user", "987654"]),
    ("directory", &["/tmp", "%(here)s", "/"], &["/no/such"]),
    ("strip_ansi", BOOLEANS, NO_BOOLEANS),
    (
        "environment",
        &["GLOBAL=1", "A=\"x, y\",B='z'", "A=1;B=2,", "A=%(here)s", "A=a b,C=1", "A=%(ENV_STAGE)s", ""],
        &["A=", "A", "A='x", "A=%(nobody)s", "A=x@y"],
    ),
    ("identifier", &["one", "two words", "%(here)s"], &["%(x)s"]),
    ("unknown_key", &["1", "%(never)s"], &[]),
];

const PROGRAM: &[Key] = &[
    ("priority", NUMBERS, NO_NUMBERS),
    ("autostart", BOOLEANS, NO_BOOLEANS),
    ("startsecs", NUMBERS, NO_NUMBERS),
    ("startretries", NUMBERS, NO_NUMBERS),
    ("autorestart", &["true", "FALSE", "unexpected", "Unexpected", "1", "off"], &["sometimes", ""]),
    ("exitcodes", &["0", "0,2", "", " 1 , 255", "0"], &["256", "-1", "a", "0,"]),
    (
        "stopsignal",
        &["TERM", "SIGINT", "quit", "9", "Usr1", "HUP", "CLD", "15", "POLL", "RTMIN"],
        &["NOPE", "", "70", "-1", "35"],
    ),
    ("stopwaitsecs", NUMBERS, NO_NUMBERS),
    ("killasgroup", &["true", "yes"], NO_BOOLEANS),
    ("user", &["root", "nobody", "0"], &["no-such-user", "987654"]),
    ("umask", &["022", "77"], &["8", "x"]),
    (
        "directory",
        &["/tmp", "/no/such/%(program_name)s", "%(here)s", "rel/dir", "/srv/%(process_num)d", "%(ENV_OWN)s"],
        &["%(nobody)s", "%(process_num)"],
    ),
    ("redirect_stderr", BOOLEANS, NO_BOOLEANS),
    ("stdout_logfile", FILES, NO_FILES),
    ("stderr_logfile", FILES, NO_FILES),
    ("stdout_logfile_maxbytes", SIZES, NO_SIZES),
    ("stderr_logfile_maxbytes", SIZES, NO_SIZES),
    ("stdout_logfile_backups", NUMBERS, NO_NUMBERS),
    ("stderr_logfile_backups", NUMBERS, NO_NUMBERS),
    ("stdout_capture_maxbytes", SIZES, NO_SIZES),
    ("stderr_capture_maxbytes", SIZES, NO_SIZES),
    ("stdout_events_enabled", BOOLEANS, NO_BOOLEANS),
    ("stderr_events_enabled", BOOLEANS, NO_BOOLEANS),
    ("stdout_syslog", BOOLEANS, NO_BOOLEANS),
    ("stderr_syslog", BOOLEANS, NO_BOOLEANS),
    ("serverurl", &["AUTO", "auto", "http://x:1", "unix:///tmp/%(program_name)s"], &["%(process_num)s"]),
    (
        "environment",
        &[
            "OWN=1",
            "OWN=\"n%(process_num)02d\",B=%(program_name)s",
            "OWN=%(group_name)s,C=%(host_node_name)s",
            "OWN='a,b',D=%(ENV_STAGE)s",
            "OWN=a b",
            "OWN=x;E=5",
            "OWN=/a/b:c,F=+1-2()",
            "OWN=%(ENV_GLOBAL)s",
        ],
        &["OWN=", "OWN", "OWN=%(ENV_OWN)s", "OWN='x", "OWN=a@b", "OWN=%(nobody)s"],
    ),
    ("numprocs_start", &["0", "1", "5", "-2"], NO_NUMBERS),
    ("unknown", &["x"], &[]),
];

/// Keys that supervisord passes over: to it, a file with them is the same as one without.
const BEYOND: &[Key] = &[
    ("attempts", &["unlimited", "7", "Unlimited"], &[]),
    ("backoff_initial", &["500ms", "1", "0"], &[]),
    ("backoff_factor", &["2", "1.5"], &[]),
    ("backoff_max", &["30s", "5m", "10"], &[]),
    ("backoff_jitter", &["0", "0.25"], &[]),
    ("on_fatal", &["shutdown", "stay"], &[]),
    ("max_memory", &["300MB", "1 GiB", "1048576"], &[]),
    (
        "liveness_command",
        &[
            "test -e %(here)s/x && true",
            "ask %(program_name)s %(process_num)02d of %(numprocs)d",
            "x %(ENV_STAGE)s",
        ],
        &[],
    ),
    ("watch", &["app/**/*.rb config", "/srv/%(program_name)s"], &[]),
];

const COMMANDS: &[&str] = &[
    "/bin/cat",
    "tick %(process_num)d",
    "sh -c 'echo %(program_name)s'",
    "cat %(here)s/x",
    "echo 100%%",
    "a %(process_num)05.1f %(numprocs)x %(process_num)+d %(process_num)-3d| %(process_num)e %(process_num)g",
    "a %(program_name)10s|%(program_name)-10s|%(program_name).2s %(program_name)r %(process_num)c",
    "tick 3#x",
    "tick 3 ; no more",
    "env %(ENV_OWN)s",
    "run %(ENV_STAGE)s %(ENV_PERCENT)s",
    "python -c \"print('x')\"",
    "a \\\n  b\n  c",
    "%(host_node_name)s %(group_name)s",
    "a: b = c",
    "%(numprocs)s '%(ENV_QUOTED)s %(process_num)#o %(numprocs)#X %(process_num)#06x",
];
const NO_COMMANDS: &[&str] = &[
    "%(nobody)s",
    "tick %(process_num)",
    "100%",
    "%(process_num)z",
    "%(program_name)d",
    "%(program_name",
    "%d",
    "%(process_num)*d",
    "%(program_name)c",
    "%(ENV_NOBODY)s",
    "%x",
];
const PROCESS_NAMES: &[&str] = &[
    "%(program_name)s_%(process_num)02d",
    "p%(process_num)s",
    "  x-%(process_num)d  ",
    "%(process_num)-app",
    "w-%(process_num)x",
    "%(group_name)s.%(process_num)i",
    "%(ENV_STAGE)s%(process_num)d",
    "a@%(process_num)d",
];
const NO_PROCESS_NAMES: &[&str] = &[
    "w-%(process_num)",
    "%(process_num)_w",
    "a b%(process_num)d",
    "a:%(process_num)d",
    "%(nobody)s%(process_num)d",
];

/// A file and those that it includes, by their names.
pub(crate) struct Files(pub(crate) Vec<(String, String)>);

/// What is written so far.
struct Writer<'a> {
    chance: &'a mut Chance,
    text: String,
    /// Whether something wrong may still be written: one such thing is enough for a file.
    may_be_wrong: bool,
}

impl Writer<'_> {
    fn section(&mut self, name: &str) {
        let noise = ["", "", "; a comment\n", "# another\n\n", "   ; indented\n"];
        let noise = self.chance.pick(&noise);
        let tail = self.chance.pick(&["", "", " ; tail", " tail", "\t# x"]);
        let _ = writeln!(self.text, "{noise}[{name}]{tail}");
    }

    fn key(&mut self, key: &str, value: &str) {
        let key = if self.chance.one_in(8) { key.to_uppercase() } else { key.to_owned() };
        let sign = self.chance.pick(&["=", " = ", ": ", "=\t", " :"]);
        let tail = self.chance.pick(&["", "", "", " ; comment", "   ", "\t# c ; d", "\n\n", "\n; between\n"]);
        let _ = writeln!(self.text, "{key}{sign}{value}{tail}");
    }

    fn value(&mut self, right: &[&'static str], wrong: &[&'static str]) -> &'static str {
        if self.may_be_wrong && !wrong.is_empty() && self.chance.one_in(3) {
            self.may_be_wrong = false;
            return self.chance.pick(wrong);
        }
        self.chance.pick(right)
    }

    fn keys(&mut self, keys: &[Key], how_many: usize) {
        for _ in 0..how_many {
            let (key, right, wrong) = keys[self.chance.below(keys.len())];
            let value = self.value(right, wrong);
            self.key(key, value);
        }
    }

    fn program(&mut self, kind: &str, name: &str) {
        self.section(&format!("{kind}:{name}"));
        if !self.may_be_wrong || !self.chance.one_in(40) {
            let command = self.value(COMMANDS, NO_COMMANDS);
            self.key("command", command);
        } else {
            self.may_be_wrong = false;
        }
        if self.chance.one_in(2) {
            self.key("environment", "OWN=own");
        }
        let count = self.chance.pick(&["1", "2", "3", "0", "-1", ""]);
        if !count.is_empty() {
            self.key("numprocs", count);
        }
        let must = count == "2" || count == "3";
        if must || self.chance.one_in(3) {
            let name = self.value(PROCESS_NAMES, NO_PROCESS_NAMES);
            self.key("process_name", name);
        }
        let more = self.chance.below(9);
        self.keys(PROGRAM, more);
        let beyond = if self.chance.one_in(3) { self.chance.below(4) } else { 0 };
        self.keys(BEYOND, beyond);
        match kind {
            "eventlistener" => self.listener(),
            "fcgi-program" => self.socket(),
            _ => {
                if self.chance.one_in(5) {
                    self.key("stopasgroup", "true");
                }
            }
        }
    }

    fn listener(&mut self) {
        self.key("redirect_stderr", "false");
        let events = self.value(
            &["PROCESS_STATE", "tick_5, TICK_60", "EVENT,event", "PROCESS_LOG"],
            &["NOPE", "", "TICK_5,"],
        );
        self.key("events", events);
        if self.chance.one_in(2) {
            let size = self.value(&["1", "100"], &["0", "-1", "x"]);
            self.key("buffer_size", size);
        }
    }

    fn socket(&mut self) {
        let socket = self.value(
            &[
                "unix:///tmp/%(program_name)s.sock",
                "unix://%(here)s/../x.sock",
                "unix:///tmp/%(ENV_STAGE)s.sock",
            ],
            &[
                "tcp://host:0",
                "unix://relative",
                "http://x",
                "",
                "tcp://:9000",
                "tcp://h:99999",
                "unix:///%(process_num)d",
            ],
        );
        self.key("socket", socket);
        for (key, right, wrong) in [
            ("socket_backlog", &["1", "65535"][..], &["0", "65536", "x"][..]),
            ("socket_owner", &["root", "root:root", "0:0"][..], &["nobody-here", "root:nobody-here"][..]),
            ("socket_mode", &["0700", "660"][..], &["x", "9"][..]),
        ] {
            if self.chance.one_in(3) {
                let value = self.value(right, wrong);
                self.key(key, value);
            }
        }
    }

    fn servers(&mut self) {
        if self.chance.one_in(2) {
            let is_named = self.chance.one_in(4);
            self.section(server_name(is_named, "unix_http_server"));
            let file = self.value(&["/tmp/s.sock", "%(here)s/s.sock", "~/s.sock", "run/s.sock"], &["%(x)s"]);
            self.key("file", file);
            if self.chance.one_in(2) {
                let mode = self.value(&["0700", "0o770"], &["x", "8"]);
                self.key("chmod", mode);
            }
            if self.chance.one_in(3) {
                let owner = self.value(&["root", "root:root"], &["nobody-here", "root:"]);
                self.key("chown", owner);
            }
        }
        if self.chance.one_in(2) {
            let is_named = self.chance.one_in(4);
            self.section(server_name(is_named, "inet_http_server"));
            let port = self
                .value(&["9001", "*:9001", "127.0.0.1:9001", "Host:1", ":65535"], &["0", "x", "a:", "65536"]);
            self.key("port", port);
            if self.chance.one_in(2) {
                self.key("username", "u");
                if !self.may_be_wrong || !self.chance.one_in(4) {
                    self.key("password", "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d");
                }
            }
        }
    }
}

fn server_name(is_named: bool, kind: &'static str) -> &'static str {
    match (is_named, kind) {
        (true, "unix_http_server") => "unix_http_server:second",
        (true, _) => "inet_http_server_two",
        (false, kind) => kind,
    }
}

/// The files of a seed. Some have nothing wrong, some may have one thing.
pub(crate) fn files(seed: u64) -> Files {
    let mut chance = Chance::new(seed);
    for _ in 0..8 {
        chance.below(2);
    }
    let may_be_wrong = chance.one_in(2);
    let includes = chance.one_in(4);
    let mut writer = Writer { chance: &mut chance, text: String::new(), may_be_wrong };
    if writer.chance.one_in(8) {
        writer.section("DEFAULT");
        writer.key("startsecs", "4");
        writer.key("autostart", "false");
    }
    if !writer.may_be_wrong || !writer.chance.one_in(30) {
        writer.section("supervisord");
        let how_many = writer.chance.below(6);
        writer.keys(SUPERVISORD, how_many);
    }
    writer.servers();
    if writer.chance.one_in(2) {
        writer.section("rpcinterface:supervisor");
        writer.key("supervisor.rpcinterface_factory", "supervisor.rpcinterface:make_main_rpcinterface");
    }
    if writer.chance.one_in(6) {
        writer.section("unknown");
        writer.key("x", "%(y)s");
    }
    let names = ["web", "my-app", "a.b", "worker_2", "web.1", "x@y", "all"];
    let how_many = 1 + writer.chance.below(3);
    let first = writer.chance.below(names.len());
    let programs: Vec<&str> = (0..how_many).map(|at| names[(first + at) % names.len()]).collect();
    for (at, name) in programs.iter().enumerate() {
        writer.program("program", name);
        if at > 0 && writer.chance.one_in(3) {
            let until = writer.chance.pick(&["", ":started", " : ready"]);
            writer.key("depends_on", &format!("{}{until}", programs[at - 1]));
            writer.key("readiness_http", "http://here/%(process_num)02d");
        }
    }
    if writer.chance.one_in(4) {
        writer.program("eventlistener", "listener");
    }
    if writer.chance.one_in(4) {
        writer.program("fcgi-program", "fcgi");
    }
    if writer.chance.one_in(3) {
        writer.section("group:family");
        let wrong = writer.may_be_wrong && writer.chance.one_in(3);
        let members =
            if wrong { "web,nobody".to_owned() } else { programs[..programs.len().min(2)].join(" , ") };
        writer.key("programs", &members);
        if writer.chance.one_in(2) {
            writer.key("priority", "5");
        }
    }
    let mut files = Vec::new();
    if includes {
        writer.section("include");
        let pattern = writer.value(
            &["conf.d/*.conf", "%(here)s/conf.d/[ab].conf none*.ini", "conf.d/a.conf\n  conf.d/b.conf"],
            &["%(x)s"],
        );
        writer.key("files", pattern);
        let main = std::mem::take(&mut writer.text);
        files.push(("supervisord.conf".to_owned(), main));
        writer.program("program", programs[0]);
        let over = std::mem::take(&mut writer.text);
        files.push(("conf.d/a.conf".to_owned(), over));
        writer.program("program", "included");
        files.push(("conf.d/b.conf".to_owned(), std::mem::take(&mut writer.text)));
    } else {
        if writer.may_be_wrong && writer.chance.one_in(12) {
            writer.text.push_str("a word alone\n");
        }
        files.push(("supervisord.conf".to_owned(), writer.text));
    }
    Files(files)
}
