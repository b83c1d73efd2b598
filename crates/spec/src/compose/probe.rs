//! Probes of a process.

use super::Import;
use super::notes::Notes;
use super::quoted;
use super::yaml::Entry;

impl Import<'_> {
    /// A probe, as the keys of its table.
    pub(super) fn probe(&mut self, entry: &Entry, notes: &mut Notes) -> Option<Vec<String>> {
        let key = entry.name.as_str();
        let (mut check, mut keys) = (None, Vec::new());
        let (mut interval, mut timeout) = (10, 1);
        for part in self.map(entry) {
            match part.name.as_str() {
                "exec" => check = self.exec(&part, notes),
                "http_get" => check = self.http_get(&part, notes),
                "initial_delay_seconds" => {
                    keys.extend(self.number(&part, MOST_SECONDS).map(|delay| format!("delay = {delay}")));
                }
                "period_seconds" => interval = self.number(&part, MOST_SECONDS).unwrap_or(interval).max(1),
                "timeout_seconds" => timeout = self.number(&part, MOST_SECONDS).unwrap_or(timeout).max(1),
                "failure_threshold" => {
                    keys.extend(
                        self.number(&part, 1_000).map(|failures| format!("failures = {}", failures.max(1))),
                    );
                }
                // It was read and not used.
                "success_threshold" => {}
                other => {
                    let hint = "a probe has `exec` or `http_get`, and numbers such as `period_seconds`";
                    self.wrong(part.line, format!("unknown key `{key}.{other}`"), hint);
                }
            }
        }
        let Some(check) = check else {
            self.wrong(entry.line, format!("`{key}` asks nothing"), "give it `exec` or `http_get`");
            return None;
        };
        keys.insert(0, check);
        keys.extend([format!("interval = {interval}"), format!("timeout = {timeout}")]);
        Some(keys)
    }

    fn exec(&mut self, entry: &Entry, notes: &mut Notes) -> Option<String> {
        let mut command = None;
        for part in self.map(entry) {
            match part.name.as_str() {
                "command" => {
                    let text = part.value.text().map(|text| self.expander.command(text, notes));
                    command = text.map(|text| format!("command = {}", self.line(text.trim())));
                }
                "working_dir" => notes.none(
                    "exec.working_dir",
                    "A probe runs where its worker does: begin it with `cd DIR &&`.",
                ),
                other => {
                    self.wrong(part.line, format!("unknown key `exec.{other}`"), "`exec` has a `command`");
                }
            }
        }
        command
    }

    fn http_get(&mut self, entry: &Entry, notes: &mut Notes) -> Option<String> {
        let (mut host, mut scheme, mut path, mut port) =
            ("127.0.0.1".to_owned(), "http".to_owned(), "/".to_owned(), None);
        for part in self.map(entry) {
            match part.name.as_str() {
                "host" => host = self.text(&part, notes)?,
                "scheme" => scheme = self.text(&part, notes)?.to_ascii_lowercase(),
                "path" => path = self.text(&part, notes)?,
                "port" => port = self.number(&part, 65_535),
                "status_code" => {
                    notes.none("http_get.status_code", "Any status from 200 to 399 is good.");
                }
                "headers" => {
                    notes.none("http_get.headers", "A `command` such as `curl -fsS -H …` can send them.");
                }
                other => {
                    let hint = "`http_get` has `host`, `scheme`, `path` and `port`";
                    self.wrong(part.line, format!("unknown key `http_get.{other}`"), hint);
                }
            }
        }
        let place = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{place}{slash}{path}");
        Some(if scheme == "https" {
            notes.add("TLS is asked by `curl` here, which must be there.");
            format!("command = [\"curl\", \"-fsSk\", \"-o\", \"/dev/null\", {}]", quoted(&url))
        } else {
            format!("http = {}", quoted(&url))
        })
    }
}

/// The longest time that a probe's keys can say: a day.
pub(super) const MOST_SECONDS: u64 = 86_400;
