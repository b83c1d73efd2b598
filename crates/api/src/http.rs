//! HTTP onto [`Request`] and back: pure functions, so that servers and clients are thin.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ganger_spec::Signal;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits::{
    MAX_BODY_BYTES, MAX_COUNT, MAX_CURSOR_BYTES, MAX_GREP_BYTES, MAX_LINES, MAX_NAME_BYTES, MAX_NAMES,
    MAX_REQUEST_ID_BYTES, MAX_TARGET_BYTES,
};
use crate::query;
use crate::request::{EventQuery, LogQuery, Request};
use crate::routes::{Method, Operation, Parameter, ParameterKind, ROUTES, Route};
use crate::{API_VERSION, ApiError, AttachQuery, ErrorCode, TerminalSize};

/// The parts of an HTTP request that say what is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpParts<'a> {
    /// `GET`.
    pub method: &'a str,
    /// `/v1/workers`, still encoded, without the query.
    pub path: &'a str,
    /// What follows the `?`, still encoded.
    pub query: &'a str,
    /// The header `accept`.
    pub accept: Option<&'a str>,
    /// The header `last-event-id`.
    pub last_event_id: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A request as HTTP carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path with its query, encoded.
    pub target: String,
    /// What is accepted.
    pub accept: &'static str,
    /// The header `last-event-id`: where a stream of logs goes on. A target would be too short for a long one.
    pub last_event_id: Option<String>,
    /// The body; empty for `GET`.
    pub body: Vec<u8>,
}

/// Workers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamesBody {
    /// Workers, groups, globs or `all`.
    names: Vec<String>,
}

/// A signal to workers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalBody {
    /// Workers, groups, globs or `all`.
    names: Vec<String>,
    /// `HUP`, `SIGHUP` or `1`.
    signal: String,
}

/// Counts of groups.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScaleBody {
    /// The count of each group; a name may be a glob or `all`.
    counts: BTreeMap<String, u32>,
}

/// How to reload.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReloadBody {
    /// Only tell what would be done.
    dry_run: bool,
}

/// How to quit.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct QuitBody {
    /// Kill at once, without the stop signal and its timeout.
    now: bool,
}

/// An app to oversee.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddAppBody {
    /// Its directory: absolute.
    dir: PathBuf,
    /// `app/deployment`, or `app` for its main deployment; the directory's name if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// An app to oversee no more.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveAppBody {
    /// `app/deployment`, or `app` for its main deployment.
    name: String,
}

/// The size of a window.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowBody {
    /// Rows: 1 to 2000.
    rows: u16,
    /// Columns: 1 to 2000.
    columns: u16,
}

/// Another program in place of the running one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpgradeBody {
    /// Its path: absolute.
    program: PathBuf,
    /// By what the one who asks knows it: asked again with the same, the answer tells how it ended.
    #[serde(default)]
    ticket: String,
}

/// What is asked.
pub fn parse(parts: &HttpParts<'_>) -> Result<Request, ApiError> {
    if parts.path.len() + parts.query.len() > MAX_TARGET_BYTES {
        return Err(too_large("the path with its query", MAX_TARGET_BYTES));
    }
    if parts.body.len() > MAX_BODY_BYTES {
        return Err(too_large("the body", MAX_BODY_BYTES));
    }
    let (route, path_value) = route_of(parts.method, parts.path)?;
    let query = Query::parse(route, parts.query)?;
    let body = parts.body;
    match route.operation {
        Operation::App => Ok(Request::App),
        Operation::Workers => Ok(Request::Workers { names: checked(query.all("name"))? }),
        Operation::Start => Ok(Request::Start { names: names_of(body)? }),
        Operation::Stop => Ok(Request::Stop { names: names_of(body)? }),
        Operation::Restart => Ok(Request::Restart { names: names_of(body)? }),
        Operation::Signal => signal_of(body),
        Operation::Scale => scale_of(body),
        Operation::Reload => Ok(Request::Reload { dry_run: optional_body::<ReloadBody>(body)?.dry_run }),
        Operation::Env => Ok(Request::Env { name: checked(query.all("name"))?.pop() }),
        Operation::Ports => Ok(Request::Ports),
        Operation::Forwards => Ok(Request::Forwards),
        Operation::Why => {
            let name = checked(path_value.into_iter().collect())?.pop();
            name.map(|name| Request::Why { name }).ok_or_else(|| bad("no worker is named"))
        }
        Operation::Attach => attach_query(&query, path_value, false),
        Operation::View => attach_query(&query, path_value, true),
        Operation::Window => {
            let WindowBody { rows, columns } = needed_body(body)?;
            let size = TerminalSize::new(rows, columns);
            size.map(Request::Window).ok_or_else(|| bad("a window has a row and a column at least"))
        }
        Operation::Logs => log_query(&query, parts).map(Request::Logs),
        Operation::Events => event_query(&query, parts).map(Request::Events),
        Operation::Quit => Ok(Request::Quit { now: optional_body::<QuitBody>(body)?.now }),
        Operation::Upgrade => upgrade_of(body),
        Operation::Apps => Ok(Request::Apps),
        Operation::AddApp => {
            let AddAppBody { dir, name } = needed_body(body)?;
            checked(name.iter().cloned().collect())?;
            Ok(Request::AddApp { dir, name })
        }
        Operation::RemoveApp => {
            let name = checked(vec![needed_body::<RemoveAppBody>(body)?.name])?.pop();
            name.map(|name| Request::RemoveApp { name }).ok_or_else(|| bad("no app is named"))
        }
        Operation::OpenApi => Ok(Request::OpenApi),
        Operation::Version => Ok(Request::Version),
    }
}

