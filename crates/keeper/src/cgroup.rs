//! Where the keeper may make cgroups (version 2), each run is born into its own: nothing that it starts can leave,
//! whatever session or parent it takes.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{
    Access, AtFlags, CWD, FlockOperation, Mode, OFlags, accessat, flock, mkdirat, open, openat, statat,
    unlinkat,
};
use rustix::io::{Errno, read};

use crate::processes::Snapshot;
use crate::protocol::RunId;

/// How many directories of earlier keepers with the same PID are stepped over.
const NAMES_TRIED: u32 = 64;
/// What the name of a keeper's directory begins with; its PID follows.
const NAME: &str = "ganger.";
/// How deep a run may nest cgroups of its own before they are left alone.
const DEPTH_MAX: u32 = 16;

/// The links to a directory without others in it.
const NO_DIRECTORIES: u64 = 2;
/// More bytes than the number of one process and the end of its line.
const ONE_NUMBER: usize = 16;

/// The cgroups of all runs, under one directory.
pub(crate) struct Cgroups {
    root: PathBuf,
    /// The same, open. While it is held, no other keeper takes the directory for abandoned.
    lock: OwnedFd,
    /// Tells when one of the watched cgroups gets empty; made when first needed.
    watcher: Option<OwnedFd>,
}

impl Cgroups {
    /// Makes the directory for the runs of this keeper. An error says why there can be none.
    pub(crate) fn create() -> Result<Self, String> {
        let own = own_directory()?;
        remove_stale(&own);
        let pid = std::process::id();
        for number in 0..NAMES_TRIED {
            let name = if number == 0 { format!("{NAME}{pid}") } else { format!("{NAME}{pid}.{number}") };
            let root = own.join(name);
            match fs::create_dir(&root) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(format!("{}: {error}", root.display())),
            }
            // Another keeper may have taken it for abandoned before it was locked.
            if let Some(lock) = lock(&root).filter(|_| root.exists()) {
                return Ok(Self { root, lock, watcher: None });
            }
        }
        Err(format!("{}: too many directories of other keepers", own.display()))
    }

    /// Goes on with the directory of a keeper that is gone: its runs are in there. The lock was that keeper's.
    pub(crate) fn resume(root: &Path) -> Result<Self, String> {
        let failed = |what: &str| format!("{}: {what}", root.display());
        // With nothing in it, another keeper may have taken it for abandoned.
        match fs::create_dir(root) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(&error.to_string())),
            Ok(()) | Err(_) => {}
        }
        let lock = lock(root).ok_or_else(|| failed("another keeper has it"))?;
        Ok(Self { root: root.to_owned(), lock, watcher: None })
    }

    /// The directory of the keeper whose run this process is; none if no keeper put it into a cgroup.
    pub(crate) fn root_of(pid: u32) -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let directory = locate(&mounts, &fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)?;
        let is_root = |path: &&Path| path.file_name().and_then(OsStr::to_str).is_some_and(is_keepers);
        directory.ancestors().skip(1).find(is_root).map(Path::to_owned)
    }

    /// Whether a run has a cgroup here.
    pub(crate) fn has(&self, run: RunId) -> bool {
        self.path(run).is_dir()
    }

    /// Makes the cgroup of a run and opens it, for the clone.
    pub(crate) fn add(&self, run: RunId) -> io::Result<OwnedFd> {
        let name = run.to_string();
        mkdirat(&self.lock, &name, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.lock, &name, flags, Mode::empty())?)
    }

    /// Removes the cgroup of a run if nothing lives in it. Whether it is gone.
    pub(crate) fn remove(&self, run: RunId) -> bool {
        unlinkat(&self.lock, run.to_string(), AtFlags::REMOVEDIR).is_ok()
            || remove(&self.path(run), DEPTH_MAX)
    }

    /// The process that is alone in the cgroup of a run; none if there are others, or none at all.
    pub(crate) fn lone_member(&self, run: RunId) -> Option<u32> {
        let name = run.to_string();
        let directory = statat(&self.lock, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if directory.st_nlink != NO_DIRECTORIES {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let procs = openat(&self.lock, name + "/cgroup.procs", flags, Mode::empty()).ok()?;
        let mut list = [0; ONE_NUMBER];
        let length = read(&procs, &mut list).ok()?;
        let lines = std::str::from_utf8(&list[..length]).ok()?;
        // With one digit to spare it cannot be the beginning of a longer list.
        lines.strip_suffix('\n').filter(|_| length < ONE_NUMBER)?.parse().ok()
    }

    /// Every live process of a run.
    pub(crate) fn members(&self, run: RunId) -> Vec<Snapshot> {
        let mut pids = HashSet::new();
        collect(&self.path(run), DEPTH_MAX, &mut pids);
        pids.into_iter().filter_map(Snapshot::of).filter(|process| !process.is_dead()).collect()
    }

    /// Kills every process of a run at once. False where the kernel cannot: then kill them one by one.
    pub(crate) fn kill(&self, run: RunId) -> bool {
        fs::write(self.path(run).join("cgroup.kill"), "1").is_ok()
    }

    /// Kills every process of every run.
    pub(crate) fn kill_all(&self) {
        // Where the kernel cannot, the walk that follows finds them all the same.
        let _ = fs::write(self.root.join("cgroup.kill"), "1");
    }

    /// From now on the watcher becomes readable when this run's cgroup gets empty, or full.
    pub(crate) fn watch(&mut self, run: RunId) -> Result<(), Errno> {
        let watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
        };
        let events = self.path(run).join("cgroup.events");
        inotify::add_watch(self.watcher.insert(watcher), events, WatchFlags::MODIFY)?;
        Ok(())
    }

    /// What to wait for.
    pub(crate) fn watcher(&self) -> Option<BorrowedFd<'_>> {
        self.watcher.as_ref().map(AsFd::as_fd)
    }

    /// Makes the watcher quiet. What it says is not needed: who is told of looks at every watched run.
    pub(crate) fn quiet(&self) {
        let Some(watcher) = &self.watcher else { return };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watcher, &mut buffer);
        while reader.next().is_ok() {}
    }

    /// The run in whose cgroup a process is.
    pub(crate) fn run_of(&self, pid: u32) -> Option<RunId> {
        let name = self.root.file_name()?.to_str()?;
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mut parts = path.split('/').skip_while(|part| *part != name).skip(1);
        parts.next()?.parse().ok().map(RunId)
    }

    /// Whether a whole cgroup can be killed at once.
    pub(crate) fn can_kill(&self) -> bool {
        self.root.join("cgroup.kill").exists()
    }

    /// Where the runs' cgroups are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, run: RunId) -> PathBuf {
        self.root.join(run.to_string())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        remove(&self.root, DEPTH_MAX);
    }
}

