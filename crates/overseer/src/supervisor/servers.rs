//! The HTTP servers that a supervisord.conf asks for.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use ganger_logs::Store;
use ganger_spec::{Address, Compat, Daemon, Server};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::fs::{Gid, Uid};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};

use super::http::{self, Called, Desk};
use super::login::{Access, Login};
use super::places::{Place, Places};
use crate::{Error, unix_socket};

/// The head of a request, and what is read at once of its body, has at most so many bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Servers that listen and do not answer yet.
pub(crate) struct Servers {
    listening: Vec<(Listening, Desk)>,
}

enum Listening {
    Unix(std::os::unix::net::UnixListener),
    Inet(std::net::TcpListener),
}

impl Servers {
    /// Listens on all of them.
    pub(crate) fn listen(
        daemon: &Daemon,
        calls: &mpsc::Sender<Called>,
        store: &Store,
        main_news: &watch::Receiver<()>,
    ) -> Result<Self, Error> {
        let is_as_stock = daemon.compat == Compat::Supervisor43;
        let login =
            |said: &Option<(String, String)>| said.clone().map(|(name, password)| Login::new(name, password));
        let listening = daemon.servers.iter().map(|server| {
            let desk = Desk {
                calls: calls.clone(),
                access: Access { operator: login(&server.login), reader: login(&server.reader) },
                store: store.clone(),
                main_log: daemon.logfile.clone(),
                main_news: main_news.clone(),
                has_methods: daemon.has_rpcinterface || !is_as_stock,
                links_act: is_as_stock,
            };
            Ok((listen(&server.address)?, desk))
        });
        Ok(Self { listening: listening.collect::<Result<_, Error>>()? })
    }

    /// Answers until the engine has ended. To be called in the thread of the API.
    pub(crate) fn serve(self) {
        for (listening, desk) in self.listening {
            let engine = desk.calls.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = accept_all(listening, Arc::new(desk)) => {}
                    () = engine.closed() => {}
                }
            });
        }
    }
}

/// Answers whoever connects. A server that cannot be waited for is none.
async fn accept_all(listening: Listening, desk: Arc<Desk>) {
    match listening {
        Listening::Unix(listener) => {
            if let Ok(listener) = UnixListener::from_std(listener) {
                attend_all(listener, desk).await;
            }
        }
        Listening::Inet(listener) => {
            if let Ok(listener) = TcpListener::from_std(listener) {
                attend_all(listener, desk).await;
            }
        }
    }
}

async fn attend_all(mut listener: impl Listener, desk: Arc<Desk>) {
    let places = Places::new();
    loop {
        let (client, _) = listener.accept().await;
        drop(tokio::spawn(attend(client, desk.clone(), places.take().await)));
    }
}

/// Answers one client until it has no more to ask, or its place is needed. Errors of a connection are that client's.
async fn attend(client: impl AsyncRead + AsyncWrite + Unpin, desk: Arc<Desk>, place: Place) {
    let place = Arc::new(place);
    let attended = place.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (desk, place) = (desk.clone(), attended.clone());
        async move { Ok::<_, Infallible>(http::handle(&desk, &place, request.map(Body::new)).await) }
    });
    let mut server = http1::Builder::new();
    server.max_buf_size(BUFFER_BYTES);
    let serving = server.serve_connection(TokioIo::new(client), answer);
    tokio::select! {
        _ = serving => {}
        () = place.asked_to_leave() => {}
    }
}

/// Removes what the servers of an app that ends had in the file system: who looks for one finds none.
pub(crate) fn forget(servers: &[Server]) {
    for server in servers {
        if let Address::Unix { path, .. } = &server.address {
            // Nobody answers there any more; the next server takes its place.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn listen(address: &Address) -> Result<Listening, Error> {
    match address {
        Address::Unix { path, mode, uid, gid } => {
            let failed = |source| Error::File { action: "listen on", path: path.clone(), source };
            let listener = unix(path, *mode, *uid, *gid).map_err(failed)?;
            Ok(Listening::Unix(listener))
        }
        Address::Inet { host, port } => {
            let failed = |source| Error::Port { host: host.clone(), port: *port, source };
            let listener = inet(host, *port).map_err(failed)?;
            Ok(Listening::Inet(listener))
        }
    }
}

/// A socket that nobody answers on is a dead server's, and makes room.
fn unix(
    path: &Path,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<std::os::unix::net::UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let fresh = unix_socket::beside(path);
    unix_socket::listen(path, &fresh, mode, || {
        if uid.is_some() || gid.is_some() {
            rustix::fs::chown(&fresh, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?;
        }
        Ok(())
    })
}

fn inet(host: &str, port: u16) -> io::Result<std::net::TcpListener> {
    let listener = if host.is_empty() {
        std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?
    } else {
        std::net::TcpListener::bind((host, port))?
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}
