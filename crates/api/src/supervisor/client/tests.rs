//! Against a server that says what the test wants.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::xmlrpc::{self, write_response};

fn client(socket: &Path) -> Client {
    let credentials = Credentials { username: "u".to_owned(), password: "p:\u{fc}".to_owned() };
    Client::new(Address::Unix(socket.to_owned()), Some(credentials))
}

/// Takes one connection and answers each request on it with one of these; gives what was asked.
async fn serve(listener: UnixListener, answers: Vec<String>) -> Vec<String> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = Vec::new();
    for answer in answers {
        let mut text = String::new();
        let mut buffer = vec![0; 4096];
        while !text.contains("\r\n\r\n") || (text.starts_with("POST") && !text.ends_with("</methodCall>\n")) {
            let length = stream.read(&mut buffer).await.unwrap();
            assert_ne!(length, 0, "the client went away: {text}");
            text.push_str(str::from_utf8(&buffer[..length]).unwrap());
        }
        asked.push(text);
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    asked
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn socket() -> (tempfile::TempDir, std::path::PathBuf, UnixListener) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    (dir, path, listener)
}

#[tokio::test]
async fn calls_go_over_one_connection_and_say_who_asks() {
    let (_dir, path, listener) = socket();
    let answers = vec![ok(&write_response(&Ok("3.0".into()))), ok(&write_response(&Ok(true.into())))];
    let mut client = client(&path);
    let asking = async {
        let version = client.call("supervisor.getVersion", &[]).await.unwrap();
        (version, client.call("supervisor.stopProcess", &["a".into()]).await.unwrap())
    };
    let (asked, answered) = tokio::join!(serve(listener, answers), asking);
    assert_eq!(answered, ("3.0".into(), true.into()));
    assert!(asked[0].starts_with("POST /RPC2 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked.iter().all(|text| text.contains("authorization: Basic dTpwOsO8\r\n")), "{asked:?}");
}

#[tokio::test]
async fn faults_and_statuses_are_told_apart() {
    let (_dir, path, listener) = socket();
    let fault = xmlrpc::Fault { code: 10, text: "BAD_NAME: x".to_owned() };
    let unauthorized =
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned();
    let answers = vec![ok(&write_response(&Err(fault.clone()))), ok("<html/>"), unauthorized];
    let mut client = client(&path);
    let asking = async {
        assert!(matches!(client.call("m", &[]).await, Err(ClientError::Fault(told)) if told == fault));
        assert!(matches!(client.call("m", &[]).await, Err(ClientError::BadXmlRpc(_))));
        assert!(matches!(client.call("m", &[]).await, Err(ClientError::Status(401))));
    };
    tokio::join!(serve(listener, answers), asking);
}

#[tokio::test]
async fn a_log_comes_piece_by_piece() {
    let (_dir, path, listener) = socket();
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncd\n\r\n0\r\n\r\n";
    let mut client = client(&path);
    let asking = async {
        let mut log = client.follow_log(&NameSpec::of("g", "p"), Channel::Stderr).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = log.next().await.unwrap() {
            text.extend_from_slice(&piece);
        }
        text
    };
    let (asked, text) = tokio::join!(serve(listener, vec![answer.to_owned()]), asking);
    assert_eq!(text, b"abcd\n");
    assert!(asked[0].starts_with("GET /logtail/g%3Ap/stderr HTTP/1.1\r\n"), "{}", asked[0]);
}

#[tokio::test]
async fn a_server_that_is_away_is_told_by_its_error() {
    let (dir, path, listener) = socket();
    let kind = |error| match error {
        Err(ClientError::Connect(error)) => error.kind(),
        other => panic!("{other:?}"),
    };
    let missing = client(&dir.path().join("none")).call("m", &[]).await;
    assert_eq!(kind(missing), std::io::ErrorKind::NotFound);
    drop(listener);
    let refused = client(&path).call("m", &[]).await;
    assert_eq!(kind(refused), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_told() {
    let (_dir, path, listener) = socket();
    let mut client = client(&path);
    let (answer, _) = tokio::join!(client.call("m", &[]), serve(listener, vec![String::new()]));
    assert!(matches!(answer, Err(ClientError::Closed)), "{answer:?}");
}

#[test]
fn an_address_is_a_socket_or_a_port_of_a_host() {
    let tcp = |host: &str, port| Ok(Address::Tcp { host: host.to_owned(), port });
    assert_eq!("unix:///a/b".parse(), Ok(Address::Unix("/a/b".into())));
    assert_eq!("http://Localhost:9001".parse(), tcp("localhost", 9001));
    assert_eq!("http://u:p@h/x".parse(), tcp("h", 80));
    assert_eq!("http://[::1]:9".parse(), tcp("::1", 9));
    assert_eq!("https://x".parse::<Address>(), Err(BadAddress::Protocol("https://x".to_owned())));
    assert_eq!("http://x:y".parse::<Address>(), Err(BadAddress::Port("y".to_owned())));
    assert_eq!("http://[::1]:9".parse::<Address>().unwrap().to_string(), "http://[::1]:9");
}
