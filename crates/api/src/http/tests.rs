use super::*;
use crate::{LogCursor, Stream, Time};

fn asked(method: &str, target: &str, body: &str) -> Result<Request, ApiError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    parse(&HttpParts { method, path, query, body: body.as_bytes(), ..HttpParts::default() })
}

fn refused(method: &str, target: &str, body: &str) -> (ErrorCode, String) {
    let error = asked(method, target, body).unwrap_err();
    (error.code, error.message)
}

/// One of each request, with every field filled.
fn every_request() -> Vec<Request> {
    let names = vec!["web.*".to_owned(), "a b/c".to_owned()];
    let time = |text: &str| text.parse::<Time>().ok();
    let logs = LogQuery {
        names: names.clone(),
        stream: Some(Stream::Stderr),
        since: time("2026-11-22T10:00:00.5Z"),
        until: time("2026-11-22T11:00:00Z"),
        lines: Some(10),
        grep: Some("50% & more".to_owned()),
        ignore_case: true,
        invert: true,
        follow: true,
        after: "web.1@7;worker.2@9".parse::<LogCursor>().ok(),
        sse: true,
    };
    vec![
        Request::App,
        Request::Workers { names: names.clone() },
        Request::Start { names: names.clone() },
        Request::Stop { names: names.clone() },
        Request::Restart { names: names.clone() },
        Request::Signal { names, signal: Signal::HUP },
        Request::Scale { counts: BTreeMap::from([("web".to_owned(), 3), ("worker".to_owned(), 0)]) },
        Request::Reload { dry_run: true },
        Request::Env { name: Some("web.1".to_owned()) },
        Request::Env { name: None },
        Request::Ports,
        Request::Forwards,
        Request::Why { name: "web 1".to_owned() },
        Request::Attach(AttachQuery {
            name: "web.1".to_owned(),
            size: TerminalSize::new(24, 80),
            read_only: false,
            after: Some(7),
        }),
        Request::Attach(AttachQuery { name: "web".to_owned(), read_only: true, ..AttachQuery::default() }),
        Request::Window(TerminalSize { rows: 30, columns: 100 }),
        Request::Logs(logs),
        Request::Logs(LogQuery::default()),
        Request::Events(EventQuery { follow: true, after: Some(17), sse: true }),
        Request::Events(EventQuery::default()),
        Request::Quit { now: true },
        Request::Upgrade { program: "/opt/ganger".into(), ticket: "7-1".into() },
        Request::Apps,
        Request::AddApp { dir: "/srv/shop".into(), name: Some("shop/staging".to_owned()) },
        Request::AddApp { dir: "/srv/shop".into(), name: None },
        Request::RemoveApp { name: "shop".to_owned() },
        Request::OpenApi,
        Request::Version,
    ]
}

#[test]
fn every_request_comes_back_from_its_http_form() {
    for request in every_request() {
        let http = encode(&request);
        let (path, query) = http.target.split_once('?').unwrap_or((&http.target, ""));
        let (method, accept) = (http.method.as_str(), Some(http.accept));
        let last_event_id = http.last_event_id.as_deref();
        let parts = HttpParts { method, path, query, accept, last_event_id, body: &http.body };
        assert_eq!(parse(&parts).as_ref(), Ok(&request), "{http:?}");
    }
}

#[test]
fn a_stream_of_ten_thousand_logs_can_be_gone_on_with() {
    let log = |number| ganger_spec::LogName::from(ganger_spec::WorkerName::new("background-jobs", number));
    let position = |number| (log(number), u64::from(u32::MAX) + 7);
    let after = LogCursor((1..=10_000).map(position).collect());
    let request =
        Request::Logs(LogQuery { follow: true, sse: true, after: Some(after), ..LogQuery::default() });
    let http = encode(&request);
    let (path, query) = http.target.split_once('?').unwrap();
    let last_event_id = http.last_event_id.as_deref();
    assert!(
        last_event_id.is_some_and(|id| id.len() < crate::limits::MAX_HEADER_BYTES) && http.target.len() < 100
    );
    let method = http.method.as_str();
    let parts = HttpParts { method, path, query, last_event_id, ..HttpParts::default() };
    assert_eq!(parse(&parts), Ok(request));
}

