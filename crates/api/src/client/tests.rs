use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use std::path::{Path, PathBuf};

use super::*;
use crate::stream::Item;
use crate::{ApiError, AppFile, ErrorCode, EventQuery, LogQuery};

/// A server that answers the next connections with these bytes and keeps what it was asked.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn place(&self) -> Place {
        let runtime = self.dir.path().to_owned();
        Place { id: "shop-0".to_owned(), state: runtime.clone(), runtime }
    }

    /// Answers one request and gives back what it was.
    fn answer(&self, reply: impl Into<Vec<u8>>) -> tokio::task::JoinHandle<String> {
        let answered = self.answers(vec![reply.into()]);
        tokio::spawn(async move { answered.await.unwrap().remove(0) })
    }

    /// Answers a request on each of the next connections, and gives back what they were.
    fn answers(&self, replies: Vec<Vec<u8>>) -> tokio::task::JoinHandle<Vec<String>> {
        let listener = UnixListener::bind(self.place().socket()).unwrap();
        tokio::spawn(async move {
            let mut requests = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = Vec::new();
                while !complete(&asked) {
                    assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0, "the client hung up");
                }
                stream.write_all(&reply).await.unwrap();
                requests.push(String::from_utf8(asked).unwrap());
            }
            requests
        })
    }

    /// Says that this process keeps the app.
    fn keep(&self, keeper_pid: u32) {
        let started = "2026-11-22T10:00:00Z".parse().unwrap();
        let file = AppFile {
            name: "shop".to_owned(),
            root: "/srv/shop".into(),
            keeper_pid,
            started,
            background: true,
        };
        std::fs::write(self.place().app_file(), serde_json::to_vec(&file).unwrap()).unwrap();
    }
}

