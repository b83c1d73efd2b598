//! Writes what a file of supervisord's says in the native form, with a comment wherever that cannot say the same.

mod policies;

use std::fmt::Write;
use std::time::Duration;

use crate::logs::MAX_KEEP;
use crate::native::MAX_DURATION;
use crate::{
    Daemon, Early, Group, Loaded, LogFile, Logs, OnExit, RestartMode, Stderr, Stdin, StopScope,
    SupervisorGroup, Variable,
};

impl Loaded {
    /// The `ganger.toml` that says the same; none if this was not read from a file of supervisord's.
    pub fn to_native(&self) -> Option<String> {
        let daemon = self.spec.supervisor.as_ref()?;
        let mut out = format!("# Made from {} by `ganger import`.\n", daemon.file.display());
        for warning in &self.warnings {
            let _ = writeln!(out, "# warning: {}", warning.to_string().replace('\n', " "));
        }
        let _ = writeln!(out, "app = {}", quoted(&daemon.identifier));
        of_daemon(daemon, &mut out);
        if !self.spec.env.is_empty() {
            let _ = writeln!(out, "\n[env]");
            for variable in last_of_each(&self.spec.env) {
                let _ = writeln!(out, "{} = {}", quoted(&variable.name), quoted(&variable.value));
            }
        }
        for group in &self.spec.groups {
            if let Some(own) = &group.supervisor {
                of_group(group, own, daemon, &mut out);
            }
        }
        Some(out)
    }
}

/// A text in quotes: what JSON writes, TOML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn last_of_each(variables: &[Variable]) -> impl Iterator<Item = &Variable> {
    let is_last = |at: usize, name: &str| variables[at + 1..].iter().all(|later| later.name != name);
    variables
        .iter()
        .enumerate()
        .filter(move |(at, variable)| is_last(*at, &variable.name))
        .map(|(_, variable)| variable)
}

fn of_daemon(daemon: &Daemon, out: &mut String) {
    for server in &daemon.servers {
        let _ = writeln!(
            out,
            "# [{}] has no match here: ganger has a control socket of its own.",
            server.section
        );
    }
    if daemon.strip_ansi {
        let _ = writeln!(out, "# `strip_ansi` has no match here: logs have what programs write.");
    }
    let _ = writeln!(
        out,
        "# Programs have no SUPERVISOR_ENABLED, _PROCESS_NAME and so on here: GANGER_WORKER tells each its name."
    );
}

/// As a number of seconds, or as text where that is too large.
fn duration(duration: Duration) -> String {
    if duration >= MAX_DURATION {
        "'366d'".to_owned()
    } else if duration.subsec_nanos() == 0 {
        duration.as_secs().to_string()
    } else {
        duration.as_secs_f64().to_string()
    }
}

/// A number of thousandths, as one with a point.
fn thousandths(number: u32) -> String {
    (f64::from(number) / 1000.0).to_string()
}

fn of_group(group: &Group, own: &SupervisorGroup, daemon: &Daemon, out: &mut String) {
    let _ = writeln!(out);
    comments(group, own, out);
    let name = if group.name.contains('.') { quoted(&group.name) } else { group.name.clone() };
    let _ = writeln!(out, "[groups.{name}]");
    let words: Vec<String> = group.command.argv().words.iter().map(|word| quoted(word)).collect();
    let _ = writeln!(out, "command = [{}]", words.join(", "));
    let _ = writeln!(out, "count = {}\nport = false", group.count);
    let variables: Vec<String> = last_of_each(&group.env)
        .map(|variable| format!("{} = {}", quoted(&variable.name), quoted(&variable.value)))
        .collect();
    if !variables.is_empty() {
        let _ = writeln!(out, "env = {{ {} }}", variables.join(", "));
    }
    let _ = writeln!(out, "dir = {}", quoted(&group.dir.to_string_lossy()));
    if let Some(user) = group.user.as_ref().or(daemon.user.as_ref()) {
        let _ = writeln!(out, "user = {}", quoted(user));
    }
    // supervisord sets its own in the background alone, the usual one if nothing is said.
    let own_umask = Some(daemon.umask).filter(|umask| !daemon.nodaemon && *umask != 0o22);
    if let Some(umask) = group.umask.or(own_umask) {
        let _ = writeln!(out, "umask = '{umask:03o}'");
    }
    restarts(group, out);
    policies::write(group, out);
    let scope = match group.stop.scope {
        StopScope::Main => "main",
        StopScope::Tree => "tree",
    };
    let (signal, timeout) = (group.stop.signal, duration(group.stop.timeout));
    let _ = writeln!(out, "stop = {{ signal = '{signal}', timeout = {timeout}, scope = '{scope}' }}");
    let _ = writeln!(out, "autostart = {}\npriority = {}", group.autostart, group.family_priority());
    if group.stdin == Stdin::Pipe {
        let _ = writeln!(out, "stdin = 'pipe'");
    }
    let _ = writeln!(out, "logs = {{ {} }}", logs(&group.logs).join(", "));
}

