//! The files of an app.

use std::path::Path;

use ganger_spec::{LoadError, Loaded, MAX_PROBLEMS, Options, Spec, load};

pub(crate) const PROCFILE: &[&str] =
    &["web", ":", ": ", "\n", "#", "\r\n", "\u{feff}", "$PORT", "'", "\"", "\\", " ", "\t", "\0", "ü", "_-."];
pub(crate) const DOTENV: &[&str] = &[
    "export ", "A", "=", "\n", "#", "'", "\"", "\\n", "\\", "$", "${", "}", "$A", "${A:-b}", "\r\n", " ",
    "\0", "ü",
];
pub(crate) const FOREMAN: &[&str] = &[
    "procfile: ",
    "port: ",
    "timeout: ",
    "formation: ",
    "concurrency: ",
    "color: ",
    "timestamp: ",
    "env: ",
    "root: ",
    "\n",
    "---\n",
    "- ",
    "#",
    "'",
    "\"",
    "true",
    "no",
    "9999999999",
    "-1",
    "web=1,all=2",
    "\t",
    "ü",
];
pub(crate) const NATIVE: &[&str] = &[
    "app = 's'\n",
    "[env]\n",
    "[groups.web]\n",
    "[groups.",
    "]\n",
    "command = 'w'\n",
    "command = ['a']\n",
    "count = ",
    "port = ",
    "env = { A = 1 }\n",
    "dir = 's'\n",
    "user = 'u'\n",
    "umask = '027'\n",
    "limits = { ",
    "core = ",
    "'unlimited'",
    "restart = 'always'\n",
    "startsecs = ",
    "backoff = { initial = '1s', factor = ",
    "jitter = ",
    " }\n",
    "budget = { restarts = 1, within = '1h' }\n",
    "exits = { preset = 'paas', 3 = 'fatal' }\n",
    "on_end = 'shutdown'\n",
    "stop = { signal = 'INT', timeout = '500ms' }\n",
    "stop.signal = ",
    "'QUIT'\n",
    "1.5",
    "-1",
    "'1m30s'",
    "'1MiB'",
    "99999999999999999999",
    "nan",
    "inf",
    "1e308",
    "'",
    "\"\"\"",
    "{",
    "[",
    "\n",
    "ü",
];

pub(crate) const SUPERVISOR: &[&str] = &[
    "[supervisord]\n",
    "[program:",
    "[eventlistener:l]\n",
    "[fcgi-program:f]\n",
    "[group:g]\nprograms=",
    "[unix_http_server]\nfile=s\n",
    "[inet_http_server]\nport=",
    "[include]\nfiles=*.conf\n",
    "[DEFAULT]\n",
    "[supervisorctl]\n",
    "]\n",
    "command=",
    "environment=",
    "A=1,B=\"x\",",
    "process_name=",
    "numprocs=",
    "numprocs_start=",
    "stdout_logfile=",
    "_maxbytes=10MB\n",
    "autorestart=unexpected\n",
    "events=TICK_5\n",
    "depends_on=",
    "x:ready,",
    "readiness_http=http://h:80/",
    "liveness_command=",
    "_interval=1s\n",
    "attempts=unlimited\n",
    "backoff_max=",
    "max_memory=1GB\n",
    "watch=a/**\n",
    "socket=tcp://h:1\n",
    "user=root\n",
    "%(process_num)",
    "%(program_name)s",
    "%(ENV_A)s",
    "%(here)s",
    "%(",
    "%%",
    "02d",
    "4096s",
    "-app",
    "9999",
    "-1",
    " ; ",
    "\n  ",
    "=",
    ":",
    "'",
    "\"",
    "\\",
    "\r",
    "\n",
    "ü",
];

/// The one file that is read only where it is named.
const SUPERVISORD_CONF: &str = "supervisord.conf";

pub(crate) fn supervisor(bytes: &[u8]) {
    check(SUPERVISORD_CONF, bytes, &[]);
}

