//! The table of routes: the one definition of what can be asked.

use schemars::{Schema, SchemaGenerator};

use crate::LogLine;
use crate::attach::{TerminalSize, Told, Wish};
use crate::data::{
    AppInfo, AppsInfo, EnvInfo, EventInfo, ForwardsInfo, OutcomeInfo, PlanInfo, PortsInfo, QuitInfo,
    UpgradeInfo, VersionInfo, WhyInfo, WorkersInfo,
};
use crate::http::{
    AddAppBody, NamesBody, QuitBody, ReloadBody, RemoveAppBody, ScaleBody, SignalBody, UpgradeBody,
    WindowBody,
};

/// The methods that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Has an effect; the reply comes after it.
    Post,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is documented by its row in the table")]
pub enum Operation {
    App,
    Workers,
    Start,
    Stop,
    Restart,
    Signal,
    Scale,
    Reload,
    Env,
    Ports,
    Forwards,
    Why,
    Attach,
    View,
    Window,
    Logs,
    Events,
    Quit,
    Upgrade,
    Apps,
    AddApp,
    RemoveApp,
    OpenApi,
    Version,
}

/// What a parameter of the path or the query holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A part of the path.
    Path,
    /// Text.
    Text,
    /// Text; may be given several times.
    Texts,
    /// A number.
    Number,
    /// RFC 3339.
    Time,
    /// `true`, `1` or nothing for yes; `false` or `0` for no.
    Flag,
}

/// A parameter of the path or the query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ParameterKind,
    /// What it does: a sentence.
    pub summary: &'static str,
}

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What is answered.
#[derive(Clone, Copy)]
pub enum Answer {
    /// One JSON document.
    Json(SchemaOf),
    /// Items: server-sent events or lines of JSON.
    Stream(SchemaOf),
    /// A JSON document of a known format.
    Document,
    /// The connection goes on with frames of what the server and the client say.
    Frames(SchemaOf, SchemaOf),
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Route {
    /// Which operation.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path; a part in braces is a parameter.
    pub path: &'static str,
    /// What it does: a sentence.
    pub summary: &'static str,
    /// The parameters of its path and query.
    pub parameters: &'static [Parameter],
    /// Its body.
    pub body: Option<SchemaOf>,
    /// What is answered.
    pub answer: Answer,
}

impl Route {
    /// The row of this operation.
    pub fn of(operation: Operation) -> &'static Self {
        let Some(route) = ROUTES.iter().find(|route| route.operation == operation) else {
            unreachable!("a test proves that every operation has its row")
        };
        route
    }
}

const fn parameter(name: &'static str, kind: ParameterKind, summary: &'static str) -> Parameter {
    Parameter { name, kind, summary }
}

const NAMES: &str = "A worker, a group, a glob or all; may be given several times. All if none is given.";
const FOLLOW: &str = "Go on with what comes, as server-sent events.";

const STREAM: &str = "Where stderr is kept apart: stderr for that alone, stdout for all but that.";

const LOG_PARAMETERS: &[Parameter] = &[
    parameter("name", ParameterKind::Texts, NAMES),
    parameter("stream", ParameterKind::Text, STREAM),
    parameter("since", ParameterKind::Time, "Nothing that was written before this."),
    parameter("until", ParameterKind::Time, "Nothing that was written after this."),
    parameter("lines", ParameterKind::Number, "At most this many of the last lines, over all logs together."),
    parameter("grep", ParameterKind::Text, "Only lines in which this regular expression is found."),
    parameter("ignore_case", ParameterKind::Flag, "Let grep take small and capital letters for the same."),
    parameter("invert", ParameterKind::Flag, "Only lines in which grep is not found."),
    parameter("follow", ParameterKind::Flag, FOLLOW),
    parameter("after", ParameterKind::Text, "Go on after this: the id of an item, as in Last-Event-ID."),
];

const EVENT_PARAMETERS: &[Parameter] = &[
    parameter("follow", ParameterKind::Flag, FOLLOW),
    parameter("after", ParameterKind::Number, "Only events after this number, as in Last-Event-ID."),
];

const fn get(operation: Operation, path: &'static str, summary: &'static str, answer: Answer) -> Route {
    Route { operation, method: Method::Get, path, summary, parameters: &[], body: None, answer }
}

const fn post(
    operation: Operation,
    path: &'static str,
    summary: &'static str,
    body: SchemaOf,
    answer: Answer,
) -> Route {
    Route { operation, method: Method::Post, path, summary, parameters: &[], body: Some(body), answer }
}

const fn with(route: Route, parameters: &'static [Parameter]) -> Route {
    Route { parameters, ..route }
}

const ATTACH_PARAMETERS: &[Parameter] = &[
    parameter("name", ParameterKind::Path, "A worker, or a group of one."),
    parameter("rows", ParameterKind::Number, "How many rows the viewer has; with columns."),
    parameter("columns", ParameterKind::Number, "How many columns the viewer has; with rows."),
    parameter(
        "after",
        ParameterKind::Number,
        "Go on here, where a connection broke: a position in the worker's log.",
    ),
];

/// A connection that shows a worker's terminal.
const fn attach(operation: Operation, method: Method, summary: &'static str) -> Route {
    let frames =
        Answer::Frames(SchemaGenerator::subschema_for::<Told>, SchemaGenerator::subschema_for::<Wish>);
    let path = "/v1/workers/{name}/attach";
    Route { operation, method, path, summary, parameters: ATTACH_PARAMETERS, body: None, answer: frames }
}

const NAMES_BODY: SchemaOf = SchemaGenerator::subschema_for::<NamesBody>;
const OUTCOME: Answer = Answer::Json(SchemaGenerator::subschema_for::<OutcomeInfo>);

