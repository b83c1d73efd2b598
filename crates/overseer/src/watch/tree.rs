//! The directories that the kernel tells of.
//!
//! 1. A directory is watched first and read then: what comes into it is seen, in one way or the other.
//! 2. What is in a directory that appeared is new. A directory that went, or moved away, takes all below it along.
//! 3. Links to directories are followed where a glob names them, and nowhere else: there are no circles.
//! 4. When the kernel lost count, all is looked at again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ganger_spec::Globs;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::Seen;

/// So many directories are watched at most.
const DIRECTORIES: usize = 200_000;
/// What the kernel tells is read in pieces of so many bytes.
const BUFFER: usize = 64 << 10;

/// What the kernel is asked to tell of a directory.
const MASK: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What happened to the files of a tree.
#[derive(Debug, Default)]
pub(super) struct News {
    /// These changed, came or went, each an absolute path.
    pub(super) paths: Vec<PathBuf>,
    /// These directories moved away, with all that was in them.
    pub(super) moved: Vec<PathBuf>,
    /// The kernel lost count: any may have.
    pub(super) is_lost: bool,
    /// What cannot be watched.
    pub(super) troubles: Vec<Seen>,
}

/// The directories that are watched.
pub(super) struct Tree {
    inotify: OwnedFd,
    scope: Vec<Globs>,
    /// By the kernel's number. A directory has several paths if links lead to it.
    paths: HashMap<i32, BTreeSet<PathBuf>>,
    numbers: BTreeMap<PathBuf, i32>,
    told: BTreeSet<i32>,
}

/// One thing that the kernel told.
struct Told {
    number: i32,
    flags: ReadFlags,
    name: Option<PathBuf>,
}