/// How a request is asked over HTTP: the reverse of [`parse`].
pub fn encode(request: &Request) -> HttpRequest {
    let route = Route::of(request.operation());
    let mut path = route.path.to_owned();
    let mut query = Vec::new();
    let mut body = Vec::new();
    let mut accept = "application/json";
    let mut last_event_id = None;
    match request {
        Request::App
        | Request::Ports
        | Request::Forwards
        | Request::Apps
        | Request::OpenApi
        | Request::Version => {}
        Request::AddApp { dir, name } => body = json(&AddAppBody { dir: dir.clone(), name: name.clone() }),
        Request::RemoveApp { name } => body = json(&RemoveAppBody { name: name.clone() }),
        Request::Workers { names } => query.extend(names.iter().map(|name| ("name", name.clone()))),
        Request::Start { names } | Request::Stop { names } | Request::Restart { names } => {
            body = json(&NamesBody { names: names.clone() });
        }
        Request::Signal { names, signal } => {
            body = json(&SignalBody { names: names.clone(), signal: signal.to_string() });
        }
        Request::Scale { counts } => body = json(&ScaleBody { counts: counts.clone() }),
        Request::Reload { dry_run } => body = json(&ReloadBody { dry_run: *dry_run }),
        Request::Env { name } => query.extend(name.iter().map(|name| ("name", name.clone()))),
        Request::Why { name } => path = path.replace("{name}", &query::encode(name)),
        Request::Attach(attach) => {
            path = path.replace("{name}", &query::encode(&attach.name));
            if let Some(TerminalSize { rows, columns }) = attach.size {
                query.extend([("rows", rows.to_string()), ("columns", columns.to_string())]);
            }
            query.extend(attach.after.map(|after| ("after", after.to_string())));
        }
        Request::Window(TerminalSize { rows, columns }) => {
            body = json(&WindowBody { rows: *rows, columns: *columns });
        }
        Request::Logs(logs) => {
            query = log_pairs(logs);
            last_event_id = logs.after.as_ref().map(ToString::to_string);
            accept = accept_items(logs.sse || logs.follow);
        }
        Request::Events(events) => {
            query.extend(events.follow.then(|| ("follow", "true".to_owned())));
            query.extend(events.after.map(|after| ("after", after.to_string())));
            accept = accept_items(events.sse || events.follow);
        }
        Request::Quit { now } => body = json(&QuitBody { now: *now }),
        Request::Upgrade { program, ticket } => {
            body = json(&UpgradeBody { program: program.clone(), ticket: ticket.clone() });
        }
    }
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| format!("{name}={}", query::encode(value))).collect();
    if !pairs.is_empty() {
        path = format!("{path}?{}", pairs.join("&"));
    }
    HttpRequest { method: route.method, target: path, accept, last_event_id, body }
}

/// Refuses a client that speaks another version than this one; `given` is the header `ganger-api-version`.
pub fn check_version(given: Option<&str>) -> Result<(), ApiError> {
    match given.map(str::trim) {
        None | Some(API_VERSION) => Ok(()),
        Some(other) => Err(ApiError::new(
            ErrorCode::UnsupportedVersion,
            format!("this server speaks version {API_VERSION} of the API, not {other:?}"),
        )
        .with_hint("use the ganger that started the app, or start the app with this one")),
    }
}

/// The id of a request: the one that was given, if it is short and plain, else one that `make` makes.
pub fn request_id(given: Option<&str>, make: impl FnOnce() -> String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let fits = |id: &&str| !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.bytes().all(plain);
    given.filter(fits).map_or_else(make, str::to_owned)
}