pub(crate) fn procfile(bytes: &[u8]) {
    check("Procfile", bytes, &[]);
}

pub(crate) fn dotenv(bytes: &[u8]) {
    check(".env", bytes, &[("Procfile", "web: serve")]);
    if let Ok(value) = str::from_utf8(bytes) {
        quoted(value);
    }
}

pub(crate) fn foreman(bytes: &[u8]) {
    check(".foreman", bytes, &[("Procfile", "web: serve\nworker: work"), ("other", "one: two")]);
}

pub(crate) fn native(bytes: &[u8]) {
    check("ganger.toml", bytes, &[("Procfile", "web: serve")]);
}

/// A file with these bytes beside good ones: what is wrong is told with its place, what is right can be written down.
fn check(name: &str, bytes: &[u8], others: &[(&str, &str)]) {
    match load_files(name, bytes, others) {
        Ok(loaded) => {
            round_trip(&loaded.spec);
            assert!(loaded.warnings.len() <= MAX_PROBLEMS + 1, "{} warnings", loaded.warnings.len());
        }
        Err(error) => errors_say_where(&error, bytes),
    }
}

fn load_files(name: &str, bytes: &[u8], others: &[(&str, &str)]) -> Result<Loaded, LoadError> {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory for the files: {error}"));
    let write = |name: &str, bytes: &[u8]| {
        let written = std::fs::write(dir.path().join(name), bytes);
        written.unwrap_or_else(|error| panic!("{name} cannot be written: {error}"));
    };
    for (name, text) in others {
        write(name, text.as_bytes());
    }
    write(name, bytes);
    let file = (name == SUPERVISORD_CONF).then(|| name.into());
    load(&Options { dir: dir.path().to_owned(), file, ..Options::default() })
}

/// Each problem names a file, and a line that the file has.
fn errors_say_where(error: &LoadError, bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count().max(3);
    assert!((1..=MAX_PROBLEMS + 1).contains(&error.problems().len()), "{} problems", error.problems().len());
    for problem in error.problems() {
        let is_a_count =
            problem.message.ends_with("more problems") || problem.message.ends_with("more problem");
        assert!(problem.path.is_some() || is_a_count, "no file is named: {problem:?}");
        assert!(
            problem.line.is_none_or(|line| (1..=lines).contains(&(line as usize))),
            "no such line: {problem:?}"
        );
        assert!(!problem.message.is_empty(), "nothing is said: {problem:?}");
        assert!(!problem.to_string().contains('\0'), "a NUL byte is printed: {problem:?}");
    }
}

/// What was read can be written into the ledger and read again.
pub(crate) fn round_trip(spec: &Spec) {
    let text = serde_json::to_string(spec).unwrap_or_else(|error| panic!("a spec has no text form: {error}"));
    match serde_json::from_str::<Spec>(&text) {
        Ok(again) => assert_eq!(&again, spec, "a spec changes in the ledger"),
        Err(error) => panic!("a spec cannot be read again: {error}\n{text}"),
    }
}

/// Any text, quoted, is read as itself.
fn quoted(value: &str) {
    if value.len() > 1 << 10 || value.contains(['\0', '\r']) {
        return;
    }
    let file = format!("VALUE={}\n", ganger_spec::quote(value));
    let loaded = load_files(".env", file.as_bytes(), &[("Procfile", "web: serve")]);
    let loaded = loaded.unwrap_or_else(|error| panic!("a quoted value is refused: {error}\n{file}"));
    let read = loaded.spec.env.iter().find(|variable| variable.name == "VALUE");
    assert_eq!(read.map(|variable| variable.value.as_str()), Some(value), "quoted as {file}");
}

/// A good app in a directory.
pub(crate) fn app(dir: &Path) {
    let written = std::fs::write(dir.join("Procfile"), "web: serve\nworker: work\nclock: tick");
    written.unwrap_or_else(|error| panic!("the Procfile cannot be written: {error}"));
}
