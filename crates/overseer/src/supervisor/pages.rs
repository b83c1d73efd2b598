//! The addresses of supervisord's web page, as plain text: what runs, the end of a log, and what its buttons do.
//!
//! supervisord's buttons are links, so whatever looks at one, be it a browser that fetches ahead or a foreign page with a
//! picture, pushes it. Here a look changes nothing: the same address does something by POST, and only if no other site
//! sent the browser there. `compat = supervisor-4.3` lets links push as they did.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use ganger_api::supervisor::{Call, Channel, Fault, ProcessInfo, RpcError};
use ganger_api::xmlrpc::Value;
use ganger_api::{percent_encoded, query_pairs};

use super::http::{Desk, plain, text};
use super::login::Role;

/// So much of a log is shown where nothing is said.
const TAIL_BYTES: i64 = 1024;

/// What is asked of a page.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) role: Role,
}

impl Desk {
    pub(super) async fn page(&self, asked: Asked<'_>) -> Response<Body> {
        let Some(form) = query_pairs(asked.query) else {
            return plain(StatusCode::BAD_REQUEST, "the query is not well encoded\n");
        };
        let said = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let process = said("processname").unwrap_or_default();
        match asked.path {
            "/ok.html" => plain(StatusCode::OK, "OK"),
            "/" | "/index.html" => match said("action").filter(|action| !action.is_empty()) {
                Some(action) => self.push(&asked, action, process).await,
                None => self.overview(said("message")).await,
            },
            "/tail.html" => self.tail(process, said("limit")).await,
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// What runs, as `supervisorctl status` shows it.
    async fn overview(&self, message: Option<&str>) -> Response<Body> {
        let mut page = message.map(|message| format!("{message}\n\n")).unwrap_or_default();
        match self.ask(Call::GetAllProcessInfo).await {
            Ok(Value::Array(all)) => {
                for info in all.iter().filter_map(|info| ProcessInfo::try_from(info).ok()) {
                    let (name, state) = (info.namespec().to_string(), info.state.name());
                    // Writing to a string cannot fail.
                    let _ = writeln!(page, "{name:<32} {state:<9} {}", info.description);
                }
            }
            Ok(_) => {}
            Err(error) => return text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        }
        text(StatusCode::OK, page)
    }

    /// The end of what a process wrote.
    async fn tail(&self, name: &str, limit: Option<&str>) -> Response<Body> {
        let length = limit.and_then(|limit| limit.parse().ok()).unwrap_or(TAIL_BYTES).max(1);
        let call =
            Call::TailProcessLog { name: name.to_owned(), channel: Channel::Stdout, offset: 0, length };
        match self.run(call, Role::Reader).await {
            Ok(Value::Array(told)) => match told.first() {
                Some(Value::String(shown)) => text(StatusCode::OK, shown.clone()),
                Some(_) | None => text(StatusCode::OK, String::new()),
            },
            Ok(_) => text(StatusCode::OK, String::new()),
            Err(error) => text(StatusCode::NOT_FOUND, format!("{error}\n")),
        }
    }

    /// A button is pushed.
    async fn push(&self, asked: &Asked<'_>, action: &str, name: &str) -> Response<Body> {
        if asked.role == Role::Reader {
            return plain(StatusCode::FORBIDDEN, "you may only look\n");
        }
        if asked.method != Method::POST && !self.links_act {
            let mut response = plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "nothing is changed by looking at a page: use supervisorctl, or POST to this address\n",
            );
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if is_foreign(asked.headers) && !self.links_act {
            return plain(StatusCode::FORBIDDEN, "another site sent you here\n");
        }
        match self.pushed(action, name).await {
            Some(message) => {
                let mut response = plain(StatusCode::MOVED_PERMANENTLY, "");
                let place = format!("/?message={}", percent_encoded(&message));
                if let Ok(place) = HeaderValue::from_str(&place) {
                    response.headers_mut().insert(header::LOCATION, place);
                }
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            None => plain(StatusCode::BAD_REQUEST, "there is no such action\n"),
        }
    }

    /// What came of it, in supervisord's words; none if there is no such button.
    async fn pushed(&self, action: &str, name: &str) -> Option<String> {
        let named = || name.to_owned();
        let run = |call| self.run(call, Role::Operator);
        match action {
            "refresh" => return Some("Page refreshed".to_owned()),
            "stopall" => {
                let stopped = run(Call::StopAllProcesses { wait: true }).await;
                return Some(whole(stopped, "All stopped"));
            }
            "restartall" => {
                // As supervisord does: what could not be stopped does not keep the rest from being started.
                let _ = run(Call::StopAllProcesses { wait: true }).await;
                let started = run(Call::StartAllProcesses { wait: true }).await;
                return Some(whole(started, "All restarted"));
            }
            "start" | "stop" | "restart" | "clearlog" => {}
            _ => return None,
        }
        if let Err(RpcError { fault: Fault::BadName, .. }) = run(Call::GetProcessInfo { name: named() }).await
        {
            return Some(format!("No such process named {name}"));
        }
        let (told, done) = match action {
            "start" => (
                run(Call::StartProcess { name: named(), wait: true }).await,
                format!("Process {name} started"),
            ),
            "stop" => (
                run(Call::StopProcess { name: named(), wait: true }).await,
                format!("Process {name} stopped"),
            ),
            "restart" => {
                // One that is down already is only started.
                let _ = run(Call::StopProcess { name: named(), wait: true }).await;
                let told = run(Call::StartProcess { name: named(), wait: true }).await;
                (told, format!("Process {name} restarted"))
            }
            _ => (run(Call::ClearProcessLogs { name: named() }).await, format!("Log for {name} cleared")),
        };
        Some(told.map_or_else(|error| format!("ERROR: Process {name}: {}", reason(&error)), |_| done))
    }
}

fn whole(told: Result<Value, RpcError>, done: &str) -> String {
    told.map_or_else(|error| format!("ERROR: {}", reason(&error)), |_| done.to_owned())
}

/// Why it failed, in the words of supervisord's page.
fn reason(error: &RpcError) -> String {
    match error.fault {
        Fault::NoFile => "no such file".to_owned(),
        Fault::NotExecutable => "file not executable".to_owned(),
        Fault::AlreadyStarted => "already started".to_owned(),
        Fault::SpawnError => "spawn error".to_owned(),
        Fault::AbnormalTermination => "abnormal termination".to_owned(),
        Fault::NotRunning => "not running".to_owned(),
        _ => format!("unexpected rpc fault [{}] {}", error.fault.code(), error.text()),
    }
}

/// Whether a page of another site made the browser send this.
fn is_foreign(headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(origin) = said(header::ORIGIN) else { return false };
    let from = origin.split_once("://").map_or(origin, |(_, host)| host);
    said(header::HOST) != Some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_is_told_by_its_origin() {
        let headers = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:9001"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            headers
        };
        assert!(!is_foreign(&headers(None)));
        assert!(!is_foreign(&headers(Some("http://127.0.0.1:9001"))));
        for foreign in ["http://evil.example", "http://127.0.0.1:80", "null"] {
            assert!(is_foreign(&headers(Some(foreign))), "{foreign}");
        }
    }
}