/// The row that a method and a path mean, and the value of the path's parameter.
fn route_of(method: &str, path: &str) -> Result<(&'static Route, Option<String>), ApiError> {
    let here: Vec<_> = ROUTES.iter().filter_map(|route| Some((route, matches(route.path, path)?))).collect();
    if here.is_empty() {
        let error = ApiError::new(ErrorCode::UnknownPath, format!("there is nothing at {path}"));
        return Err(error.with_hint("GET /v1/openapi.json lists what there is"));
    }
    let fits = here.iter().find(|(route, _)| route.method.as_str() == method);
    let Some((route, value)) = fits else {
        let known: Vec<_> = here.iter().map(|(route, _)| route.method.as_str()).collect();
        let message = format!("{path} does not take {method}, only {}", known.join(" or "));
        return Err(ApiError::new(ErrorCode::MethodNotAllowed, message));
    };
    match value {
        None => Ok((route, None)),
        Some(raw) => match query::decode(raw, false) {
            Some(value) => Ok((route, Some(value))),
            None => Err(bad(format!("{raw:?} is not well encoded"))),
        },
    }
}

/// Whether a path fits a template, and the still encoded value of the template's parameter if it has one.
#[expect(clippy::option_option, reason = "whether it fits, and whether the template has a parameter")]
fn matches<'p>(template: &str, path: &'p str) -> Option<Option<&'p str>> {
    let (Some(open), Some(close)) = (template.find('{'), template.find('}')) else {
        return (template == path).then_some(None);
    };
    let value = path.strip_prefix(&template[..open])?.strip_suffix(&template[close + 1..])?;
    (!value.is_empty() && !value.contains('/')).then_some(Some(value))
}

/// The query of a request: only parameters that the route knows, each as often as it may be given.
struct Query(Vec<(&'static Parameter, String)>);

impl Query {
    fn parse(route: &'static Route, query: &str) -> Result<Self, ApiError> {
        let pairs = query::pairs(query).ok_or_else(|| bad("the query is not well encoded"))?;
        let mut found: Vec<(&'static Parameter, String)> = Vec::new();
        let known = |parameter: &&Parameter| parameter.kind != ParameterKind::Path;
        for (name, value) in pairs {
            let Some(parameter) = route.parameters.iter().filter(known).find(|known| known.name == name)
            else {
                let known: Vec<_> = route.parameters.iter().filter(known).map(|known| known.name).collect();
                let error = bad(format!("{} has no parameter {name:?}", route.path));
                let hint =
                    format!("it has {}", if known.is_empty() { "none".into() } else { known.join(", ") });
                return Err(error.with_hint(hint));
            };
            let twice = found.iter().any(|(other, _)| other.name == name);
            if twice && parameter.kind != ParameterKind::Texts {
                return Err(bad(format!("the parameter {name:?} is given twice")));
            }
            found.push((parameter, value));
        }
        Ok(Self(found))
    }

    fn all(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(parameter, _)| parameter.name == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(parameter, _)| parameter.name == name).map(|(_, value)| value.as_str())
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.one(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(format!("{name}={text:?} is not {what}")))
    }

    fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(bad(format!("{name}={other:?} is neither true nor false"))),
        }
    }
}

fn attach_query(query: &Query, name: Option<String>, read_only: bool) -> Result<Request, ApiError> {
    let name = checked(name.into_iter().collect())?.pop().ok_or_else(|| bad("no worker is named"))?;
    let size =
        match (query.parsed("rows", "a number of rows")?, query.parsed("columns", "a number of columns")?) {
            (None, None) => None,
            (Some(rows), Some(columns)) => match TerminalSize::new(rows, columns) {
                None => return Err(bad("a terminal has at least one row and one column")),
                size => size,
            },
            (Some(_), None) | (None, Some(_)) => return Err(bad("rows and columns are given together")),
        };
    let after = query.parsed("after", "a position in a log")?;
    Ok(Request::Attach(AttachQuery { name, size, read_only, after }))
}

fn log_query(query: &Query, parts: &HttpParts<'_>) -> Result<LogQuery, ApiError> {
    let follow = query.flag("follow")?;
    let grep = query.one("grep").map(str::to_owned);
    if grep.as_ref().is_some_and(|grep| grep.len() > MAX_GREP_BYTES) {
        return Err(too_large("grep", MAX_GREP_BYTES));
    }
    let lines = query.parsed("lines", "a number of lines")?;
    if lines.is_some_and(|lines| lines > MAX_LINES) {
        return Err(too_large("lines", MAX_LINES as usize));
    }
    let after = match resume_point(query, parts) {
        Some(text) if text.len() > MAX_CURSOR_BYTES => return Err(too_large("after", MAX_CURSOR_BYTES)),
        Some(text) => Some(text.parse().map_err(|error| bad(format!("{error}")))?),
        None => None,
    };
    Ok(LogQuery {
        names: checked(query.all("name"))?,
        stream: query.parsed("stream", "stdout or stderr")?,
        since: query.parsed("since", "a time as RFC 3339 has it")?,
        until: query.parsed("until", "a time as RFC 3339 has it")?,
        lines,
        grep,
        ignore_case: query.flag("ignore_case")?,
        invert: query.flag("invert")?,
        follow,
        after,
        sse: follow || accepts_events(parts),
    })
}