impl Tree {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            scope: Vec::new(),
            paths: HashMap::new(),
            numbers: BTreeMap::new(),
            told: BTreeSet::new(),
        })
    }

    /// Watches what these globs reach, and nothing else.
    pub(super) fn watch(&mut self, scope: Vec<Globs>) -> News {
        self.scope = scope;
        self.told.clear();
        let mut news = News::default();
        self.look_again(&mut news);
        // What is there at the beginning has not changed.
        news.paths.clear();
        news
    }

    /// Takes what the kernel tells, all of it.
    pub(super) fn hear(&mut self) -> io::Result<News> {
        let mut news = News::default();
        let mut is_torn = false;
        for told in self.read()? {
            if told.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                news.is_lost = true;
                continue;
            }
            let paths: Vec<PathBuf> = self.paths.get(&told.number).into_iter().flatten().cloned().collect();
            if told.flags.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                is_torn |= paths.iter().any(|path| self.is_root(path));
            }
            if told.flags.contains(ReadFlags::IGNORED) {
                self.forget(told.number);
            }
            for dir in paths {
                if let Some(name) = &told.name {
                    self.happened(&dir.join(name), told.flags, &mut news);
                }
            }
        }
        if news.is_lost || is_torn {
            self.look_again(&mut news);
        }
        Ok(news)
    }

    /// What is to be read. Bounded by what the kernel keeps.
    fn read(&self) -> io::Result<Vec<Told>> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut told = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name();
                    let name = name.map(|name| PathBuf::from(OsStr::from_bytes(name.to_bytes())));
                    told.push(Told { number: event.wd(), flags: event.events(), name });
                }
                Err(Errno::WOULDBLOCK) => return Ok(told),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn happened(&mut self, path: &Path, flags: ReadFlags, news: &mut News) {
        let came = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        let went = flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        if went && self.leave(path) && flags.contains(ReadFlags::MOVED_FROM) {
            news.moved.push(path.to_owned());
        }
        if came && self.leads_on(path, flags.contains(ReadFlags::ISDIR)) {
            let mut seen = BTreeSet::new();
            self.descend(path, &mut seen, news);
        }
        let is_meant = !flags.contains(ReadFlags::ISDIR) && self.has(path);
        // What was only just made is told of again when it is written, unless it is a link.
        if is_meant && (!flags.contains(ReadFlags::CREATE) || is_link(path)) {
            news.paths.push(path.to_owned());
        }
    }

    /// Whether a directory is to be looked into.
    fn leads_on(&self, path: &Path, is_dir: bool) -> bool {
        let is_link = || self.scope.iter().any(|globs| globs.names(path)) && path.is_dir();
        self.scope.iter().any(|globs| globs.reaches(path)) && (is_dir || is_link())
    }

    fn has(&self, path: &Path) -> bool {
        self.scope.iter().any(|globs| globs.has(path))
    }

    /// Whether what is watched begins at this directory, or below it.
    fn is_root(&self, path: &Path) -> bool {
        self.scope.iter().flat_map(Globs::roots).any(|root| root.starts_with(path))
    }

    /// Watches all that is reached, and no more than that.
    fn look_again(&mut self, news: &mut News) {
        let mut seen = BTreeSet::new();
        let roots: BTreeSet<PathBuf> = self.scope.iter().flat_map(Globs::roots).collect();
        for root in roots {
            // Of a root that is not there, the nearest that is: it may come.
            if let Some(there) = root.ancestors().find(|path| path.is_dir()) {
                self.descend(there, &mut seen, news);
            }
        }
        let gone: Vec<PathBuf> = self.numbers.keys().filter(|path| !seen.contains(*path)).cloned().collect();
        for path in gone {
            self.let_go(&path);
        }
    }

    /// Watches a directory and what is reached in it; the files in it are news.
    fn descend(&mut self, dir: &Path, seen: &mut BTreeSet<PathBuf>, news: &mut News) {
        let mut open = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            if !seen.insert(dir.clone()) {
                continue;
            }
            match self.add(&dir) {
                Ok(()) => {}
                Err(Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => {
                    if self.told.insert(error.raw_os_error()) {
                        news.troubles.push(trouble(&dir, error));
                    }
                    continue;
                }
            }
            // What cannot be read was told of by `add`, or is gone.
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if self.leads_on(&path, is_dir) {
                    open.push(path);
                } else if !is_dir && self.has(&path) {
                    news.paths.push(path);
                }
            }
        }
    }

    fn add(&mut self, dir: &Path) -> Result<(), Errno> {
        if self.numbers.len() >= DIRECTORIES && !self.numbers.contains_key(dir) {
            return Err(Errno::TOOBIG);
        }
        let number = inotify::add_watch(&self.inotify, dir, MASK)?;
        match self.numbers.insert(dir.to_owned(), number) {
            Some(before) if before != number => self.separate(dir, before),
            Some(_) | None => {}
        }
        self.paths.entry(number).or_default().insert(dir.to_owned());
        Ok(())
    }

    /// A path and all below it is no more; whether it was watched.
    fn leave(&mut self, path: &Path) -> bool {
        let below = self.numbers.range(path.to_owned()..).map(|(path, _)| path);
        let gone: Vec<PathBuf> = below.take_while(|below| below.starts_with(path)).cloned().collect();
        for path in &gone {
            self.let_go(path);
        }
        !gone.is_empty()
    }

    fn let_go(&mut self, path: &Path) {
        if let Some(number) = self.numbers.remove(path) {
            self.separate(path, number);
        }
    }

    /// A directory of this number is not at this path any more.
    fn separate(&mut self, path: &Path, number: i32) {
        let Some(paths) = self.paths.get_mut(&number) else { return };
        paths.remove(path);
        if paths.is_empty() {
            self.paths.remove(&number);
            // It fails if the directory is gone, and the watch with it.
            let _ = inotify::remove_watch(&self.inotify, number);
        }
    }

    /// The kernel does not tell of this one any more.
    fn forget(&mut self, number: i32) {
        for path in self.paths.remove(&number).into_iter().flatten() {
            if self.numbers.get(&path) == Some(&number) {
                self.numbers.remove(&path);
            }
        }
    }

    /// What is watched.
    pub(super) fn directories(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.numbers.keys().map(PathBuf::as_path)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Whether a new name is another one of something that is there: nothing is written then.
fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_symlink() || data.nlink() > 1)
}

fn limit(name: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc/sys/fs/inotify").join(name));
    text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn trouble(dir: &Path, error: Errno) -> Seen {
    let narrower = "watch fewer directories: narrow the globs, or name what does not matter in `ignore`";
    let (why, hint) = match error {
        Errno::NOSPC => (
            format!(
                "the kernel watches no more directories for you (max_user_watches is {})",
                limit("max_user_watches")
            ),
            format!("{narrower}; or allow more: `sysctl fs.inotify.max_user_watches=524288`"),
        ),
        Errno::TOOBIG => (format!("more than {DIRECTORIES} directories"), narrower.to_owned()),
        Errno::ACCESS => {
            ("it may not be read".to_owned(), "let ganger's user read it, or name it in `ignore`".to_owned())
        }
        other => (io::Error::from(other).to_string(), narrower.to_owned()),
    };
    let text = format!("not all files are watched: {}: {why}", dir.display());
    Seen::Trouble { text, hint: Some(hint) }
}

/// Nothing can be watched at all.
pub(super) fn no_inotify(error: &io::Error) -> Seen {
    let is_limit = error.raw_os_error() == Some(Errno::MFILE.raw_os_error());
    let hint = is_limit.then(|| {
        let most = limit("max_user_instances");
        format!("allow more: `sysctl fs.inotify.max_user_instances=1024` (it is {most}), or raise the limit of open files")
    });
    Seen::Trouble { text: format!("no files are watched: {error}"), hint }
}