/// What the native form cannot say.
fn comments(group: &Group, own: &SupervisorGroup, out: &mut String) {
    let mut told = Vec::new();
    if own.program != group.name {
        told.push(format!("`{}` is no name of a group.", own.program));
    }
    if let Some(family) = &group.family {
        told.push(format!(
            "It was in the group `{}` of the priority {}, with the priority {} in it.",
            family.name, family.priority, group.priority
        ));
    }
    let first = group.process_name(1);
    if group.count > 1 {
        told.push(format!("Its processes were `{first}` to `{}`.", group.process_name(group.count)));
    }
    if group.each.differs() {
        told.push("`process_num` stood in its keys: here all are as its first process; GANGER_WORKER tells each its own.".into());
    }
    for (what, stream) in [("stdout", own.stdout), ("stderr", own.stderr)] {
        for (key, is_said) in [
            ("capture_maxbytes", stream.capture_maxbytes > 0),
            ("events_enabled", stream.events_enabled),
            ("syslog", stream.syslog),
        ] {
            if is_said {
                told.push(format!("`{what}_{key}` has no match here."));
            }
        }
    }
    for (what, file) in [("stdout", &group.logs.out), ("stderr", &group.logs.err)] {
        match file {
            LogFile::Path(path) => {
                told.push(format!("Its {what} went to {}; `ganger logs` shows it.", path.display()));
            }
            LogFile::Dropped if !own.redirect_stderr => {
                told.push(format!("Its {what} was dropped; here it is kept."));
            }
            LogFile::Dropped | LogFile::Store | LogFile::Sent | LogFile::Echoed | LogFile::Auto(_) => {}
        }
    }
    if group.logs.max_size == Some(u64::MAX) {
        told.push("Its log was never rotated; here it is, at 10 MiB.".into());
    }
    if own.listener.is_some() {
        told.push("It is an event listener: `ganger events --json -f` tells what happens.".into());
    }
    if let Some(socket) = &own.socket {
        told.push(format!("It had the socket {} as its standard input.", socket.url));
    }
    for line in told {
        let _ = writeln!(out, "# {}", line.replace('\n', " "));
    }
}

fn restarts(group: &Group, out: &mut String) {
    let policy = &group.restart;
    let mode = match policy.mode {
        RestartMode::Always => "always",
        RestartMode::OnFailure => "on-failure",
        RestartMode::Never => "never",
    };
    let _ = writeln!(out, "restart = '{mode}'\nstartsecs = {}", duration(policy.startsecs));
    if let Some(attempts) = policy.attempts {
        let _ = writeln!(out, "attempts = {attempts}");
    }
    if policy.early == Early::Retry {
        let _ = writeln!(out, "early = 'retry'");
    }
    let (initial, step) = (duration(policy.backoff.initial), duration(policy.backoff.step));
    let max = duration(policy.backoff.max);
    let [factor, jitter] = [policy.backoff.factor_permille, policy.backoff.jitter_permille].map(thousandths);
    let _ = writeln!(
        out,
        "backoff = {{ initial = {initial}, factor = {factor}, step = {step}, max = {max}, jitter = {jitter} }}"
    );
    let meanings = group.exits.iter().map(|(code, meaning)| {
        let meaning = match meaning {
            OnExit::Stop => "stop",
            OnExit::Restart => "restart",
            OnExit::Fatal => "fatal",
        };
        format!("{code} = '{meaning}'")
    });
    let meanings: Vec<String> = meanings.collect();
    if !meanings.is_empty() {
        let _ = writeln!(out, "exits = {{ {} }}", meanings.join(", "));
    }
    let _ = writeln!(out, "on_end = 'stay'");
}

fn logs(logs: &Logs) -> Vec<String> {
    let size =
        logs.max_size.filter(|size| i64::try_from(*size).is_ok()).map(|size| format!("max_size = {size}"));
    let keep = logs.keep.map(|keep| format!("keep = {}", keep.min(MAX_KEEP)));
    let stderr = match logs.stderr {
        Stderr::Separate => "separate",
        Stderr::Together => "together",
    };
    size.into_iter().chain(keep).chain([format!("stderr = '{stderr}'")]).collect()
}
