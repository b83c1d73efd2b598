//! One process: the table of its group.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::notes::Notes;
use super::probe::MOST_SECONDS;
use super::yaml::Entry;
use super::{Import, MAX_EXTENDS, quoted};
use crate::native::parse_duration;
use crate::ports::MAX_COUNT;
use crate::watch::MAX_DEBOUNCE;
use crate::{Signal, suggest};

/// The keys of a process that mean nothing here, and what there is instead.
const WITHOUT_MATCH: [(&str, &str); 14] = [
    ("env_cmds", "Set the variables before ganger starts, or in the command."),
    ("env_file", "Let the command read it: `set -a; . ./FILE; exec …`; or name it in `env_files`, for all."),
    ("is_dotenv_disabled", "Variables of `.env` are those of all workers."),
    (
        "is_daemon",
        "Let the command stay in the foreground: what goes into the background is stopped with its worker.",
    ),
    ("launch_timeout_seconds", ""),
    ("is_elevated", "Let ganger run as root and say `user = \"root\"`, or put `sudo` into the command."),
    ("ready_log_line", "A `readiness` probe asks the worker itself."),
    ("log_location", "`ganger logs` shows its log, and `logs.file` puts it elsewhere."),
    ("truncate_log", "A log is rotated."),
    ("disable_ansi_colors", "`ganger logs --no-color` leaves colours out."),
    ("monitor_for", ""),
    ("monitor_silence_threshold", ""),
    ("mcp", ""),
    ("log_format", ""),
];

/// The keys of a process that are mapped.
const KEYS: [&str; 23] = [
    "command",
    "entrypoint",
    "description",
    "working_dir",
    "environment",
    "vars",
    "is_template_disabled",
    "extends",
    "namespace",
    "disabled",
    "is_disabled",
    "is_foreground",
    "is_interactive",
    "is_tty",
    "replicas",
    "depends_on",
    "availability",
    "success_exit_codes",
    "shutdown",
    "liveness_probe",
    "readiness_probe",
    "schedule",
    "watch",
];

/// What a process becomes.
pub(super) struct Process<'a, 'b> {
    import: &'a mut Import<'b>,
    name: &'a str,
    line: u32,
    entries: Vec<Entry>,
    notes: Notes,
    /// `key = value`, in the order in which they are written.
    keys: Vec<(&'static str, String)>,
    env: Vec<(String, String)>,
}

/// How an end is followed.
#[derive(Default)]
struct Availability {
    restart: Option<&'static str>,
    on_end: Option<&'static str>,
    backoff: Option<u64>,
    most: Option<u64>,
}

impl<'a, 'b> Process<'a, 'b> {
    pub(super) fn new(import: &'a mut Import<'b>, process: &'a Entry, all: &[Entry]) -> Self {
        let entries = inherited(import, process, all);
        let (name, line) = (process.name.as_str(), process.line);
        Self { import, name, line, entries, notes: Notes::default(), keys: Vec::new(), env: Vec::new() }
    }

    /// Writes the table.
    pub(super) fn write(mut self, out: &mut String) {
        let (before, errors) = (self.import.expander.clone(), self.import.findings.errors());
        self.vars();
        self.command();
        self.key("port", "false".to_owned());
        let (mut ends, mut codes) = (Availability::default(), Vec::new());
        let mut stop = BTreeMap::from([("timeout", "10".to_owned())]);
        for entry in std::mem::take(&mut self.entries) {
            match entry.name.as_str() {
                "availability" => ends = self.availability(&entry),
                "success_exit_codes" => codes = self.codes(&entry),
                "shutdown" => self.shutdown(&entry, &mut stop),
                _ => self.plain(&entry),
            }
        }
        self.ends(&ends, &codes);
        let stop: Vec<String> = stop.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        self.key("stop", format!("{{ {} }}", stop.join(", ")));
        self.import.expander = before;
        // Who writes `comand` is told of that alone.
        if self.keys.iter().all(|(key, _)| *key != "command") && self.import.findings.errors() == errors {
            let message = format!("`{}` has no command", self.name);
            self.import.wrong(self.line, message, "give it a `command`");
        }
        let group = self.import.names.get(self.name).cloned().unwrap_or_default();
        if group != self.name {
            self.notes.add(format!("The process `{}` is the group `{group}` here.", self.name));
        }
        let _ = writeln!(out);
        self.notes.write(out);
        let _ = writeln!(out, "[groups.{}]", if group.contains('.') { quoted(&group) } else { group });
        for (key, value) in &self.keys {
            let _ = writeln!(out, "{key} = {value}");
        }
    }

