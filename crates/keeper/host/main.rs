//! The processes that the tests of the keeper are about.
//!
//! - `keeper-host keep SOCKET`: a keeper, whose overseer is `keeper-host overseer SOCKET`. With `KEEPER_HOST_HASTY` in
//!   its environment it has no patience, with
//!   `KEEPER_HOST_NO_CLONE3` it is on an old kernel.
//! - `keeper-host overseer SOCKET`: connects to the test that listens there, hands it its end of the link and what
//!   was kept for it, and ends with the status that the test sends as one byte; with 0 if the test goes away.
//! - `keeper-host fail STATUS`: a keeper whose overseer ends with this status before it says a word.
//! - `keeper-host farewell STATUS`: a keeper whose overseer ends the conversation, prints `last words`, and ends with
//!   this status.
//! - `keeper-host adopt SOCKET CGROUP RUN WORKER PID STARTED TAG`: watches that run, reads its stdin to the end, and
//!   becomes a keeper that is handed it. The CGROUP may be empty.
//! - `keeper-host attempt`: says that it can take a keeper's place if it can read what it would be handed.
//! - `keeper-host state`: prints its descriptors, blocked and ignored signals, session and process group.
//! - `keeper-host limit NEEDED`: raises its limit of descriptors, prints the limit that it has then.
//! - `keeper-host attached PROGRAM ARG…`: runs it in this terminal, prints whom it killed.

use std::ffi::OsString;
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::time::Duration;

use ganger_keeper::{
    HandedRun, Handover, KEPT_MAX, Launch, Link, OverseerCommand, Patience, RunId, keep, keep_patiently,
    raise_descriptor_limit, run_attached, watch,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, sendmsg, shutdown};

/// For a test in which each wait is in vain.
const HASTY: Patience = Patience {
    taken: Duration::from_millis(100),
    hurried: Duration::from_millis(50),
    stop: Duration::from_millis(100),
    quit: Duration::from_millis(100),
    farewell: Duration::from_millis(100),
    stopped: Duration::from_millis(100),
    unread: Duration::from_millis(100),
    attempt: Duration::from_secs(2),
    trial: Duration::from_secs(2),
    stand_by: Duration::from_secs(5),
};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let mode = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match mode.to_str() {
        Some("keep") => keep_with("overseer", args),
        Some("adopt") => adopt(&args),
        Some("fail") => keep_with("end", args),
        Some("end") => status(&args[0]),
        Some("farewell") => keep_with("leave", args),
        Some("leave") => leave(&args[0]),
        Some("overseer") => oversee(&args[0]),
        Some("attempt") => attempt(),
        Some("state") => state(),
        Some("limit") => limit(&args[0]),
        Some("attached") => attached(args),
        _ => ExitCode::from(64),
    }
}

fn keep_with(mode: &str, args: Vec<OsString>) -> ExitCode {
    if std::env::var_os("KEEPER_HOST_NO_CLONE3").is_some() && forbid_clone3().is_err() {
        return ExitCode::from(68);
    }
    let program = std::env::current_exe().unwrap_or_else(|_| exit(65));
    let args = [OsString::from(mode)].into_iter().chain(args).collect();
    let overseer = OverseerCommand { program, args, background: false };
    ExitCode::from(match std::env::var_os("KEEPER_HOST_HASTY") {
        Some(_) => keep_patiently(overseer, HASTY),
        None => keep(overseer),
    })
}

