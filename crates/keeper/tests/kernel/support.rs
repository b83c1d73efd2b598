//! A keeper under test: its overseer hands its end of the link to the test, which then plays the overseer.
#![expect(clippy::disallowed_types, reason = "a test starts the keeper itself")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{IoSliceMut, PipeReader, Read, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use ganger_keeper::{
    Event, Exit, KEPT_MAX, Launch, Link, Request, RunId, RunReport, Scope, Step, Upgraded, VERSION,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

/// A wait longer than this fails the test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// The helper.
pub(crate) const HOST: &str = env!("CARGO_BIN_EXE_keeper-host");

pub(crate) const TERM: i32 = 15;
pub(crate) const KILL: i32 = 9;
/// Each way to hold a run.
pub(crate) const BOTH: [Tree; 2] = [Tree::Best, Tree::Walk];

/// How the keeper holds its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// As it finds best: a cgroup where it can make one.
    Best,
    /// By walking the process tree.
    Walk,
}

pub(crate) struct Keeper {
    pub(crate) process: Child,
    pub(crate) link: Link,
    pub(crate) overseer: u32,
    /// What was kept for it.
    pub(crate) kept: Vec<OwnedFd>,
    /// Whether it can use that call, once it said so.
    pub(crate) clone3: bool,
    /// Where its runs' cgroups are, once it said so.
    pub(crate) cgroup: Option<PathBuf>,
    /// How the latest upgrade ended, once it said so.
    pub(crate) upgraded: Option<Upgraded>,
    /// The terminals of workers that the last hello was told of.
    pub(crate) terminals: Vec<(String, OwnedFd)>,
    control: UnixStream,
    listener: UnixListener,
    dir: tempfile::TempDir,
    next: u64,
    ended: bool,
}

impl Keeper {
    pub(crate) fn start(tree: Tree) -> Self {
        Self::start_by(&[], tree)
    }