    fn key(&mut self, key: &'static str, value: String) {
        self.keys.retain(|(other, _)| *other != key);
        self.keys.push((key, value));
    }

    /// Templates of this process alone.
    fn vars(&mut self) {
        let expander = &mut self.import.expander;
        expander.vars.insert("PC_PROC_NAME".to_owned(), self.name.to_owned());
        expander.vars.insert("PC_REPLICA_NUM".to_owned(), "0".to_owned());
        for entry in self.entries.iter().filter(|entry| entry.name == "vars") {
            for var in entry.value.map().unwrap_or_default() {
                if let Some(value) = var.value.text() {
                    expander.vars.insert(var.name.clone(), value.to_owned());
                }
            }
        }
    }

    fn command(&mut self) {
        let find = |name: &str| self.entries.iter().find(|entry| entry.name == name).cloned();
        let is_plain = find("is_template_disabled").is_some_and(|entry| self.import.is_true(&entry));
        let said = find("command").filter(|entry| !entry.value.is_null());
        if let Some(entry) = said {
            let Some(raw) = entry.value.text().map(str::to_owned) else {
                return self.import.wrong(
                    entry.line,
                    "`command` is to be text",
                    "a list goes into `entrypoint`",
                );
            };
            let text = if is_plain {
                if self.import.expander.is_off { raw } else { raw.replace("$$", "$") }
            } else {
                self.import.expander.command(&raw, &mut self.notes)
            };
            if text.contains("PC_REPLICA_NUM") || text.contains("PC_PROC_NAME") {
                self.notes.add("`PC_PROC_NAME` and `PC_REPLICA_NUM` are not set: `GANGER_WORKER` is `NAME.1`, `NAME.2` and so on.");
            }
            let line = self.import.line(text.trim());
            return self.key("command", line);
        }
        let Some(entry) = find("entrypoint") else { return };
        let mut words = Vec::new();
        for item in self.import.list(&entry) {
            match item.text() {
                Some(text) => words.push(quoted(&self.import.expander.text(text, &mut self.notes))),
                None => {
                    self.import.wrong(
                        item.line,
                        "a word of `entrypoint` is to be text",
                        "put it into quotes",
                    );
                }
            }
        }
        self.key("command", format!("[{}]", words.join(", ")));
    }

    /// A key that needs no other.
    fn plain(&mut self, entry: &Entry) {
        match entry.name.as_str() {
            "command" | "entrypoint" | "vars" | "is_template_disabled" | "extends" => {}
            "description" => {
                if let Some(text) = self.import.text(entry, &mut Notes::default()) {
                    self.notes.add(text);
                }
            }
            "working_dir" => {
                if let Some(dir) = self.import.text(entry, &mut self.notes).filter(|dir| !dir.is_empty()) {
                    self.key("dir", quoted(&dir));
                }
            }
            "environment" => {
                let said = self.import.environment(entry, &mut self.notes);
                self.env.retain(|(name, _)| said.iter().all(|(own, _)| own != name));
                self.env.extend(said);
                let pairs: Vec<String> = self
                    .env
                    .iter()
                    .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
                    .collect();
                if !pairs.is_empty() {
                    self.key("env", format!("{{ {} }}", pairs.join(", ")));
                }
            }
            "namespace" => self.notes.none("namespace", "Names and globs of groups choose several."),
            "disabled" | "is_disabled" | "is_foreground" | "replicas" | "schedule" => self.start(entry),
            "is_tty" | "is_interactive" => {
                if self.import.is_true(entry) {
                    self.key("tty", "true".to_owned());
                    self.notes.add("`ganger attach` shows its terminal and types there.");
                }
            }
            "depends_on" => self.depends_on(entry),
            "readiness_probe" => self.probe("readiness", entry),
            "liveness_probe" => self.probe("liveness", entry),
            "watch" => self.watch(entry),
            "log_configuration" => {
                if let Some(keys) = self.import.rotation(&entry.value, &mut self.notes) {
                    self.key("logs", format!("{{ {} }}", keys.join(", ")));
                }
            }
            key if key.starts_with("x-") => {}
            key => self.other(key, entry),
        }
    }