/// Removes what keepers left that were killed. A directory in which something lives stays: so do the runs in it. The
/// lock tells, not the PID in the name: that may be of another namespace.
fn remove_stale(own: &Path) {
    for directory in directories(own) {
        let name = directory.file_name().and_then(OsStr::to_str);
        if name.is_some_and(is_keepers)
            && let Some(_lock) = lock(&directory)
        {
            remove(&directory, DEPTH_MAX);
        }
    }
}

/// Whether a directory is some keeper's.
fn is_keepers(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Takes a directory, if no keeper has it.
fn lock(directory: &Path) -> Option<OwnedFd> {
    let opened = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    flock(&opened, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(opened)
}

/// Where the cgroups of runs are, for those that only look.
pub struct RunCgroups {
    mounts: String,
}

impl RunCgroups {
    /// Reads which file systems are mounted.
    pub fn read() -> Self {
        // Without it, no run is found in a cgroup.
        Self { mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default() }
    }

    /// The cgroup that a keeper made for the run of this process, if it is in one.
    pub fn of(&self, pid: u32) -> Option<PathBuf> {
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let directory = locate(&self.mounts, &cgroup)?;
        run_directory(&directory).map(Path::to_owned)
    }

    /// Whether processes lived in the cgroup of a run, below that of its keeper, and none does any more.
    pub fn is_over(keepers: &Path, run: RunId) -> bool {
        let cgroup = keepers.join(run.to_string());
        let says = |file: &str, line: &dyn Fn(&str) -> bool| {
            fs::read_to_string(cgroup.join(file)).is_ok_and(|text| text.lines().any(line))
        };
        let used = |line: &str| line.strip_prefix("usage_usec ").is_some_and(|used| used != "0");
        // Nobody is born into it after its keeper is gone: who has used it and is not there has ended.
        says("cpu.stat", &used) && says("cgroup.events", &|line| line == "populated 0")
    }

    /// Every process in a cgroup and those below it.
    pub fn members(cgroup: &Path) -> HashSet<u32> {
        let mut pids = HashSet::new();
        collect(cgroup, DEPTH_MAX, &mut pids);
        pids
    }
}

/// The run's directory, in that of a keeper, at or above a cgroup; the outermost where keepers are nested.
fn run_directory(cgroup: &Path) -> Option<&Path> {
    let is_keepers = |path: &Path| {
        let number = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(NAME));
        number.is_some_and(|number| number.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    cgroup.ancestors().filter(|path| path.parent().is_some_and(is_keepers)).last()
}

/// Removes a cgroup with those below it. Files in it vanish by themselves.
fn remove(path: &Path, depth: u32) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(_) if depth == 0 => false,
        Err(_) => {
            let below = directories(path);
            !below.is_empty()
                && below.iter().all(|directory| remove(directory, depth - 1))
                && fs::remove_dir(path).is_ok()
        }
    }
}

fn collect(path: &Path, depth: u32, pids: &mut HashSet<u32>) {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    // A process of another PID namespace is listed as 0.
    pids.extend(list.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
    if depth > 0 && has_directories(path) {
        for directory in directories(path) {
            collect(&directory, depth - 1, pids);
        }
    }
}

/// Whether a cgroup has others below it: each of them is a link to it, beside the two that every directory has.
fn has_directories(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|directory| directory.nlink() != NO_DIRECTORIES)
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}

/// The directory of our own cgroup, if processes can be put below it.
fn own_directory() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("mountinfo: {error}"))?;
    let cgroup = fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("cgroup: {error}"))?;
    let directory = locate(&mounts, &cgroup).ok_or("no cgroup2 file system is mounted")?;
    let procs = directory.join("cgroup.procs");
    match accessat(CWD, &procs, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(directory),
        Err(errno) => Err(format!("{}: {errno}", procs.display())),
    }
}