    /// Starts it by way of another program: `unshare`, `setpriv`.
    pub(crate) fn start_by(wrapper: &[&str], tree: Tree) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        for path in [dir.path(), &path] {
            let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(path, open_to_all).unwrap();
        }
        let words = wrapper.iter().copied().chain([HOST, "keep"]).collect::<Vec<_>>();
        let mut command = command(&words);
        command.arg(&path);
        if tree == Tree::Walk {
            command.env("GANGER_NO_CGROUP", "1");
        }
        let process = command.spawn().unwrap();
        let (link, overseer, kept, control) = accept(&listener);
        Self {
            process,
            link,
            overseer,
            kept,
            clone3: false,
            cgroup: None,
            upgraded: None,
            terminals: Vec::new(),
            control,
            listener,
            dir,
            next: 0,
            ended: false,
        }
    }

    /// Starts one and says hello.
    pub(crate) fn greeted(tree: Tree) -> Self {
        let mut keeper = Self::start(tree);
        assert_eq!(keeper.hello(), []);
        keeper
    }

    pub(crate) fn hello(&mut self) -> Vec<RunReport> {
        self.hello_keeping(&[])
    }

    /// Says hello with descriptors to be kept.
    pub(crate) fn hello_keeping(&mut self, kept: &[BorrowedFd<'_>]) -> Vec<RunReport> {
        self.link.send(&Request::Hello { version: VERSION }, kept).unwrap();
        self.terminals.clear();
        match self.after_terminals() {
            Event::Welcome { version, capabilities, runs, upgraded, .. } => {
                self.upgraded = upgraded;
                assert_eq!(version, VERSION);
                self.clone3 = capabilities.clone3;
                self.cgroup = capabilities.cgroup.map(PathBuf::from);
                runs
            }
            other => panic!("not welcome: {other:?}"),
        }
    }

    /// Takes the terminals that are told of; what is told next.
    fn after_terminals(&mut self) -> Event {
        let limit = Instant::now() + DEADLINE;
        loop {
            match self.link.receive().unwrap() {
                Some((Event::Terminal { worker }, descriptors)) => {
                    self.terminals.extend(descriptors.into_iter().map(|one| (worker.clone(), one)));
                }
                Some((event, _)) => return event,
                None => readable(&self.link, limit),
            }
        }
    }

    /// Kills the keeper and its overseer; the next keeper, which is handed this run. `meanwhile` happens when nobody but
    /// its descriptor watches it.
    pub(crate) fn succeeded(mut self, tree: Tree, run: &RunReport, meanwhile: impl FnOnce()) -> Self {
        self.ended = true;
        let socket = self.listener.local_addr().unwrap().as_pathname().unwrap().to_owned();
        let mut command = command(&[HOST, "adopt"]);
        command.arg(socket).arg(self.cgroup.clone().unwrap_or_default());
        command.args([run.run.to_string(), run.worker.clone()]);
        command.args([run.pid.to_string(), run.started.to_string(), run.tag.clone()]);
        if tree == Tree::Walk {
            command.env("GANGER_NO_CGROUP", "1");
        }
        let (mut watches, its) = pipe().unwrap();
        let mut process = command.stdin(Stdio::piped()).stdout(its).spawn().unwrap();
        drop(command);
        assert_eq!(line(&mut watches), "watches");
        // In this order: a keeper whose overseer dies starts another one, which would connect to us.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        kill_process(pid(self.overseer), Signal::KILL).unwrap();
        meanwhile();
        drop(process.stdin.take());
        let listener = self.listener.try_clone().unwrap();
        let (link, overseer, kept, control) = accept(&listener);
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self {
            process,
            link,
            overseer,
            kept,
            clone3: false,
            cgroup: None,
            upgraded: None,
            terminals: Vec::new(),
            control,
            listener,
            dir,
            next: 0,
            ended: false,
        }
    }

    /// What the keeper knows of its only run, asked by another overseer.
    pub(crate) fn only_run(&mut self) -> RunReport {
        self.kill_overseer();
        self.reconnect();
        let mut runs = self.hello();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    /// Takes the place of an overseer that died.
    pub(crate) fn reconnect(&mut self) {
        (self.link, self.overseer, self.kept, self.control) = accept(&self.listener);
    }

    pub(crate) fn send(&self, request: &Request) {
        self.link.send(request, &[]).unwrap();
    }

    /// Asks if the socket takes it at once.
    pub(crate) fn try_send(&self, request: &Request) -> bool {
        sent(self.link.send(request, &[]))
    }

    /// Asks for a run if the socket takes it at once.
    pub(crate) fn try_spawn(&self, run: u64, worker: &str, launch: Launch) -> bool {
        let null = open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        let request = Request::Spawn { id: run, run: RunId(run), worker: worker.into(), launch };
        sent(self.link.send(&request, &[null.as_fd(), null.as_fd(), null.as_fd()]))
    }

    /// What is there to be read.
    pub(crate) fn event_if_any(&mut self) -> Option<Event> {
        self.link.receive().unwrap().map(|(event, _)| event)
    }

    pub(crate) fn event(&mut self) -> Event {
        let limit = Instant::now() + DEADLINE;
        loop {
            if let Some((event, _)) = self.link.receive().unwrap() {
                return event;
            }
            readable(&self.link, limit);
        }
    }

    pub(crate) fn spawn_to(&mut self, run: u64, worker: &str, launch: Launch, out: &OwnedFd) -> Event {
        let null = open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        self.next += 1;
        let request = Request::Spawn { id: self.next, run: RunId(run), worker: worker.into(), launch };
        self.link.send(&request, &[null.as_fd(), out.as_fd(), out.as_fd()]).unwrap();
        self.event()
    }

    pub(crate) fn spawn(&mut self, run: u64, worker: &str, launch: Launch) -> Event {
        let null = open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        self.spawn_to(run, worker, launch, &null)
    }

    /// Starts a run that must succeed; its process.
    pub(crate) fn run(&mut self, run: u64, worker: &str, launch: Launch) -> u32 {
        match self.spawn(run, worker, launch) {
            Event::Spawned { pid, .. } => pid,
            other => panic!("not spawned: {other:?}"),
        }
    }

    /// Starts a run and gives the end of a pipe on which it writes.
    pub(crate) fn run_read(&mut self, run: u64, worker: &str, launch: Launch) -> (u32, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        match self.spawn_to(run, worker, launch, &writer.into()) {
            Event::Spawned { pid, .. } => (pid, reader),
            other => panic!("not spawned: {other:?}"),
        }
    }

    /// Starts a run with a terminal and gives the side of the screen.
    pub(crate) fn run_on_terminal(&mut self, run: u64, worker: &str, launch: Launch) -> (u32, File) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let screen = openpt(flags).unwrap();
        unlockpt(&screen).unwrap();
        let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
        match self.spawn_with(run, worker, Launch { terminal: true, ..launch }, [&terminal, &screen]) {
            Event::Spawned { pid, .. } => (pid, screen.into()),
            other => panic!("not spawned: {other:?}"),
        }
    }

    /// Asks for a run with a terminal, or what is to be one, and its other side.
    pub(crate) fn spawn_with(
        &mut self,
        run: u64,
        worker: &str,
        launch: Launch,
        [terminal, screen]: [&OwnedFd; 2],
    ) -> Event {
        let null = open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
        self.next += 1;
        let request = Request::Spawn { id: self.next, run: RunId(run), worker: worker.into(), launch };
        self.link.send(&request, &[terminal.as_fd(), screen.as_fd(), null.as_fd()]).unwrap();
        self.event()
    }

    pub(crate) fn signal(&mut self, run: u64, signal: i32, scope: Scope) -> Event {
        self.send(&Request::Signal { id: 77, run: RunId(run), signal, scope });
        self.event()
    }

    pub(crate) fn kill_overseer(&self) {
        kill_process(pid(self.overseer), Signal::KILL).unwrap();
    }

    /// Starts one that has no patience with others, and says hello.
    pub(crate) fn hasty(tree: Tree) -> Self {
        let mut keeper = Self::start_by(&["env", "KEEPER_HOST_HASTY=1"], tree);
        assert_eq!(keeper.hello(), []);
        keeper
    }

    /// Where its overseers connect to.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// Says quit, ends the overseer, and gives the keeper's status.
    pub(crate) fn quit(mut self, status: u8) -> i32 {
        self.send(&Request::Quit { status });
        self.control.write_all(&[0]).unwrap();
        self.wait()
    }

    /// Ends the overseer as if by itself.
    pub(crate) fn end_overseer(&mut self, status: u8) {
        self.control.write_all(&[status]).unwrap();
    }

    pub(crate) fn wait(&mut self) -> i32 {
        self.ended = true;
        self.process.wait().unwrap().code().unwrap()
    }

    /// Kills the keeper itself, with its overseer.
    pub(crate) fn kill(mut self) {
        self.ended = true;
        self.process.kill().unwrap();
    }

    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Whatever it waits for: the test has failed, and must not wait for it too.
            let _ = kill_process(pid(self.overseer), Signal::KILL);
            let _ = self.process.kill();
        } else if !self.ended {
            self.send(&Request::Quit { status: 0 });
            self.control.write_all(&[0]).unwrap();
        }
        self.process.wait().unwrap();
    }
}