    /// Whether and how often it is started with the app.
    fn start(&mut self, entry: &Entry) {
        match entry.name.as_str() {
            "disabled" | "is_disabled" => {
                let is_off = self.import.is_true(entry);
                self.key("autostart", (!is_off).to_string());
            }
            "is_foreground" => {
                if self.import.is_true(entry) {
                    self.notes.add("It ran in the foreground alone: `ganger run` with its name does that.");
                    self.key("autostart", "false".to_owned());
                }
            }
            "replicas" => {
                if let Some(count) = self.import.number(entry, u64::from(MAX_COUNT)) {
                    self.key("count", count.to_string());
                }
            }
            _ => {
                self.notes.none("schedule", "cron or a timer can call `ganger start` with its name.");
                self.key("autostart", "false".to_owned());
            }
        }
    }

    fn other(&mut self, key: &str, entry: &Entry) {
        if let Some((_, instead)) = WITHOUT_MATCH.iter().find(|(name, _)| *name == key) {
            return self.notes.none(key, instead);
        }
        let known = KEYS
            .iter()
            .copied()
            .chain(["log_configuration"])
            .chain(WITHOUT_MATCH.iter().map(|(name, _)| *name));
        let hint = suggest(key, known).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| "a key of your own begins with `x-`".to_owned());
        self.import.wrong(entry.line, format!("unknown key `{key}` of `{}`", self.name), hint);
    }

    fn depends_on(&mut self, entry: &Entry) {
        let mut waits = Vec::new();
        for other in self.import.map(entry) {
            let Some(group) = self.import.names.get(&other.name).cloned() else {
                let known: Vec<String> = self.import.names.keys().cloned().collect();
                let hint = crate::suggest::hint_for(&other.name, known.iter().map(String::as_str));
                self.import.wrong(
                    other.line,
                    format!("there is no process `{}`", other.name),
                    hint.unwrap_or_default(),
                );
                continue;
            };
            let condition =
                other.value.get("condition").and_then(|node| node.text()).unwrap_or("process_started");
            let meaning = match condition {
                "process_started" => "started",
                "process_healthy" => "ready",
                "process_completed_successfully" => "completed",
                "process_completed" => {
                    self.notes.add(format!("It waited for any end of {group}; here only success counts."));
                    "completed"
                }
                "process_log_ready" => {
                    self.notes.add(format!(
                        "It waited for a line in the log of {group}: give {group} a `readiness` probe, and write `ready`."
                    ));
                    "started"
                }
                other_condition => {
                    let message = format!("unknown condition `{other_condition}`");
                    let hint = "known: process_started, process_healthy, process_log_ready, process_completed, \
                                process_completed_successfully";
                    self.import.wrong(other.line, message, hint);
                    continue;
                }
            };
            let name = if group.contains('.') { quoted(&group) } else { group };
            waits.push(format!("{name} = '{meaning}'"));
        }
        if !waits.is_empty() {
            self.key("depends_on", format!("{{ {} }}", waits.join(", ")));
        }
    }

    fn probe(&mut self, key: &'static str, entry: &Entry) {
        if let Some(keys) = self.import.probe(entry, &mut self.notes) {
            self.key(key, format!("{{ {} }}", keys.join(", ")));
        }
        self.notes.add(match key {
            "readiness" => "A worker that is not ready any more is not ended here: `liveness` does that.",
            _ => "`liveness` ends a worker that fails it, and `restart` says what follows.",
        });
    }