/// Whether a request has come whole.
fn complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn reply(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_request_is_asked_and_its_answer_understood() {
    let fake = Fake::new();
    let body =
        r#"{"workers":[{"name":"web.1","outcome":"done","message":null,"state":"STOPPED","pid":null}]}"#;
    let server = fake.answer(reply("200 OK", "application/json", body));
    let mut client = Client::connect(&fake.place()).await.unwrap();
    let data = client.request(&Request::Stop { names: vec!["web".to_owned()] }).await.unwrap();
    let Data::Outcome(outcome) = data else { panic!("{data:?}") };
    assert_eq!(outcome.workers[0].name.to_string(), "web.1");
    let asked = server.await.unwrap();
    assert!(asked.starts_with("POST /v1/workers/stop HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("ganger-api-version: 1\r\n") && asked.contains("x-request-id: cli-"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\"names\":[\"web\"]}"), "{asked}");
}

#[tokio::test]
async fn an_error_of_the_server_keeps_its_code_and_hint() {
    let fake = Fake::new();
    let error =
        ApiError::new(ErrorCode::UnknownName, "no group is named \"wbe\"").with_hint("did you mean web?");
    let body = serde_json::to_string(&error.clone().body("r1")).unwrap();
    let server = fake.answer(reply("404 Not Found", "application/json", &body));
    let mut client = Client::connect(&fake.place()).await.unwrap();
    let failed = client.request(&Request::Why { name: "wbe".to_owned() }).await.unwrap_err();
    assert_eq!(failed.to_string(), "no group is named \"wbe\"");
    assert_eq!(
        (failed.code(), failed.hint()),
        (ErrorCode::UnknownName, Some("did you mean web?".to_owned()))
    );
    assert!(server.await.unwrap().starts_with("GET /v1/workers/wbe/why HTTP/1.1\r\n"));
}

#[tokio::test]
async fn where_nobody_listens_the_app_is_not_running() {
    let fake = Fake::new();
    let missing = Client::connect(&fake.place()).await.err().unwrap();
    drop(UnixListener::bind(fake.place().socket()).unwrap());
    let stale = Client::connect(&fake.place()).await.err().unwrap();
    for error in [missing, stale] {
        assert_eq!(error.code(), ErrorCode::NotRunning);
        assert_eq!(error.hint().as_deref(), Some("`ganger start` starts it"));
    }
}

#[tokio::test]
async fn a_socket_that_cannot_be_used_is_no_app_that_is_down() {
    let place =
        Place { id: String::new(), runtime: Path::new("/dev/null").to_owned(), state: PathBuf::new() };
    assert!(matches!(Client::connect(&place).await.err(), Some(ClientError::Connect { .. })));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let fake = Fake::new();
    let server = fake.answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"version\":");
    let mut client = Client::connect(&fake.place()).await.unwrap();
    let failed = client.request(&Request::Version).await.unwrap_err();
    assert!(matches!(failed, ClientError::Ended), "{failed}");
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_of_another_kind_is_an_error() {
    for body in ["{}", "hello", ""] {
        let fake = Fake::new();
        let server = fake.answer(reply("200 OK", "application/json", body));
        let mut client = Client::connect(&fake.place()).await.unwrap();
        let failed = client.request(&Request::Version).await.unwrap_err();
        assert!(matches!(failed, ClientError::BadAnswer(_)), "{failed}");
        server.await.unwrap();
    }
}

const LINE: &str = concat!(
    r#"{"log":"web.1","worker":"web.1","stream":"output","time":"2026-11-22T10:00:00Z","run":3,"#,
    r#""position":7,"text":"hello"}"#
);

async fn items(fake: &Fake, request: Request) -> Result<Vec<Item>, ClientError> {
    let mut stream = Client::connect(&fake.place()).await?.stream(&request).await?;
    let mut items = Vec::new();
    while let Some(item) = stream.next().await? {
        items.push(item);
    }
    Ok(items)
}

#[tokio::test]
async fn a_stream_gives_its_items_with_their_ids() {
    let fake = Fake::new();
    let body = format!("id: web.1@7\nevent: log\ndata: {LINE}\n\n: nothing\n\nevent: log\ndata: {LINE}\n\n");
    let server = fake.answer(reply("200 OK", "text/event-stream", &body));
    let found = items(&fake, Request::Logs(LogQuery { follow: true, ..LogQuery::default() })).await.unwrap();
    let ids: Vec<_> = found.iter().map(|item| item.id.as_deref()).collect();
    assert_eq!(ids, [Some("web.1@7"), None]);
    assert!(server.await.unwrap().contains("accept: text/event-stream\r\n"));
}

#[tokio::test]
async fn lines_of_json_are_items_too() {
    let fake = Fake::new();
    let server = fake.answer(reply("200 OK", "application/jsonl", &format!("{LINE}\n{LINE}\n")));
    assert_eq!(items(&fake, Request::Logs(LogQuery::default())).await.unwrap().len(), 2);
    assert!(server.await.unwrap().starts_with("GET /v1/logs HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_error_in_a_stream_ends_it() {
    let error = ApiError::new(ErrorCode::ShuttingDown, "the app is stopping").body("r1");
    let cases =
        [("text/event-stream", crate::sse_error(&error)), ("application/jsonl", crate::json_line(&error))];
    for (content_type, body) in cases {
        let fake = Fake::new();
        let server = fake.answer(reply("200 OK", content_type, &body));
        let failed = items(&fake, Request::Events(EventQuery::default())).await.unwrap_err();
        assert_eq!(failed.code(), ErrorCode::ShuttingDown);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_reply_larger_than_its_bound_is_refused() {
    let fake = Fake::new();
    let length = MAX_REPLY_BYTES + 1;
    let server = fake.answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes());
    let mut client = Client::connect(&fake.place()).await.unwrap();
    assert!(client.request(&Request::OpenApi).await.is_err());
    server.await.unwrap();
}

/// The head of an answer that breaks off before its body.
const BROKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";

fn version() -> Vec<u8> {
    reply("200 OK", "application/json", r#"{"version":"9","api":"1"}"#).into_bytes()
}

#[tokio::test]
async fn while_its_keeper_lives_the_next_overseer_is_waited_for() {
    let fake = Fake::new();
    fake.keep(std::process::id());
    let place = fake.place();
    let connecting = tokio::spawn(async move { Client::connect(&place).await });
    tokio::task::yield_now().await;
    assert!(!connecting.is_finished());
    let fresh = fake.dir.path().join("api.sock.new");
    let listener = UnixListener::bind(&fresh).unwrap();
    std::fs::rename(&fresh, fake.place().socket()).unwrap();
    assert!(connecting.await.unwrap().is_ok());
    drop(listener);
}

#[tokio::test]
async fn nobody_waits_for_an_app_whose_keeper_is_gone_or_goes() {
    let fake = Fake::new();
    let mut keeper = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    fake.keep(keeper.id());
    let place = fake.place();
    let connecting = tokio::spawn(async move { Client::connect(&place).await.err().unwrap() });
    tokio::task::yield_now().await;
    drop(keeper.stdin.take());
    assert_eq!(connecting.await.unwrap().code(), ErrorCode::NotRunning);
    // It is still there for its parent to ask how it ended.
    assert_eq!(Client::connect(&fake.place()).await.err().unwrap().code(), ErrorCode::NotRunning);
    keeper.wait().unwrap();
    assert_eq!(Client::connect(&fake.place()).await.err().unwrap().code(), ErrorCode::NotRunning);
}

#[tokio::test]
async fn an_app_that_takes_its_file_away_has_ended() {
    let fake = Fake::new();
    fake.keep(std::process::id());
    let place = fake.place();
    let connecting = tokio::spawn(async move { Client::connect(&place).await.err().unwrap() });
    tokio::task::yield_now().await;
    std::fs::remove_file(fake.place().app_file()).unwrap();
    assert_eq!(connecting.await.unwrap().code(), ErrorCode::NotRunning);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_an_overseer_has_a_bound() {
    let fake = Fake::new();
    fake.keep(std::process::id());
    let failed = Client::connect(&fake.place()).await.err().unwrap();
    assert_eq!(failed.code(), ErrorCode::Timeout);
    assert_eq!(failed.hint(), Some(format!("`kill {}` stops the app", std::process::id())));
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_asked_again_as_often_as_overseers_die_over_it_within_a_bound() {
    for (deaths, is_answered) in [(1, true), (MAX_OVERSEERS_ASKED - 1, true), (MAX_OVERSEERS_ASKED, false)] {
        let fake = Fake::new();
        let mut answers = vec![BROKEN.to_vec(); deaths];
        answers.push(version());
        let server = fake.answers(answers);
        let mut client = Client::connect(&fake.place()).await.unwrap();
        match client.request(&Request::Version).await {
            Ok(Data::Version(info)) => assert!(is_answered && info.version == "9", "{deaths} deaths"),
            Err(ClientError::Broken { .. }) => assert!(!is_answered, "{deaths} deaths"),
            other => panic!("{deaths} deaths: {other:?}"),
        }
        if is_answered {
            assert_eq!(server.await.unwrap().len(), deaths + 1);
        }
    }
}

#[tokio::test]
async fn a_command_is_never_repeated_when_the_overseer_dies_over_it() {
    let fake = Fake::new();
    let server = fake.answers(vec![BROKEN.to_vec(), version()]);
    let mut client = Client::connect(&fake.place()).await.unwrap();
    let failed = client.request(&Request::Restart { names: vec!["web".to_owned()] }).await.unwrap_err();
    assert!(matches!(failed, ClientError::Unanswered), "{failed}");
    assert!(failed.hint().is_some_and(|hint| hint.contains("ganger ps")));
    // The connection that found the next overseer is good for more.
    client.request(&Request::Version).await.unwrap();
    let asked = server.await.unwrap();
    assert!(asked[0].starts_with("POST /v1/workers/restart") && asked[1].starts_with("GET /v1/version"));
}

/// A server-sent event in a chunk of a body that goes on.
fn chunk(event: &str) -> String {
    format!("{:x}\r\n{event}\r\n", event.len())
}

fn chunked(events: &[String]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let body: String = events.iter().map(|event| chunk(event)).collect();
    format!("{head}{body}").into_bytes()
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_after_the_last_item_until_the_app_ends() {
    let fake = Fake::new();
    let line = |position: u64| {
        let json = LINE.replace("\"position\":7", &format!("\"position\":{position}"));
        format!("event: log\ndata: {json}\n\n")
    };
    let server = fake.answers(vec![chunked(&[line(7), line(14)]), chunked(&[line(21)])]);
    let query = LogQuery { follow: true, sse: true, lines: Some(2), ..LogQuery::default() };
    let client = Client::connect(&fake.place()).await.unwrap();
    let mut stream = client.stream(&Request::Logs(query)).await.unwrap();
    for expected in [7, 14, 21] {
        let item = stream.next().await.unwrap().unwrap();
        assert!(matches!(item.data, Data::LogLine(line) if line.position == expected));
    }
    let ended = stream.next().await.unwrap_err();
    assert_eq!(ended.code(), ErrorCode::NotRunning);
    let Request::Logs(rest) = stream.rest() else { panic!("another request") };
    assert_eq!((rest.after.unwrap().to_string().as_str(), rest.lines), ("web.1@21", None));
    let asked = server.await.unwrap();
    let second = asked[1].lines().next().unwrap();
    assert!(asked[1].contains("last-event-id: web.1@14"), "{}", asked[1]);
    for part in ["since=2026-11-22T10%3A00%3A00Z", "follow"] {
        assert!(second.contains(part), "{part} in {second}");
    }
    assert!(asked[0].contains("lines=2") && !second.contains("lines="), "{second}");
}