#[test]
fn every_route_has_its_operation_and_every_operation_its_route() {
    for request in every_request() {
        assert_eq!(Route::of(request.operation()).operation, request.operation());
    }
    let mut operations: Vec<_> = every_request().iter().map(Request::operation).collect();
    operations.dedup();
    assert_eq!(operations.len(), ROUTES.len());
}

#[test]
fn an_effect_must_name_its_workers() {
    let (code, message) = refused("POST", "/v1/workers/stop", r#"{"names":[]}"#);
    assert_eq!((code, message.as_str()), (ErrorCode::BadRequest, "no name is given"));
    assert_eq!(refused("POST", "/v1/scale", r#"{"counts":{}}"#).0, ErrorCode::BadRequest);
    assert_eq!(asked("GET", "/v1/workers", ""), Ok(Request::Workers { names: vec![] }));
}

#[test]
fn what_cannot_be_understood_says_what_it_was() {
    let cases = [
        ("POST", "/v1/workers/start", "{", "the body cannot be understood: EOF while parsing an object"),
        (
            "POST",
            "/v1/workers/start",
            r#"{"name":["web"]}"#,
            "the body cannot be understood: unknown field `name`",
        ),
        ("POST", "/v1/workers/signal", r#"{"names":["web"],"signal":"FOO"}"#, "unknown signal \"FOO\""),
        ("POST", "/v1/scale", r#"{"counts":{"web":-1}}"#, "the body cannot be understood: invalid value"),
        ("GET", "/v1/workers?nam=web", "", "/v1/workers has no parameter \"nam\""),
        ("GET", "/v1/workers?name=%f", "", "the query is not well encoded"),
        ("GET", "/v1/env?name=a&name=b", "", "the parameter \"name\" is given twice"),
        ("GET", "/v1/workers/%ff/why", "", "\"%ff\" is not well encoded"),
        ("GET", "/v1/workers?name=", "", "a name is empty"),
        ("GET", "/v1/logs?since=yesterday", "", "since=\"yesterday\" is not a time"),
        ("GET", "/v1/logs?lines=-1", "", "lines=\"-1\" is not a number of lines"),
        ("GET", "/v1/logs?follow=maybe", "", "follow=\"maybe\" is neither true nor false"),
        ("GET", "/v1/logs?after=web", "", "\"web\" is not a position in a log"),
        ("GET", "/v1/events?after=x", "", "after=\"x\" is not the number of an event"),
    ];
    for (method, target, body, expected) in cases {
        let (code, message) = refused(method, target, body);
        assert_eq!(code, ErrorCode::BadRequest, "{target}");
        assert!(message.starts_with(expected), "{target}: {message}");
    }
}

#[test]
fn paths_and_methods_that_do_not_exist_are_told_apart() {
    for path in ["/", "/v1", "/v1/worker", "/v2/app", "/v1/workers//why", "/v1/workers/a/b/why"] {
        assert_eq!(refused("GET", path, "").0, ErrorCode::UnknownPath, "{path}");
    }
    let (code, message) = refused("GET", "/v1/quit", "");
    assert_eq!(
        (code, message.as_str()),
        (ErrorCode::MethodNotAllowed, "/v1/quit does not take GET, only POST")
    );
}

#[test]
fn a_body_may_be_left_out_where_everything_has_a_default() {
    assert_eq!(asked("POST", "/v1/quit", ""), Ok(Request::Quit { now: false }));
    assert_eq!(asked("POST", "/v1/reload", "{}"), Ok(Request::Reload { dry_run: false }));
}

#[test]
fn a_stream_goes_on_where_the_header_says_before_the_query() {
    let parts = HttpParts {
        method: "GET",
        path: "/v1/events",
        query: "after=3",
        accept: Some("text/event-stream"),
        last_event_id: Some("9"),
        body: b"",
    };
    assert_eq!(parse(&parts), Ok(Request::Events(EventQuery { follow: false, after: Some(9), sse: true })));
    let first = HttpParts { last_event_id: Some(""), ..parts };
    assert_eq!(parse(&first), Ok(Request::Events(EventQuery { follow: false, after: Some(3), sse: true })));
}

#[test]
fn every_bound_holds_at_its_edge() {
    let names = |count: usize, length: usize| {
        let names: Vec<_> = (0..count).map(|_| format!("\"{}\"", "n".repeat(length))).collect();
        asked("POST", "/v1/workers/stop", &format!("{{\"names\":[{}]}}", names.join(",")))
    };
    assert!(names(MAX_NAMES, 1).is_ok());
    assert_eq!(names(MAX_NAMES + 1, 1).unwrap_err().code, ErrorCode::TooLarge);
    assert!(names(1, MAX_NAME_BYTES).is_ok());
    assert_eq!(names(1, MAX_NAME_BYTES + 1).unwrap_err().code, ErrorCode::TooLarge);

    let body = |length: usize| asked("POST", "/v1/quit", &format!("{{}}{}", " ".repeat(length - 2)));
    assert!(body(MAX_BODY_BYTES).is_ok());
    assert_eq!(body(MAX_BODY_BYTES + 1).unwrap_err().code, ErrorCode::TooLarge);

    let target = |length: usize| {
        let fixed = "/v1/ports".len();
        parse(&HttpParts {
            method: "GET",
            path: "/v1/ports",
            query: &"&".repeat(length - fixed),
            ..HttpParts::default()
        })
    };
    assert!(target(MAX_TARGET_BYTES).is_ok());
    assert_eq!(target(MAX_TARGET_BYTES + 1).unwrap_err().code, ErrorCode::TooLarge);

    let grep = |length: usize| asked("GET", &format!("/v1/logs?grep={}", "g".repeat(length)), "");
    assert!(grep(MAX_GREP_BYTES).is_ok());
    assert_eq!(grep(MAX_GREP_BYTES + 1).unwrap_err().code, ErrorCode::TooLarge);

    let lines = |count: u32| asked("GET", &format!("/v1/logs?lines={count}"), "");
    assert!(lines(MAX_LINES).is_ok());
    assert_eq!(lines(MAX_LINES + 1).unwrap_err().code, ErrorCode::TooLarge);

    let scale = |count: u32| asked("POST", "/v1/scale", &format!("{{\"counts\":{{\"web\":{count}}}}}"));
    assert!(scale(MAX_COUNT).is_ok());
    assert_eq!(scale(MAX_COUNT + 1).unwrap_err().code, ErrorCode::BadRequest);
}

#[test]
fn a_plain_request_id_is_kept_and_any_other_is_replaced() {
    let made = || "made".to_owned();
    let longest = "x".repeat(MAX_REQUEST_ID_BYTES);
    assert_eq!(request_id(Some(&longest), made), longest);
    for given in [None, Some(""), Some("a b"), Some("a\"b"), Some(format!("{longest}x").as_str())] {
        assert_eq!(request_id(given, made), "made", "{given:?}");
    }
}

#[test]
fn another_version_of_the_api_is_refused() {
    assert_eq!(check_version(None), Ok(()));
    assert_eq!(check_version(Some(" 1 ")), Ok(()));
    assert_eq!(check_version(Some("2")).unwrap_err().code, ErrorCode::UnsupportedVersion);
}

#[test]
fn codes_are_stable_words_with_a_status_of_an_error() {
    let words: Vec<_> = ErrorCode::ALL.iter().map(|code| serde_json::to_string(code).unwrap()).collect();
    assert_eq!(
        words[..4],
        ["\"unknown_name\"", "\"unknown_path\"", "\"method_not_allowed\"", "\"bad_request\""]
    );
    assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
}
