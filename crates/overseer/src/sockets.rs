//! Listening sockets that groups share: their workers get them as descriptor 0.
//!
//! A socket is there as long as its group says so, whether or not a worker of it runs: who connects meanwhile waits in its
//! queue. It outlives the overseer in a [`Bag`] that the keeper keeps, and all of ganger in the workers that have it.

mod bag;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ganger_spec::{FcgiSocket, Group, Spec};
use rustix::fs::{AtFlags, CWD, Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use self::bag::Bag;

/// At most so many groups of an app have a socket: they go together to the next overseer.
pub(crate) const SOCKETS_MAX: usize = 128;

/// So many connections wait where nothing is said: the kernel makes it what the system lets.
const BACKLOG: u32 = 65_535;

/// Why a group has no socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {url} for {group}: {source}")]
pub struct SocketError {
    group: String,
    url: String,
    source: io::Error,
}

impl SocketError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        (Errno::from_io_error(&self.source) == Some(Errno::ADDRINUSE)).then(|| {
            "another process listens there: `ss -ltnp` names it; give the group another socket, or stop that".to_owned()
        })
    }
}

/// The sockets of all groups that have one.
#[derive(Default)]
pub(crate) struct Sockets {
    held: BTreeMap<String, Held>,
    /// None until there is a socket, or while there are no descriptors for it.
    bag: Option<Bag>,
}

/// A socket that listens, and as what.
#[derive(Clone)]
struct Held {
    socket: FcgiSocket,
    descriptor: Rc<OwnedFd>,
}

/// Where a socket listens.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Unix(PathBuf),
    Inet(SocketAddrV4),
}

impl Sockets {
    /// Those of the overseer before, which the keeper kept.
    pub(crate) fn of(kept: Vec<OwnedFd>) -> Self {
        let Some(bag) = Bag::of(kept) else { return Self::default() };
        let held = bag
            .look()
            .into_iter()
            .map(|(group, socket, descriptor)| (group, Held { socket, descriptor: Rc::new(descriptor) }));
        Self { held: held.collect(), bag: Some(bag) }
    }

    /// For the keeper to keep.
    pub(crate) fn descriptors(&mut self) -> Vec<OwnedFd> {
        // Without room for it sockets live as long as their workers.
        self.bag = self.bag.take().or_else(|| Bag::new().ok());
        self.bag.as_ref().and_then(|bag| bag.descriptors().ok()).unwrap_or_default()
    }

    /// Holds exactly the sockets that this spec says. After an error nothing has changed.
    pub(crate) fn fit(&mut self, spec: &Spec) -> Result<(), SocketError> {
        let mut next = BTreeMap::new();
        for (group, socket) in spec.groups.iter().filter_map(|group| Some((group, socket_of(group)?))) {
            if next.len() >= SOCKETS_MAX {
                let source = io::Error::other(format!("an app has at most {SOCKETS_MAX} sockets"));
                return Err(error(group, socket, source));
            }
            let held = self.listening(&group.name, socket).map_err(|source| error(group, socket, source))?;
            next.insert(group.name.clone(), held);
        }
        self.held = next;
        self.store();
        Ok(())
    }

    /// The socket of a group, which is made if it is not there.
    pub(crate) fn get(&mut self, group: &Group) -> Result<Option<Rc<OwnedFd>>, SocketError> {
        let Some(socket) = socket_of(group) else { return Ok(None) };
        if let Some(held) = self.held.get(&group.name).filter(|held| held.socket == *socket) {
            return Ok(Some(Rc::clone(&held.descriptor)));
        }
        let held = self.listening(&group.name, socket).map_err(|source| error(group, socket, source))?;
        self.held.insert(group.name.clone(), held.clone());
        self.store();
        Ok(Some(held.descriptor))
    }

    /// Takes up the socket of a group from a worker of it that lives, where nobody else has kept it.
    pub(crate) fn take_up(&mut self, group: &Group, pid: u32) {
        let Some(socket) = socket_of(group).filter(|_| !self.held.contains_key(&group.name)) else { return };
        // Where that is not allowed, a new socket is made for the next run.
        if let Ok(descriptor) = of_process(pid, socket) {
            let held = Held { socket: socket.clone(), descriptor: Rc::new(descriptor) };
            self.held.insert(group.name.clone(), held);
        }
        self.store();
    }

