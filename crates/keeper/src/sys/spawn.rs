//! Making a process: everything is prepared before the clone; the child, which borrows our memory while we stand
//! still, does nothing but system calls until it executes the program or reports the step that failed.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr;

use rustix::io::Errno;

use super::child::{self, Child, Failure};
use super::clone::{self, Stack};
use super::descriptors::OpenFiles;
use super::program;
use super::signals::{self, Set};
use crate::protocol::{Launch, Limit, Resource, Step};

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Runs a program that has neither a known format nor a `#!` line, as every shell does.
const SHELL: &str = "/bin/sh";

/// Which session a child is in.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Session {
    /// Ours.
    #[default]
    Ours,
    /// One that it leads.
    Own,
    /// One that it leads, and that is controlled by the terminal that is its standard input.
    OnTerminal,
}

/// What is to become of the child beyond what its launch says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setting<'a> {
    /// Whose session it is in.
    pub(crate) session: Session,
    /// Its standard streams; none means ours.
    pub(crate) stdio: Option<[BorrowedFd<'a>; 3]>,
    /// One more descriptor, which it gets under number 3.
    pub(crate) fourth: Option<BorrowedFd<'a>>,
    /// The cgroup to be born into: its directory.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// The signals that it starts with ignored.
    pub(crate) ignore: &'a [i32],
    /// The limits of open descriptors before we raised ours.
    pub(crate) open_files: Option<OpenFiles>,
    /// Descriptors up to this number stay open until the program executes, so that whoever waits for their end, should
    /// we be killed meanwhile, waits for a child that can be recognized.
    pub(crate) witnesses: RawFd,
    /// The program of this process is executed, and what the launch says first is only its name.
    pub(crate) own_program: bool,
    /// Descriptors that are not marked to be closed stay open, all of them.
    pub(crate) inherit: bool,
}

/// Starts processes. Keeps the stack on which children stand until they execute their program.
pub(crate) struct Spawner {
    stack: Stack,
    /// The signals that do not have their default disposition here.
    changed: Vec<i32>,
}

impl Spawner {
    /// Makes the stack.
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { stack: Stack::new()?, changed: signals::changed() })
    }

    /// Starts one process; returns when its program executes. This process must have a single thread, or the
    /// others must leave signal masks and descriptors alone meanwhile.
    pub(crate) fn spawn(&mut self, launch: &Launch, setting: Setting<'_>) -> Result<u32, Failure> {
        // To the kernel the highest number means that nothing is to change: the run would keep our rights.
        if launch.ids.as_ref().is_some_and(|ids| ids.uid == u32::MAX || ids.gid == u32::MAX) {
            return Err(Failure { step: Step::Request, errno: Errno::INVAL });
        }
        let strings = Strings::of(launch, setting)?;
        let pointers = Pointers::of(&strings);
        let limits = limits(launch, setting.open_files);
        let mut shell_argv = pointers.shell_argv;
        let mut child = Child {
            candidates: &pointers.candidates,
            argv: &pointers.argv,
            shell: strings.shell.as_ptr(),
            shell_argv: &mut shell_argv,
            env: &pointers.env,
            dir: strings.dir.as_ptr(),
            ids: launch.ids.as_ref(),
            umask: launch.umask,
            limits: &limits,
            session: setting.session,
            stdio: setting.stdio.map(|stdio| stdio.map(|descriptor| descriptor.as_raw_fd())),
            fourth: setting.fourth.map(|descriptor| descriptor.as_raw_fd()),
            witnesses: setting.witnesses,
            inherit: setting.inherit,
            join: None,
            changed: &self.changed,
            ignore: if launch.ignore.is_empty() { setting.ignore } else { &launch.ignore },
            failure: None,
        };
        let cgroup = setting.cgroup.map(|cgroup| cgroup.as_raw_fd());
        let mask = Set::full().block();
        let made = make(&mut self.stack, &mut child, cgroup);
        mask.block();
        let pid = made.map_err(|errno| Failure { step: Step::Fork, errno })?;
        let Some(failure) = child.failure else { return Ok(pid) };
        // It has reported and is ending: this wait is as good as over.
        super::wait::wait_for(pid);
        Err(failure)
    }
}