    fn availability(&mut self, entry: &Entry) -> Availability {
        let mut ends = Availability::default();
        for part in self.import.map(entry) {
            match part.name.as_str() {
                "restart" => match self.import.text(&part, &mut self.notes).unwrap_or_default().as_str() {
                    "" | "no" | "false" => ends.restart = Some("never"),
                    "always" | "unless-stopped" => ends.restart = Some("always"),
                    "on_failure" | "on-failure" => ends.restart = Some("on-failure"),
                    "exit_on_failure" => (ends.restart, ends.on_end) = (Some("never"), Some("failure")),
                    other => {
                        let hint = "known: no, always, on_failure, exit_on_failure";
                        self.import.wrong(part.line, format!("unknown value `{other}` of `restart`"), hint);
                    }
                },
                "backoff_seconds" => ends.backoff = self.import.number(&part, MOST_SECONDS),
                "max_restarts" => {
                    ends.most = self.import.number(&part, u64::from(u32::MAX)).filter(|most| *most > 0);
                }
                "exit_on_end" => {
                    if self.import.is_true(&part) {
                        ends.on_end = Some("shutdown");
                    }
                }
                "exit_on_skipped" => self.notes.none("exit_on_skipped", ""),
                other => {
                    let hint = "known: restart, backoff_seconds, max_restarts, exit_on_end, exit_on_skipped";
                    self.import.wrong(part.line, format!("unknown key `availability.{other}`"), hint);
                }
            }
        }
        ends
    }

    fn ends(&mut self, ends: &Availability, codes: &[u8]) {
        let restart = ends.restart.unwrap_or("never");
        self.key("restart", format!("'{restart}'"));
        if restart != "never" {
            let delay = ends.backoff.unwrap_or(1).max(1);
            self.key("backoff", format!("{{ initial = {delay}, factor = 1, max = {delay}, jitter = 0 }}"));
            if let Some(most) = ends.most {
                self.key("budget", format!("{{ restarts = {most}, within = '366d' }}"));
            }
        }
        self.key("on_end", format!("'{}'", ends.on_end.unwrap_or("stay")));
        if restart != "always" && !codes.is_empty() {
            let codes: Vec<String> = codes.iter().map(|code| format!("{code} = 'stop'")).collect();
            self.key("exits", format!("{{ {} }}", codes.join(", ")));
        }
    }