    /// The socket that is there, as this one is to be, or a new one.
    fn listening(&self, group: &str, socket: &FcgiSocket) -> io::Result<Held> {
        let same = self.held.get(group).filter(|held| held.socket.url == socket.url);
        let descriptor = match same {
            Some(held) if held.socket == *socket => return Ok(held.clone()),
            Some(held) => Rc::clone(&held.descriptor),
            None => Rc::new(bound(&Place::of(&socket.url)?)?),
        };
        if let Place::Unix(path) = Place::of(&socket.url)? {
            dress(&path, socket)?;
        }
        rustix::net::listen(&descriptor, backlog(socket))?;
        Ok(Held { socket: socket.clone(), descriptor })
    }

    /// Lets the next overseer have what this one has. Where that fails, workers that run hold their sockets still.
    fn store(&self) {
        let held = self.held.iter().map(|(group, held)| (group.as_str(), &held.socket, &*held.descriptor));
        if let Some(bag) = &self.bag {
            let _ = bag.put(&held.collect::<Vec<_>>());
        }
    }
}

fn socket_of(group: &Group) -> Option<&FcgiSocket> {
    group.supervisor.as_ref()?.socket.as_ref()
}

fn error(group: &Group, socket: &FcgiSocket, source: io::Error) -> SocketError {
    SocketError { group: group.name.clone(), url: socket.url.clone(), source }
}

fn backlog(socket: &FcgiSocket) -> i32 {
    i32::try_from(socket.backlog.unwrap_or(BACKLOG)).unwrap_or(i32::MAX)
}

impl Place {
    fn of(url: &str) -> io::Result<Self> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let address = url.strip_prefix("tcp://").unwrap_or(url);
        let found = address.to_socket_addrs()?.find_map(|address| match address {
            SocketAddr::V4(address) => Some(Self::Inet(address)),
            SocketAddr::V6(_) => None,
        });
        found.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "it has no IPv4 address"))
    }

    /// Whether a socket has this address.
    fn is_of(&self, socket: &OwnedFd) -> io::Result<bool> {
        let name = rustix::net::getsockname(socket)?;
        Ok(match self {
            Self::Unix(path) => SocketAddrUnix::try_from(name)?.path_bytes() == Some(path_bytes(path)),
            Self::Inet(address) => SocketAddrV4::try_from(name)? == *address,
        })
    }
}

fn path_bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

/// A socket with this address.
fn bound(place: &Place) -> io::Result<OwnedFd> {
    let made = |family| rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    match place {
        Place::Inet(address) => {
            let socket = made(AddressFamily::INET)?;
            rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, address)?;
            Ok(socket)
        }
        Place::Unix(path) => {
            let (socket, address) = (made(AddressFamily::UNIX)?, SocketAddrUnix::new(path.as_path())?);
            match path.symlink_metadata() {
                Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)?,
                Ok(_) => {
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, "what is there is no socket"));
                }
                Err(_) => {}
            }
            rustix::net::bind(&socket, &address)?;
            Ok(socket)
        }
    }
}