/// Clones, in the best way that this kernel has.
fn make(stack: &mut Stack, child: &mut Child<'_>, cgroup: Option<RawFd>) -> Result<u32, Errno> {
    match clone::into_cgroup(stack, child::main, child, cgroup) {
        // Old kernels and some sandboxes do not have clone3.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
            child.join = cgroup;
            clone::plain(stack, child::main, child)
        }
        made => made,
    }
}

/// The strings of a launch as the kernel takes them.
struct Strings {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    dir: CString,
    shell: CString,
}

impl Strings {
    fn of(launch: &Launch, setting: Setting<'_>) -> Result<Self, Failure> {
        let linked = setting.fourth.is_some();
        let program = launch.argv.first().filter(|program| !program.is_empty());
        let program = program.ok_or(Failure { step: Step::NotFound, errno: Errno::NOENT })?;
        let candidates = if setting.own_program {
            vec![program::OWN.into()]
        } else {
            candidates(program, search_path(&launch.env))
        };
        let mut env = launch
            .env
            .iter()
            .filter(|entry| linked || !is_ours(entry))
            .map(nul_free)
            .collect::<Result<Vec<_>, _>>()?;
        if !launch.tag.is_empty() {
            env.push(nul_free(&OsString::from(format!("{}={}", crate::TAG_VARIABLE, launch.tag)))?);
        }
        Ok(Self {
            candidates: candidates.iter().map(nul_free).collect::<Result<_, _>>()?,
            argv: launch.argv.iter().map(nul_free).collect::<Result<_, _>>()?,
            env,
            dir: nul_free(&launch.dir.clone().into_os_string())?,
            shell: nul_free(&OsString::from(SHELL))?,
        })
    }
}

/// Whether a variable speaks of us: a run must not take another's descriptor number or tag for its own.
fn is_ours(entry: &OsString) -> bool {
    let name = entry.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
    name == crate::DESCRIPTOR_VARIABLE.as_bytes() || name == crate::TAG_VARIABLE.as_bytes()
}

fn nul_free(text: &OsString) -> Result<CString, Failure> {
    CString::new(text.as_bytes()).map_err(|_| Failure { step: Step::Request, errno: Errno::INVAL })
}

fn search_path(env: &[OsString]) -> &OsStr {
    let path = env.iter().rev().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    path.map_or(OsStr::new(DEFAULT_PATH), OsStr::from_bytes)
}

/// Every file that `program` may mean, in the order of `PATH`.
fn candidates(program: &OsStr, path: &OsStr) -> Vec<OsString> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    path.as_bytes()
        .split(|byte| *byte == b':')
        .map(|dir| match dir {
            [] => [b"./", program.as_bytes()].concat(),
            dir => [dir, b"/", program.as_bytes()].concat(),
        })
        .map(OsString::from_vec)
        .collect()
}

/// Arrays of pointers into [`Strings`], each ended by a null.
struct Pointers {
    candidates: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    /// The shell, a place for the script, the arguments.
    shell_argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
}

impl Pointers {
    fn of(strings: &Strings) -> Self {
        let argv = null_ended(&strings.argv);
        let mut shell_argv = vec![strings.shell.as_ptr(), ptr::null()];
        shell_argv.extend_from_slice(argv.get(1..).unwrap_or(&[ptr::null()]));
        Self { candidates: null_ended(&strings.candidates), argv, shell_argv, env: null_ended(&strings.env) }
    }
}

fn null_ended(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// A limit as the kernel takes it.
pub(super) type KernelLimit = (libc::__rlimit_resource_t, libc::rlimit);

fn limits(launch: &Launch, open_files: Option<OpenFiles>) -> Vec<KernelLimit> {
    let restored =
        open_files.map(|(soft, hard)| (libc::RLIMIT_NOFILE, libc::rlimit { rlim_cur: soft, rlim_max: hard }));
    restored.into_iter().chain(launch.limits.iter().map(kernel_limit)).collect()
}

fn kernel_limit(limit: &Limit) -> KernelLimit {
    let resource = match limit.resource {
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::CpuSeconds => libc::RLIMIT_CPU,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    let value = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    (resource, libc::rlimit { rlim_cur: value(limit.soft), rlim_max: value(limit.hard) })
}

/// Signals that a fresh overseer must not die of before it can say so itself.
pub(crate) const OVERSEER_IGNORES: &[i32] = &signals::TERMINAL;