const APPS: Answer = Answer::Json(SchemaGenerator::subschema_for::<AppsInfo>);

/// What can be asked.
pub const ROUTES: &[Route] = &[
    get(
        Operation::App,
        "/v1/app",
        "The app as a whole.",
        Answer::Json(SchemaGenerator::subschema_for::<AppInfo>),
    ),
    with(
        get(
            Operation::Workers,
            "/v1/workers",
            "Workers, in the order of their groups and numbers.",
            Answer::Json(SchemaGenerator::subschema_for::<WorkersInfo>),
        ),
        &[parameter("name", ParameterKind::Texts, NAMES)],
    ),
    post(
        Operation::Start,
        "/v1/workers/start",
        "Bring workers up and forget their failures.",
        NAMES_BODY,
        OUTCOME,
    ),
    post(Operation::Stop, "/v1/workers/stop", "Bring workers down and keep them down.", NAMES_BODY, OUTCOME),
    post(
        Operation::Restart,
        "/v1/workers/restart",
        "End the present run of workers and start new ones.",
        NAMES_BODY,
        OUTCOME,
    ),
    post(
        Operation::Signal,
        "/v1/workers/signal",
        "Send a signal to the main process of workers.",
        SchemaGenerator::subschema_for::<SignalBody>,
        OUTCOME,
    ),
    post(
        Operation::Scale,
        "/v1/scale",
        "Set how many workers groups have.",
        SchemaGenerator::subschema_for::<ScaleBody>,
        OUTCOME,
    ),
    post(
        Operation::Reload,
        "/v1/reload",
        "Read the files again and restart the workers whose spec changed.",
        SchemaGenerator::subschema_for::<ReloadBody>,
        Answer::Json(SchemaGenerator::subschema_for::<PlanInfo>),
    ),
    with(
        get(
            Operation::Env,
            "/v1/env",
            "The environment of a worker, a group or the app, and where each variable comes from.",
            Answer::Json(SchemaGenerator::subschema_for::<EnvInfo>),
        ),
        &[parameter("name", ParameterKind::Text, "A worker or a group; the app's own if none is given.")],
    ),
    get(
        Operation::Ports,
        "/v1/ports",
        "The port of each worker, why it is that one, and who else listens on it.",
        Answer::Json(SchemaGenerator::subschema_for::<PortsInfo>),
    ),
    get(
        Operation::Forwards,
        "/v1/forwards",
        "Where lines are sent to beside the store, and how far that is.",
        Answer::Json(SchemaGenerator::subschema_for::<ForwardsInfo>),
    ),
    with(
        get(
            Operation::Why,
            "/v1/workers/{name}/why",
            "Why a worker is as it is, and what happened to it lately.",
            Answer::Json(SchemaGenerator::subschema_for::<WhyInfo>),
        ),
        &[parameter("name", ParameterKind::Path, "A worker.")],
    ),
    attach(
        Operation::Attach,
        Method::Post,
        "See the terminal of a worker and type there, on a connection that speaks `ganger-attach/1` from the answer on. The \
         terminal is as large as the smallest of those who may type.",
    ),
    attach(
        Operation::View,
        Method::Get,
        "See the terminal of a worker without typing there, on a connection that speaks `ganger-attach/1` from the answer on.",
    ),
    post(
        Operation::Window,
        "/v1/window",
        "Let terminals have this size of which nobody decides who may type.",
        SchemaGenerator::subschema_for::<WindowBody>,
        Answer::Json(SchemaGenerator::subschema_for::<TerminalSize>),
    ),
    with(
        get(
            Operation::Logs,
            "/v1/logs",
            "Lines that workers wrote, in the order of their time.",
            Answer::Stream(SchemaGenerator::subschema_for::<LogLine>),
        ),
        LOG_PARAMETERS,
    ),
    with(
        get(
            Operation::Events,
            "/v1/events",
            "What happened, the oldest first.",
            Answer::Stream(SchemaGenerator::subschema_for::<EventInfo>),
        ),
        EVENT_PARAMETERS,
    ),
    post(
        Operation::Quit,
        "/v1/quit",
        "Stop every worker and end.",
        SchemaGenerator::subschema_for::<QuitBody>,
        Answer::Json(SchemaGenerator::subschema_for::<QuitInfo>),
    ),
    post(
        Operation::Upgrade,
        "/v1/upgrade",
        "Put another program in place of the running one. The answer comes from that one, or on the next connection: ask \
         again with the same ticket if this one breaks.",
        SchemaGenerator::subschema_for::<UpgradeBody>,
        Answer::Json(SchemaGenerator::subschema_for::<UpgradeInfo>),
    ),
    get(
        Operation::Apps,
        "/v1/apps",
        "The apps of a daemon, in the order of their names. Its own socket answers this and the next two.",
        APPS,
    ),
    post(
        Operation::AddApp,
        "/v1/apps/add",
        "Oversee another app, from now on and after each start of the daemon.",
        SchemaGenerator::subschema_for::<AddAppBody>,
        APPS,
    ),
    post(
        Operation::RemoveApp,
        "/v1/apps/remove",
        "Stop an app and oversee it no more.",
        SchemaGenerator::subschema_for::<RemoveAppBody>,
        APPS,
    ),
    get(Operation::OpenApi, "/v1/openapi.json", "This document.", Answer::Document),
    get(
        Operation::Version,
        "/v1/version",
        "The versions of the program and of the API.",
        Answer::Json(SchemaGenerator::subschema_for::<VersionInfo>),
    ),
];