/// Gives a Unix socket its owner and mode.
fn dress(path: &Path, socket: &FcgiSocket) -> io::Result<()> {
    if let Some((uid, gid)) = socket.owner {
        let gid = gid.map(Gid::from_raw);
        rustix::fs::chownat(CWD, path, Some(Uid::from_raw(uid)), gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if let Some(mode) = socket.mode {
        rustix::fs::chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::empty())?;
    }
    Ok(())
}

/// The socket that a process has as its descriptor 0.
fn of_process(pid: u32, socket: &FcgiSocket) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let descriptor = rustix::process::pidfd_getfd(&process, 0, PidfdGetfdFlags::empty())?;
    let listens = rustix::net::sockopt::socket_acceptconn(&descriptor)?;
    if listens && Place::of(&socket.url)?.is_of(&descriptor)? {
        Ok(descriptor)
    } else {
        Err(Errno::NOTSOCK.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use ganger_spec::{Autorestart, Command, SupervisorGroup, SupervisorStream};

    fn socket(url: String) -> FcgiSocket {
        FcgiSocket { url, backlog: None, owner: None, mode: Some(0o700) }
    }

    fn group(name: &str, socket: Option<FcgiSocket>) -> Group {
        let mut group = Group::new(name, Command::Line("true".to_owned()), "/");
        group.supervisor = Some(Box::new(SupervisorGroup {
            program: name.to_owned(),
            numprocs_start: 0,
            autorestart: Autorestart::Unexpected,
            exitcodes: vec![0],
            startsecs: 1,
            startretries: 3,
            stopwaitsecs: 10,
            killasgroup: false,
            redirect_stderr: false,
            strip_ansi: false,
            has_directory: false,
            uid: None,
            serverurl: None,
            stdout: SupervisorStream::default(),
            stderr: SupervisorStream::default(),
            listener: None,
            socket,
        }));
        group
    }

    fn spec(groups: Vec<Group>) -> Spec {
        let (app, root) = ("app".to_owned(), "/".into());
        Spec {
            app,
            root,
            sources: vec![],
            env: vec![],
            groups,
            logs_max_total: None,
            forwards: vec![],
            supervisor: None,
            overmind: None,
        }
    }

    fn unix(dir: &tempfile::TempDir, name: &str) -> FcgiSocket {
        socket(format!("unix://{}", dir.path().join(name).display()))
    }

    #[test]
    fn who_connects_while_overseers_come_and_go_waits_in_the_queue() {
        let dir = tempfile::tempdir().unwrap();
        let web = spec(vec![group("web", Some(unix(&dir, "web"))), group("job", None)]);
        let mut first = Sockets::default();
        let kept = first.descriptors();
        first.fit(&web).unwrap();
        let mut client = UnixStream::connect(dir.path().join("web")).unwrap();
        drop(first);
        let copies = kept.iter().map(|one| one.try_clone().unwrap()).collect();
        drop(Sockets::of(copies));
        let mut third = Sockets::of(kept);
        third.fit(&web).unwrap();
        let listener = third.get(&web.groups[0]).unwrap().unwrap();
        let accepted = rustix::net::accept(&listener).unwrap();
        rustix::io::write(&accepted, b"served").unwrap();
        drop(accepted);
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "served");
        assert!(third.get(&web.groups[1]).unwrap().is_none());
    }

    #[test]
    fn a_group_that_is_gone_listens_no_more_and_one_that_is_changed_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut sockets = Sockets::default();
        sockets.descriptors();
        sockets
            .fit(&spec(vec![group("web", Some(unix(&dir, "web"))), group("api", Some(unix(&dir, "api")))]))
            .unwrap();
        let waiting = UnixStream::connect(dir.path().join("web")).unwrap();
        let changed = FcgiSocket { mode: Some(0o770), backlog: Some(7), ..unix(&dir, "web") };
        sockets.fit(&spec(vec![group("web", Some(changed.clone()))])).unwrap();
        assert_eq!(dir.path().join("web").metadata().unwrap().permissions().mode() & 0o777, 0o770);
        let listener = sockets.get(&group("web", Some(changed))).unwrap().unwrap();
        drop(rustix::net::accept(&listener).unwrap());
        drop(waiting);
        assert!(UnixStream::connect(dir.path().join("api")).is_err(), "nobody listens");
    }

    #[test]
    fn a_socket_that_cannot_be_made_changes_nothing_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "mine").unwrap();
        let mut sockets = Sockets::default();
        sockets.fit(&spec(vec![group("web", Some(unix(&dir, "web")))])).unwrap();
        let bad = spec(vec![group("new", Some(unix(&dir, "new"))), group("bad", Some(unix(&dir, "file")))]);
        let error = sockets.fit(&bad).unwrap_err().to_string();
        assert!(error.contains("bad") && error.contains("no socket"), "{error}");
        assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"mine");
        assert!(UnixStream::connect(dir.path().join("web")).is_ok());
        assert!(UnixStream::connect(dir.path().join("new")).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_at_once() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("tcp://localhost:{}", taken.local_addr().unwrap().port());
        let tcp = FcgiSocket { mode: None, ..socket(url) };
        let mut sockets = Sockets::default();
        assert!(sockets.fit(&spec(vec![group("web", Some(tcp.clone()))])).is_err());
        drop(taken);
        sockets.fit(&spec(vec![group("web", Some(tcp))])).unwrap();
    }

    #[test]
    fn an_app_has_as_many_sockets_as_the_bound_says_and_the_bag_holds_them() {
        let dir = tempfile::tempdir().unwrap();
        let many = |count: usize| {
            let one = |n: usize| group(&format!("group{n}"), Some(unix(&dir, &format!("s{n}"))));
            spec((0..count).map(one).collect())
        };
        let mut sockets = Sockets::default();
        let kept = sockets.descriptors();
        assert!(sockets.fit(&many(SOCKETS_MAX + 1)).is_err());
        sockets.fit(&many(SOCKETS_MAX)).unwrap();
        drop(sockets);
        assert_eq!(Sockets::of(kept).held.len(), SOCKETS_MAX);
    }
}
