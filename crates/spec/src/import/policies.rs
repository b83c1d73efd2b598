//! What a group has that its file says by ganger's own keys, in the native form.

use std::fmt::Write;
use std::time::Duration;

use super::{duration, quoted};
use crate::watch::{USUAL_DEBOUNCE, USUALLY_IGNORED};
use crate::{Check, Command, FileWatch, Group, OnFatal, Probe, ProbeKind};

/// Writes the keys.
pub(super) fn write(group: &Group, out: &mut String) {
    if group.on_fatal == OnFatal::Shutdown {
        let _ = writeln!(out, "on_fatal = 'shutdown'");
    }
    if let Some(bytes) = group.max_memory {
        let _ = writeln!(out, "max_memory = {bytes}");
    }
    let waits: Vec<String> = group
        .dependencies()
        .map(|(name, condition)| {
            let name = if name.contains('.') { quoted(name) } else { name.to_owned() };
            format!("{name} = '{condition}'")
        })
        .collect();
    if !waits.is_empty() {
        let _ = writeln!(out, "depends_on = {{ {} }}", waits.join(", "));
    }
    for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
        if let Some(probe) = group.probe(kind) {
            let _ = writeln!(out, "{kind} = {{ {} }}", of_probe(kind, probe).join(", "));
        }
    }
    if let Some(watch) = &group.watch {
        let _ = writeln!(out, "watch = {{ {} }}", of_watch(watch).join(", "));
    }
}

fn of_probe(kind: ProbeKind, probe: &Probe) -> Vec<String> {
    let check = match &probe.check {
        Check::Http { .. } => {
            let text = probe.check.to_string();
            format!("http = {}", quoted(text.trim_start_matches("GET ")))
        }
        Check::Tcp { host: None, port: None } => "tcp = true".to_owned(),
        Check::Tcp { host: None, port: Some(port) } => format!("tcp = {port}"),
        Check::Tcp { host: Some(host), port } => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("tcp = {}", quoted(&format!("{host}:{}", port.unwrap_or(0))))
        }
        Check::Command(Command::Line(line)) => format!("command = {}", quoted(line)),
        Check::Command(Command::Words(words)) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("command = [{}]", words.join(", "))
        }
    };
    let usual = Probe::new(kind, probe.check.clone());
    let time =
        |key: &str, is: Duration, usual: Duration| (is != usual).then(|| format!("{key} = {}", duration(is)));
    let count = |key: &str, is: u32, usual: u32| (is != usual).then(|| format!("{key} = {is}"));
    // One that is said holds before and after a worker is ready.
    let is_usual = (probe.interval, probe.interval_ready) == (usual.interval, usual.interval_ready);
    let interval = (!is_usual).then(|| format!("interval = {}", duration(probe.interval)));
    let more = [
        time("delay", probe.delay, usual.delay),
        interval,
        time("timeout", probe.timeout, usual.timeout),
        count("failures", probe.failures, usual.failures),
        count("successes", probe.successes, usual.successes),
    ];
    [check].into_iter().chain(more.into_iter().flatten()).collect()
}

fn of_watch(watch: &FileWatch) -> Vec<String> {
    let listed = |globs: &[String], is_path: fn(&str) -> bool| {
        let globs: Vec<String> = globs
            .iter()
            .map(|glob| {
                let whole = watch.base.join(glob).to_string_lossy().into_owned();
                quoted(if is_path(glob) { &whole } else { glob })
            })
            .collect();
        format!("[{}]", globs.join(", "))
    };
    let own = watch.ignore.strip_prefix(&USUALLY_IGNORED.map(str::to_owned)[..]);
    let ignore = own.unwrap_or(&watch.ignore);
    let said = [
        Some(format!("paths = {}", listed(&watch.globs, |_| true))),
        (!ignore.is_empty()).then(|| format!("ignore = {}", listed(ignore, |glob| glob.contains('/')))),
        own.is_none().then(|| "usual_ignore = false".to_owned()),
        (watch.debounce != USUAL_DEBOUNCE).then(|| format!("debounce = {}", duration(watch.debounce))),
        watch.signal.map(|signal| format!("signal = '{signal}'")),
    ];
    said.into_iter().flatten().collect()
}
