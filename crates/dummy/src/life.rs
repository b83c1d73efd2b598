//! Living by the script.
#![expect(unsafe_code, reason = "signal dispositions have no safe binding")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{FlockOperation, flock};
use rustix::time::{ClockId, clock_gettime};

use crate::script::Script;

/// Does what the script says.
pub(crate) fn live(script: &Script) -> ExitCode {
    match act(script) {
        Ok(()) => ExitCode::from(script.exit),
        Err(error) => {
            eprintln!("ganger-dummy: {error}");
            ExitCode::from(65)
        }
    }
}

fn act(script: &Script) -> io::Result<()> {
    script.ignore.iter().for_each(|signal| dispose(*signal, libc::SIG_IGN));
    for (signal, code) in &script.on {
        CODES[usize::try_from(*signal).unwrap_or(0) % CODES.len()].store(*code, Ordering::Relaxed);
        dispose(*signal, end as *const () as libc::sighandler_t);
    }
    if let Some(path) = &script.touch {
        File::create(path)?;
    }
    if let Some(path) = &script.stamp {
        stamp(path)?;
    }
    let _lock = script.alone.as_deref().map(stand_alone).transpose()?;
    for name in &script.print_env {
        println!("{}", std::env::var(name).unwrap_or_default());
    }
    if script.straggler || script.straggler_ignore_term || script.leak_pipe {
        leave_straggler(script)?;
    }
    if let Some(path) = &script.wait_for {
        wait_for(path)?;
    }
    if let Some(time) = script.ready_late {
        pause(time);
    }
    let _listener = if script.listen { Some(listen()?) } else { None };
    print_lines(script)?;
    if let Some(text) = &script.partial {
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    if let Some(time) = script.run_for {
        pause(time);
    }
    if let Some(signal) = script.signal_self {
        dispose(signal, libc::SIG_DFL);
        // SAFETY: takes a number.
        unsafe { libc::raise(signal) };
    }
    Ok(())
}

/// The exit code for each signal that has one.
static CODES: [AtomicU8; 65] = [const { AtomicU8::new(0) }; 65];

extern "C" fn end(signal: i32) {
    let code = CODES[usize::try_from(signal).unwrap_or(0) % CODES.len()].load(Ordering::Relaxed);
    // SAFETY: may be called in a signal handler; ends the process.
    unsafe { libc::_exit(code.into()) }
}

fn dispose(signal: i32, disposition: libc::sighandler_t) {
    // SAFETY: the disposition is SIG_IGN, SIG_DFL or `end`, which only does what a handler may.
    unsafe { libc::signal(signal, disposition) };
}

fn stamp(path: &Path) -> io::Result<()> {
    let now = clock_gettime(ClockId::Monotonic);
    let line = format!("{} {}\n", std::process::id(), now.tv_sec * 1_000_000_000 + now.tv_nsec);
    File::options().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

/// A process that lives on, in another session, when this one has ended.
fn leave_straggler(script: &Script) -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--run-for", "forever"]).stdin(Stdio::null());
    if !script.leak_pipe {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    // Inherited, not its own flags: there is no moment at which it does not ignore them yet.
    let ignored: &'static [i32] =
        if script.straggler_ignore_term { &[libc::SIGTERM, libc::SIGINT, libc::SIGHUP] } else { &[] };
    let prepare = move || {
        for signal in ignored {
            dispose(*signal, libc::SIG_IGN);
        }
        rustix::process::setsid().map(drop).map_err(io::Error::from)
    };
    // SAFETY: between fork and exec the closure makes nothing but system calls.
    unsafe { command.pre_exec(prepare) };
    command.spawn().map(drop)
}

/// Waits until the file is there.
fn wait_for(path: &Path) -> io::Result<()> {
    let watcher = inotify::init(CreateFlags::CLOEXEC)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    inotify::add_watch(&watcher, dir, WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
    let mut buffer = [0; 4096];
    while !fs::exists(path)? {
        rustix::io::read(&watcher, &mut buffer)?;
    }
    Ok(())
}

/// Lets time pass; a signal that does not end the process does not end the pause.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let nothing: &mut [PollFd<'_>] = &mut [];
        // Interrupted: the rest of the time is waited for.
        let _: Result<usize, _> = poll(nothing, Some(&timeout));
    }
}

fn listen() -> io::Result<TcpListener> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| io::Error::other("PORT is not set"))?;
    TcpListener::bind(("127.0.0.1", port))
}

/// Takes the lock of our worker, and tells when another run has it.
fn stand_alone(dir: &Path) -> io::Result<File> {
    let worker = std::env::var("GANGER_WORKER").map_err(io::Error::other)?;
    let lock = File::options().create(true).append(true).open(dir.join(&worker))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let line = format!("{worker}, now {}\n", std::process::id());
        File::options().create(true).append(true).open(dir.join("doubled"))?.write_all(line.as_bytes())?;
    }
    Ok(lock)
}

fn print_lines(script: &Script) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let own = std::process::id();
    let tally = script.tally.as_ref().map(|dir| File::create(dir.join(own.to_string()))).transpose()?;
    let start = Instant::now();
    for number in 1..=script.lines {
        let text = if tally.is_some() { format!("{own} {number} ") } else { format!("{number} ") };
        let rest = script.line_length.saturating_sub(text.len() + 1);
        writeln!(out, "{text}{:x<rest$}", "")?;
        if let Some(tally) = &tally {
            out.flush()?;
            tally.write_all_at(&number.to_le_bytes(), 0)?;
        }
        if script.rate > 0 {
            out.flush()?;
            let due =
                Duration::from_nanos(number.saturating_mul(1_000_000_000 / script.rate.min(1_000_000_000)));
            pause(due.saturating_sub(start.elapsed()));
        }
    }
    out.flush()
}