/// A program to be started by the test itself.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

fn accept(listener: &UnixListener) -> (Link, u32, Vec<OwnedFd>, UnixStream) {
    readable(listener, Instant::now() + DEADLINE);
    let (stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1 + KEPT_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut rights = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => rights.collect(),
        _ => Vec::new(),
    });
    let link = Link::from(rights.next().unwrap());
    (link, u32::from_le_bytes(bytes), rights.collect(), stream)
}

/// Waits until there is something to read.
pub(crate) fn readable(what: &impl AsFd, limit: Instant) {
    let left = limit.checked_duration_since(Instant::now()).expect("the deadline has passed");
    let timeout = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap() + 1, tv_nsec: 0 };
    poll(&mut [PollFd::new(what, PollFlags::IN)], Some(&timeout)).unwrap();
}

fn sent(result: std::io::Result<()>) -> bool {
    match result {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
        Err(error) => panic!("not sent: {error}"),
    }
}

/// The numbers, one on each line, that come out of a pipe until everybody has closed it.
pub(crate) fn numbers(pipe: &mut PipeReader) -> Vec<u32> {
    let mut text = Vec::new();
    loop {
        readable(pipe, Instant::now() + DEADLINE);
        let mut buffer = [0; 4096];
        match pipe.read(&mut buffer).unwrap() {
            0 => return String::from_utf8(text).unwrap().lines().map(|line| line.parse().unwrap()).collect(),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// The first line that comes out of a pipe.
pub(crate) fn line(pipe: &mut PipeReader) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        readable(pipe, Instant::now() + DEADLINE);
        assert_eq!(pipe.read(&mut byte).unwrap(), 1, "the output ended");
        if byte[0] == b'\n' {
            return String::from_utf8(line).unwrap();
        }
        line.push(byte[0]);
    }
}

/// Waits until a process is gone; its number must not belong to a child of the test.
pub(crate) fn gone(number: u32) {
    if let Ok(pidfd) = rustix::process::pidfd_open(pid(number), rustix::process::PidfdFlags::empty()) {
        let timeout = Timespec { tv_sec: DEADLINE.as_secs().cast_signed(), tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)).unwrap();
        assert_eq!(ready, 1, "process {number} lives on");
    }
}

/// Locks a file that is free, or will be at once: what another thread is just about to start holds all that we hold.
pub(crate) fn locked_in_time(file: File) -> File {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        file.lock().unwrap();
        sender.send(file)
    });
    receiver.recv_timeout(DEADLINE).expect("somebody keeps the lock")
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

pub(crate) fn argv(words: &[&str]) -> Launch {
    Launch {
        argv: words.iter().map(OsString::from).collect(),
        env: vec![format!("PATH={}", std::env::var("PATH").unwrap()).into()],
        dir: "/".into(),
        ..Launch::default()
    }
}

/// A shell script, tagged so that its processes are known.
pub(crate) fn sh(script: &str, tag: &str) -> Launch {
    Launch { tag: tag.into(), ..argv(&["sh", "-c", script]) }
}

pub(crate) fn exited(event: Event) -> (RunId, Exit, Vec<String>) {
    match event {
        Event::Exited { run, exit, leftovers, .. } => {
            (run, exit, leftovers.into_iter().map(|process| process.name).collect())
        }
        other => panic!("not an end: {other:?}"),
    }
}

pub(crate) fn failure(event: Event) -> (Step, i32, bool) {
    match event {
        Event::SpawnFailed { step, errno, transient, .. } => (step, errno, transient),
        other => panic!("not a failure: {other:?}"),
    }
}
