//! Reaching the overseer of an app, also when the last one has just died.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;

use super::ClientError;
use crate::Place;
use crate::limits::{DYING_WAIT, OVERSEER_WAIT};
use crate::running::read_app_file;

/// A stream to the app's overseer. While the app's keeper lives without an overseer, it waits for the next one.
pub(super) async fn connect(place: &Place) -> Result<UnixStream, ClientError> {
    if let Some(stream) = try_connect(place).await? {
        return Ok(stream);
    }
    let Some(keeper) = read_app_file(place).map(|file| file.keeper_pid) else {
        return Err(not_running(place));
    };
    let next = next_overseer(place, keeper);
    match tokio::time::timeout(OVERSEER_WAIT, next).await {
        Ok(reached) => reached,
        Err(_) => Err(ClientError::NoOverseer { keeper, bound: OVERSEER_WAIT }),
    }
}

/// The process at the other end, to be waited for.
pub(super) struct Overseer {
    /// The number of its socket's file: another overseer makes another one.
    socket: Option<u64>,
    process: OwnedFd,
}

pub(super) fn overseer(stream: &UnixStream, place: &Place) -> Option<Overseer> {
    let pid = u32::try_from(stream.peer_cred().ok()?.pid()?).ok()?;
    Some(Overseer { socket: socket(place), process: open_process(pid)? })
}

fn socket(place: &Place) -> Option<u64> {
    std::fs::symlink_metadata(place.socket()).ok().map(|file| file.ino())
}

/// Waits until an overseer that broke a connection is gone: as long as it is dying, its socket may take new ones. One
/// that became the keeper lives on; then the next one listens.
pub(super) async fn gone(place: &Place, overseer: Overseer) {
    // One that lives on after all is asked again.
    let _ = tokio::time::timeout(DYING_WAIT, gone_or_replaced(place, overseer)).await;
}

async fn gone_or_replaced(place: &Place, Overseer { socket: before, process }: Overseer) -> io::Result<()> {
    let process = watched(process)?;
    let changes = watched(changes(place)?)?;
    loop {
        if socket(place).is_some_and(|now| Some(now) != before) {
            return Ok(());
        }
        tokio::select! {
            ready = changes.readable() => {
                let mut ready = ready?;
                drain(changes.get_ref());
                ready.clear_ready();
            }
            _ = process.readable() => return Ok(()),
        }
    }
}

/// The stream; none if nobody listens now.
async fn try_connect(place: &Place) -> Result<Option<UnixStream>, ClientError> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound};
    match UnixStream::connect(place.socket()).await {
        Ok(stream) => Ok(Some(stream)),
        // Who died before it accepted us has read nothing.
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset) => Ok(None),
        Err(source) => Err(ClientError::Connect { socket: place.socket(), source }),
    }
}

/// Waits until an overseer listens, or until it is sure that none will come.
async fn next_overseer(place: &Place, keeper: u32) -> Result<UnixStream, ClientError> {
    let Some(keeper) = open_process(keeper) else { return Err(not_running(place)) };
    let failed = |source| ClientError::Connect { socket: place.socket(), source };
    let keeper = watched(keeper).map_err(failed)?;
    let changes = watched(changes(place).map_err(failed)?).map_err(failed)?;
    loop {
        // What happens from here on wakes the wait below: nothing is missed in between.
        if let Some(stream) = try_connect(place).await? {
            return Ok(stream);
        }
        if read_app_file(place).is_none() {
            return Err(not_running(place));
        }
        tokio::select! {
            ready = changes.readable() => {
                let mut ready = ready.map_err(failed)?;
                drain(changes.get_ref());
                ready.clear_ready();
            }
            _ = keeper.readable() => return Err(not_running(place)),
        }
    }
}

/// A descriptor that becomes readable when this process ends; none if it has ended.
fn open_process(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).ok()
}

/// A descriptor that becomes readable when the socket or `app.json` comes or goes.
fn changes(place: &Place) -> io::Result<OwnedFd> {
    let changes = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    // A socket that is bound in place takes connections only a moment later, just before its mode is set.
    let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB | WatchFlags::DELETE;
    inotify::add_watch(&changes, &place.runtime, flags)?;
    Ok(changes)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe: a source must keep its descriptor, and this one is owned"
)]
fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

/// Takes what has come: that something changed is all that counts.
fn drain(changes: &OwnedFd) {
    let mut buffer = [0; 4096];
    while rustix::io::read(changes, &mut buffer).is_ok_and(|read| read > 0) {}
}

fn not_running(place: &Place) -> ClientError {
    ClientError::NotRunning { socket: place.socket() }
}
