//! The overseer as Overmind's clients see it: the same workers under Overmind's names, asked by lines on a socket.
//!
//! What is asked goes to the engine like any request; this module translates, and decides nothing. The next overseer
//! listens again, the end of the app takes the socket away.

mod echo;
mod listen;
mod session;

use std::sync::Arc;
use std::time::Duration;

use ganger_spec::Overmind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use self::listen::Listening;
pub(crate) use self::listen::forget;
use self::session::Session;
use crate::Error;
use crate::server::Server;

/// So many clients are attended at once; the next one waits.
const CLIENTS_MAX: usize = 64;
/// After a client could not be accepted, the next one is after this.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A socket that listens and does not answer yet.
pub(crate) struct Counter {
    listening: Listening,
    overmind: Overmind,
}

impl Counter {
    /// Listens where the app says.
    pub(crate) fn open(overmind: &Overmind) -> Result<Self, Error> {
        Ok(Self { listening: listen::listen(&overmind.listen)?, overmind: overmind.clone() })
    }

    /// `attending` is held as long as somebody is attended.
    fn serve(self, server: Arc<Server>, app_id: String, attending: mpsc::Sender<()>) {
        let Self { listening, overmind } = self;
        let engine = server.engine.clone();
        let session = Arc::new(Session::new(server, overmind, app_id));
        tokio::spawn(async move {
            tokio::select! {
                () = accept_all(listening, session, attending) => {}
                () = engine.closed() => {}
            }
        });
    }
}

/// Answers until the engine has ended. To be called in the thread of the API. What is given back ends when nobody is attended
/// any more.
pub(crate) fn serve(counter: Option<Counter>, server: &Arc<Server>, app_id: String) -> mpsc::Receiver<()> {
    let (attending, attended) = mpsc::channel(1);
    if let Some(counter) = counter {
        counter.serve(server.clone(), app_id, attending);
    }
    attended
}

/// Attends whoever connects. A socket that cannot be waited for is none.
async fn accept_all(listening: Listening, session: Arc<Session>, attending: mpsc::Sender<()>) {
    let free = Arc::new(Semaphore::new(CLIENTS_MAX));
    match listening {
        Listening::Unix(listener) => {
            let Ok(listener) = UnixListener::from_std(listener) else { return };
            while let Ok(place) = free.clone().acquire_owned().await {
                match listener.accept().await {
                    Ok((client, _)) => {
                        // Only the owner of the app and root may ask; the mode of the socket says so too.
                        if client.peer_cred().is_ok_and(|peer| session.admits(peer.uid())) {
                            drop(tokio::spawn(attend(client, session.clone(), (place, attending.clone()))));
                        }
                    }
                    Err(_) => pause().await,
                }
            }
        }
        Listening::Tcp(listener) => {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            while let Ok(place) = free.clone().acquire_owned().await {
                match listener.accept().await {
                    Ok((client, _)) => {
                        drop(tokio::spawn(attend(client, session.clone(), (place, attending.clone()))));
                    }
                    Err(_) => pause().await,
                }
            }
        }
    }
}

/// There is no free descriptor, or the client is gone already.
async fn pause() {
    tokio::time::sleep_until(tokio::time::Instant::now() + AFTER_FAILURE).await;
}

async fn attend(
    client: impl AsyncRead + AsyncWrite + Send + Unpin,
    session: Arc<Session>,
    _held: (OwnedSemaphorePermit, mpsc::Sender<()>),
) {
    // Errors of a connection are that client's.
    let _ = session.attend(client).await;
}