fn event_query(query: &Query, parts: &HttpParts<'_>) -> Result<EventQuery, ApiError> {
    let follow = query.flag("follow")?;
    let after = match resume_point(query, parts) {
        Some(text) => {
            Some(text.parse().map_err(|_| bad(format!("after={text:?} is not the number of an event")))?)
        }
        None => None,
    };
    Ok(EventQuery { follow, after, sse: follow || accepts_events(parts) })
}

/// Where to go on: a browser repeats its first query on each reconnect, so the header counts before it.
fn resume_point<'a>(query: &'a Query, parts: &HttpParts<'a>) -> Option<&'a str> {
    parts.last_event_id.filter(|id| !id.is_empty()).or_else(|| query.one("after"))
}

fn accepts_events(parts: &HttpParts<'_>) -> bool {
    parts.accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"))
}

fn accept_items(events: bool) -> &'static str {
    if events { "text/event-stream" } else { "application/jsonl" }
}

fn log_pairs(logs: &LogQuery) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<_> = logs.names.iter().map(|name| ("name", name.clone())).collect();
    pairs.extend(logs.stream.map(|stream| ("stream", stream.to_string())));
    pairs.extend(logs.since.map(|since| ("since", since.to_string())));
    pairs.extend(logs.until.map(|until| ("until", until.to_string())));
    pairs.extend(logs.lines.map(|lines| ("lines", lines.to_string())));
    pairs.extend(logs.grep.clone().map(|grep| ("grep", grep)));
    let flags = [("ignore_case", logs.ignore_case), ("invert", logs.invert), ("follow", logs.follow)];
    pairs.extend(flags.into_iter().filter(|(_, said)| *said).map(|(name, _)| (name, "true".to_owned())));
    pairs
}

fn signal_of(body: &[u8]) -> Result<Request, ApiError> {
    let SignalBody { names, signal } = needed_body(body)?;
    let signal: Signal = signal.parse().map_err(|error| bad(format!("{error}")))?;
    Ok(Request::Signal { names: some(checked(names)?)?, signal })
}

fn upgrade_of(body: &[u8]) -> Result<Request, ApiError> {
    let UpgradeBody { program, ticket } = needed_body(body)?;
    if ticket.len() > MAX_NAME_BYTES {
        return Err(too_large("the ticket", MAX_NAME_BYTES));
    }
    if !program.is_absolute() {
        return Err(bad(format!("{} is no absolute path of a program", program.display())));
    }
    Ok(Request::Upgrade { program, ticket })
}

fn scale_of(body: &[u8]) -> Result<Request, ApiError> {
    let ScaleBody { counts } = needed_body(body)?;
    some(checked(counts.keys().cloned().collect())?)?;
    match counts.iter().find(|(_, count)| **count > MAX_COUNT) {
        Some((name, count)) => {
            Err(bad(format!("{name}={count} is more than a group may have (the limit is {MAX_COUNT})")))
        }
        None => Ok(Request::Scale { counts }),
    }
}

fn names_of(body: &[u8]) -> Result<Vec<String>, ApiError> {
    some(checked(needed_body::<NamesBody>(body)?.names)?)
}

/// Names within their bounds.
fn checked(names: Vec<String>) -> Result<Vec<String>, ApiError> {
    if names.len() > MAX_NAMES {
        return Err(too_large("the list of names", MAX_NAMES));
    }
    match names.iter().find(|name| name.is_empty() || name.len() > MAX_NAME_BYTES) {
        Some(name) if name.is_empty() => Err(bad("a name is empty")),
        Some(_) => Err(too_large("a name", MAX_NAME_BYTES)),
        None => Ok(names),
    }
}

/// At least one name: an effect on everything must be asked for as `all`.
fn some(names: Vec<String>) -> Result<Vec<String>, ApiError> {
    if names.is_empty() {
        Err(bad("no name is given").with_hint("name workers or groups, or all"))
    } else {
        Ok(names)
    }
}

fn needed_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| bad(format!("the body cannot be understood: {error}")))
}

fn optional_body<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() { Ok(T::default()) } else { needed_body(body) }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    let Ok(bytes) = serde_json::to_vec(body) else {
        unreachable!("bodies are maps of text, numbers and lists: all of them have a JSON form")
    };
    bytes
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

fn too_large(what: &str, limit: usize) -> ApiError {
    ApiError::new(ErrorCode::TooLarge, format!("{what} is more than is accepted (the limit is {limit})"))
}

#[cfg(test)]
mod tests;