/// Finds our cgroup among the mounts: the mount may show only a part of the hierarchy.
fn locate(mounts: &str, cgroup: &str) -> Option<PathBuf> {
    let own = Path::new(cgroup.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
        let below = own.strip_prefix(&root).ok().filter(|_| kind.starts_with("cgroup2 "))?;
        Some(Path::new(&point).join(below))
    })
}

/// The kernel writes spaces and the like as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup_is_found_below_a_hybrid_mount() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw\n";
        let found = locate(mounts, "4:memory:/x\n0::/user/one\n");
        assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/uni fied/user/one")));
    }

    #[test]
    fn a_mount_of_a_part_of_the_hierarchy_is_taken_as_such() {
        let mounts = "41 31 0:38 /pod/7 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(locate(mounts, "0::/pod/7/app\n"), Some(PathBuf::from("/sys/fs/cgroup/app")));
        assert_eq!(locate(mounts, "0::/pod/8\n"), None);
    }

    #[test]
    fn what_a_killed_keeper_left_is_removed_when_nothing_lives_in_it() {
        let own = tempfile::tempdir().unwrap();
        let path = |name: &str| own.path().join(name);
        let dead = u32::MAX;
        let gone = [format!("ganger.{dead}"), format!("ganger.{dead}.1"), format!("ganger.{dead}.2/7/inner")];
        let kept = ["ganger.x".to_owned(), format!("other.{dead}"), "ganger.5".to_owned()];
        let lively = path(&format!("ganger.{dead}.3/7"));
        for name in gone.iter().chain(&kept) {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::create_dir_all(&lively).unwrap();
        fs::write(lively.join("stands for a process"), "").unwrap();
        let _lock = lock(&path("ganger.5")).unwrap();
        remove_stale(own.path());
        let mut left: Vec<_> = fs::read_dir(own.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        let mut expected: Vec<_> = kept.iter().map(OsStr::new).collect();
        let lively = format!("ganger.{dead}.3");
        expected.push(OsStr::new(&lively));
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn the_cgroup_of_a_run_holds_those_that_it_makes() {
        let of = |path: &str| run_directory(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(of("/sys/fs/cgroup/a/ganger.12.1/7").as_deref(), Some("/sys/fs/cgroup/a/ganger.12.1/7"));
        assert_eq!(of("/c/ganger.12/7/ganger.40/2").as_deref(), Some("/c/ganger.12/7"));
        assert_eq!(of("/c/ganger.12"), None);
        assert_eq!(of("/c/ganger.slice/x"), None);
    }

    #[test]
    fn a_run_is_over_when_it_used_its_cgroup_and_nobody_is_there() {
        let keepers = tempfile::tempdir().unwrap();
        let is_over = |usage: &str, populated: &str| {
            let cgroup = keepers.path().join("7");
            fs::create_dir_all(&cgroup).unwrap();
            fs::write(cgroup.join("cpu.stat"), format!("usage_usec {usage}\nuser_usec 0\n")).unwrap();
            fs::write(cgroup.join("cgroup.events"), format!("populated {populated}\nfrozen 0\n")).unwrap();
            RunCgroups::is_over(keepers.path(), RunId(7))
        };
        assert!(is_over("312", "0"));
        assert!(!is_over("312", "1"), "it lives");
        assert!(!is_over("0", "0"), "nobody was born into it yet");
        assert!(!RunCgroups::is_over(keepers.path(), RunId(8)), "it was not even asked for, or is forgotten");
    }

    #[test]
    fn without_version_two_there_is_none() {
        assert_eq!(locate("1 2 0:3 / /c rw - cgroup cgroup rw,cpu\n", "0::/\n"), None);
        assert_eq!(locate("41 31 0:38 / /c rw - cgroup2 cgroup rw\n", "1:cpu:/\n"), None);
    }
}
