use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::{EventQuery, LogQuery};

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
        let listener = UnixListener::bind(self.place().socket()).unwrap();
        let reply = reply.into();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !complete(&asked) {
                assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0, "the client hung up");
            }
            stream.write_all(&reply).await.unwrap();
            String::from_utf8(asked).unwrap()
        })
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
    assert!(matches!(failed, ClientError::Broken { .. }), "{failed}");
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

const LINE: &str = r#"{"log":"web.1","time":"2026-11-22T10:00:00Z","run":3,"position":7,"text":"hello"}"#;

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