    fn codes(&mut self, entry: &Entry) -> Vec<u8> {
        let mut codes = Vec::new();
        for item in self.import.list(entry) {
            match item.text().and_then(|text| text.parse().ok()) {
                Some(code) => codes.push(code),
                None => self.import.wrong(item.line, "is no exit code", "an exit code is 0 to 255"),
            }
        }
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn shutdown(&mut self, entry: &Entry, stop: &mut BTreeMap<&'static str, String>) {
        for part in self.import.map(entry) {
            match part.name.as_str() {
                "signal" => {
                    let number = self.import.number(&part, 64).and_then(|number| i32::try_from(number).ok());
                    if let Some(signal) = number.and_then(Signal::from_number) {
                        stop.insert("signal", format!("'{signal}'"));
                    }
                }
                "timeout_seconds" => {
                    if let Some(seconds) = self.import.number(&part, MOST_SECONDS) {
                        stop.insert("timeout", seconds.to_string());
                    }
                }
                "parent_only" => {
                    if self.import.is_true(&part) {
                        stop.insert("scope", "'main'".to_owned());
                    }
                }
                "command" => self.notes.none(
                    "shutdown.command",
                    "A worker is stopped by a signal; let it do that when it gets it.",
                ),
                "send_keys" => self.notes.none("shutdown.send_keys", "A worker is stopped by a signal."),
                other => {
                    let hint = "known: signal, timeout_seconds, parent_only, command, send_keys";
                    self.import.wrong(part.line, format!("unknown key `shutdown.{other}`"), hint);
                }
            }
        }
    }

    fn watch(&mut self, entry: &Entry) {
        let (mut paths, mut ignore, mut more) = (Vec::new(), Vec::new(), Vec::new());
        for part in self.import.map(entry) {
            match part.name.as_str() {
                "paths" => self.watched(&part, &mut paths, &mut ignore),
                "debounce" => {
                    let text = self.import.text(&part, &mut self.notes).unwrap_or_default();
                    match parse_duration(&text).ok().filter(|debounce| *debounce <= MAX_DEBOUNCE) {
                        Some(_) => more.push(format!("debounce = {}", quoted(&text))),
                        None => self.notes.none("watch.debounce", "It is 200 ms."),
                    }
                }
                "disable_default_excludes" => {
                    if self.import.is_true(&part) {
                        more.push("usual_ignore = false".to_owned());
                    }
                }
                "cascade" => {
                    self.notes.none("watch.cascade", "Let those who depend on it watch the same files.");
                }
                "max_entries" | "buffer_size" => {}
                other => {
                    let hint = "known: paths, debounce, cascade, max_entries, disable_default_excludes";
                    self.import.wrong(part.line, format!("unknown key `watch.{other}`"), hint);
                }
            }
        }
        let listed = |globs: &[String]| globs.iter().map(|glob| quoted(glob)).collect::<Vec<_>>().join(", ");
        let mut keys = vec![format!("paths = [{}]", listed(&paths))];
        if !ignore.is_empty() {
            keys.push(format!("ignore = [{}]", listed(&ignore)));
        }
        keys.extend(more);
        if !paths.is_empty() {
            self.key("watch", format!("{{ {} }}", keys.join(", ")));
        }
    }

    fn watched(&mut self, entry: &Entry, paths: &mut Vec<String>, ignore: &mut Vec<String>) {
        for item in self.import.list(entry) {
            let own = item.text().map(str::to_owned);
            let text = own.or_else(|| item.get("path").and_then(|path| path.text().map(str::to_owned)));
            let Some(text) = text else {
                self.import.wrong(item.line, "names no path to watch", "write `- path: ./src`");
                continue;
            };
            let path = self.import.expander.text(&text, &mut self.notes);
            let path = path.trim_end_matches('/');
            let globs = |key: &str| {
                let list = item.get(key).and_then(|node| node.list()).unwrap_or_default();
                list.iter().filter_map(|glob| glob.text().map(str::to_owned)).collect::<Vec<_>>()
            };
            let include = globs("include");
            if include.is_empty() {
                paths.push(path.to_owned());
            }
            // A pattern without a `/` means names, wherever they are.
            let below = |glob: &str| {
                if glob.contains('/') { format!("{path}/{glob}") } else { format!("{path}/**/{glob}") }
            };
            paths.extend(include.iter().map(|glob| below(glob)));
            ignore.extend(
                globs("exclude").into_iter().map(|glob| if glob.contains('/') { below(&glob) } else { glob }),
            );
        }
    }
}

impl Import<'_> {
    /// A command for a shell.
    pub(super) fn line(&self, command: &str) -> String {
        /// What bash knows and a plain shell does not.
        const BASH: [&str; 11] =
            ["[[", "<(", ">(", "<<<", "&>", "|&", "source ", "function ", "pipefail", "=(", "$'"];
        let is_bash = BASH.iter().any(|word| command.contains(word));
        match &self.shell {
            Some((program, argument)) if program != "sh" && program != "/bin/sh" => {
                format!("[{}, {}, {}]", quoted(program), quoted(argument), quoted(command))
            }
            None if is_bash => format!("[\"bash\", \"-c\", {}]", quoted(command)),
            Some(_) | None => quoted(command),
        }
    }
}

/// The keys of a process, those that it inherits included. Lists of variables are joined.
fn inherited(import: &mut Import<'_>, process: &Entry, all: &[Entry]) -> Vec<Entry> {
    let mut entries = import.map(process);
    let mut base = entries.iter().find(|entry| entry.name == "extends").cloned();
    for depth in 0.. {
        let Some(extends) = base else { break };
        let name = extends.value.text().unwrap_or_default();
        let found = all.iter().find(|other| other.name == name);
        let Some(other) = found.filter(|_| depth < MAX_EXTENDS) else {
            let message = match found {
                Some(_) => format!("`{}` extends itself in the end", process.name),
                None => format!("`{}` extends `{name}`, which is not there", process.name),
            };
            import.wrong(extends.line, message, "name another process of this file");
            break;
        };
        let theirs = import.map(other);
        base = theirs.iter().find(|entry| entry.name == "extends").cloned();
        for entry in theirs {
            if entry.name == "environment" {
                // What is said later counts more.
                entries.insert(0, entry);
            } else if entries.iter().all(|own| own.name != entry.name) {
                entries.push(entry);
            }
        }
    }
    entries
}