fn attempt() -> ExitCode {
    match ganger_keeper::attempt() {
        Ok(runs) => println!("{runs} runs\n{}", ganger_keeper::ACCEPTS),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}

fn adopt(args: &[OsString]) -> ExitCode {
    let text = |index: usize| args[index].to_string_lossy().into_owned();
    let number = |index: usize| text(index).parse::<u64>().unwrap_or_else(|_| exit(64));
    let (run, pid) = (RunId(number(2)), u32::try_from(number(4)).unwrap_or_else(|_| exit(64)));
    let started = number(5);
    let processes = watch(pid, started).map(|process| (run, process)).into_iter().collect();
    let handed = HandedRun { run, worker: text(3), pid, started, tag: text(6), ..HandedRun::default() };
    let cgroup = Some(args[1].clone().into()).filter(|path: &PathBuf| !path.as_os_str().is_empty());
    let handover = Handover { runs: vec![handed], cgroup, processes, ..Handover::default() };
    println!("watches");
    // The test closes it when the world is as it should be.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let program = std::env::current_exe().unwrap_or_else(|_| exit(65));
    let error = handover.execute(&program, &["keep".into(), args[0].clone()]);
    eprintln!("{error}");
    ExitCode::from(69)
}

/// Makes the kernel answer as one that does not have clone3, to this process and all that it starts.
#[expect(unsafe_code, reason = "a system call filter has no safe binding")]
#[expect(clippy::cast_possible_truncation, reason = "the codes of steps have sixteen bits")]
fn forbid_clone3() -> std::io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let mut steps = [
        step(LOAD, 0, 0),
        step(IF_EQUAL, 1, clone3),
        step(RETURN, 0, unknown),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    rustix::thread::set_no_new_privs(true)?;
    // SAFETY: the program has as many steps as it says, and the kernel copies them.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if set == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn status(number: &OsString) -> ExitCode {
    ExitCode::from(number.to_string_lossy().parse::<u8>().unwrap_or(1))
}

/// Hangs up, and goes on only when the keeper has noticed.
fn leave(number: &OsString) -> ExitCode {
    let Ok(link) = Link::from_env() else { exit(66) };
    let mut noticed = [PollFd::new(&link, PollFlags::IN)];
    if shutdown(&link, Shutdown::Write).and_then(|()| poll(&mut noticed, None)).is_err() {
        return ExitCode::from(67);
    }
    drop(link);
    println!("last words");
    status(number)
}

fn oversee(path: &OsString) -> ExitCode {
    ganger_keeper::ignore_terminal_signals();
    let (Ok(mut link), Ok(mut test)) = (Link::from_env(), UnixStream::connect(path)) else { exit(66) };
    let kept = link.take_kept();
    let rights: Vec<_> = [link.as_fd()].into_iter().chain(kept.iter().map(AsFd::as_fd)).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1 + KEPT_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&rights));
    let pid = std::process::id().to_le_bytes();
    if sendmsg(&test, &[IoSlice::new(&pid)], &mut control, SendFlags::empty()).is_err() {
        return ExitCode::from(67);
    }
    drop(kept);
    let mut status = [0];
    match test.read(&mut status) {
        Ok(1) => ExitCode::from(status[0]),
        Ok(_) | Err(_) => ExitCode::SUCCESS,
    }
}

fn state() -> ExitCode {
    let listed = std::fs::read_dir("/proc/self/fd");
    let names = listed.into_iter().flatten().flatten().filter_map(|entry| {
        let path = std::fs::read_link(entry.path()).ok()?;
        // The directory that is being listed is open too.
        let own = path.ends_with("fd") && path.starts_with("/proc");
        (!own).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    let mut descriptors: Vec<String> = names.collect();
    descriptors.sort();
    println!("descriptors {}", descriptors.join(" "));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = ["SigBlk", "SigIgn", "Uid", "Gid", "Groups"];
    for line in status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))) {
        println!("{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let (own, session) = (rustix::process::getpid(), rustix::process::getsid(None));
    println!("leader {}", session == Ok(own));
    println!("run {}", std::env::var("GANGER_RUN").unwrap_or_default());
    println!("files {:?}", rustix::process::getrlimit(rustix::process::Resource::Nofile).current);
    ExitCode::SUCCESS
}

fn limit(needed: &OsString) -> ExitCode {
    let needed = needed.to_string_lossy().parse().unwrap_or(0);
    match raise_descriptor_limit(needed) {
        Ok(limit) => println!("{limit}"),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}

fn attached(argv: Vec<OsString>) -> ExitCode {
    let entry = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    let env = std::env::vars_os().map(entry).collect();
    match run_attached(&Launch { argv, env, dir: "/".into(), ..Launch::default() }) {
        Ok(ended) => {
            ended.killed.iter().for_each(|process| println!("killed {}", process.name));
            ExitCode::from(ended.status)
        }
        Err(error) => {
            println!("{error}");
            ExitCode::from(error.status())
        }
    }
}
