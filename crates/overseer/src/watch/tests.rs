//! On the real kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ganger_spec::{Command, Group, Spec};

use super::tree::{News, Tree};
use super::*;

/// Whoever waits longer than that waits in vain.
const DEADLINE: Duration = Duration::from_mins(1);

fn file_watch(base: &Path, globs: &[&str]) -> FileWatch {
    FileWatch {
        base: base.to_owned(),
        globs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
        ignore: vec![".git".to_owned()],
        debounce: Duration::from_millis(1),
        signal: None,
    }
}

/// A tree that watches globs in a directory of its own.
struct Ground {
    dir: tempfile::TempDir,
    tree: Tree,
}

impl Ground {
    fn new(globs: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let mut tree = Tree::new().unwrap();
        let news = tree.watch(vec![file_watch(dir.path(), globs).globs()]);
        assert!(news.paths.is_empty() && news.troubles.is_empty(), "{news:?}");
        Self { dir, tree }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    /// What was told since the last time. All that a system call did is there when it returns.
    fn hear(&mut self) -> News {
        self.tree.hear().unwrap()
    }

    /// The files that changed, by their names.
    fn changed(&mut self) -> Vec<String> {
        let news = self.hear();
        assert!(!news.is_lost && news.troubles.is_empty(), "{news:?}");
        let mut names: Vec<String> = news
            .paths
            .iter()
            .chain(&news.moved)
            .map(|path| path.strip_prefix(self.dir.path()).unwrap().display().to_string())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn directories(&self) -> Vec<String> {
        let below = |path: &&Path| path.strip_prefix(self.dir.path()).map(Path::to_owned);
        self.tree
            .directories()
            .filter_map(|path| below(&path).ok())
            .map(|path| path.display().to_string())
            .collect()
    }
}

#[test]
fn what_is_written_renamed_over_or_removed_has_changed_and_nothing_else() {
    let mut ground = Ground::new(&["app/**/*.rb"], |dir| {
        fs::create_dir_all(dir.join("app/models")).unwrap();
        fs::write(dir.join("app/models/user.rb"), "1").unwrap();
    });
    assert_eq!(ground.directories(), ["", "app", "app/models"]);
    ground.write("app/models/user.rb");
    assert_eq!(ground.changed(), ["app/models/user.rb"]);
    // As editors do.
    ground.write("app/models/user.rb.new");
    assert_eq!(ground.changed(), [""; 0]);
    fs::rename(ground.path("app/models/user.rb.new"), ground.path("app/models/user.rb")).unwrap();
    assert_eq!(ground.changed(), ["app/models/user.rb"]);
    fs::remove_file(ground.path("app/models/user.rb")).unwrap();
    assert_eq!(ground.changed(), ["app/models/user.rb"]);
    fs::read_dir(ground.path("app")).unwrap();
    ground.write("Gemfile");
    ground.write("app/notes.txt");
    assert_eq!(ground.changed(), [""; 0]);
}

#[test]
fn links_change_as_soon_as_they_are_made() {
    let mut ground = Ground::new(&["*.rb"], |dir| fs::write(dir.join("x"), "1").unwrap());
    fs::hard_link(ground.path("x"), ground.path("a.rb")).unwrap();
    std::os::unix::fs::symlink("x", ground.path("b.rb")).unwrap();
    assert_eq!(ground.changed(), ["a.rb", "b.rb"]);
}

#[test]
fn what_is_in_a_new_directory_is_new_however_soon_it_was_written() {
    let mut ground = Ground::new(&["app/**/*.rb"], |_| {});
    // All of it is there before anything was heard.
    ground.write("app/a/b/c.rb");
    ground.write("app/.git/x.rb");
    ground.write("log/x.rb");
    assert_eq!(ground.changed(), ["app/a/b/c.rb"]);
    assert_eq!(ground.directories(), ["", "app", "app/a", "app/a/b"]);
    ground.write("app/a/b/d.rb");
    assert_eq!(ground.changed(), ["app/a/b/d.rb"]);
}

#[test]
fn a_directory_that_moves_away_takes_its_files_along() {
    let mut ground = Ground::new(&["app/**/*.rb"], |dir| {
        fs::create_dir_all(dir.join("app/a/b")).unwrap();
        fs::write(dir.join("app/a/b/c.rb"), "1").unwrap();
    });
    fs::rename(ground.path("app/a"), ground.path("away")).unwrap();
    assert_eq!(ground.changed(), ["app/a"]);
    assert_eq!(ground.directories(), ["", "app"]);
    ground.write("away/b/c.rb");
    assert_eq!(ground.changed(), [""; 0]);
    fs::rename(ground.path("away"), ground.path("app/z")).unwrap();
    assert_eq!(ground.changed(), ["app/z/b/c.rb"]);
    ground.write("app/z/b/c.rb");
    assert_eq!(ground.changed(), ["app/z/b/c.rb"]);
}

#[test]
fn a_directory_that_went_and_came_back_is_watched_again() {
    let mut ground = Ground::new(&["app/*.rb"], |dir| {
        fs::create_dir(dir.join("app")).unwrap();
        fs::write(dir.join("app/a.rb"), "1").unwrap();
    });
    fs::remove_dir_all(ground.path("app")).unwrap();
    assert_eq!(ground.changed(), ["app/a.rb"]);
    ground.write("app/a.rb");
    assert_eq!(ground.changed(), ["app/a.rb"]);
    // The app's directory too.
    fs::remove_dir_all(ground.dir.path()).unwrap();
    assert_eq!(ground.changed(), ["app/a.rb"]);
    ground.write("app/a.rb");
    ground.changed();
    ground.write("app/b.rb");
    assert_eq!(ground.changed(), ["app/b.rb"]);
}

#[test]
fn a_link_that_a_glob_names_is_followed_and_a_circle_is_not() {
    let mut ground = Ground::new(&["current/app/**"], |dir| {
        for release in ["1", "2"] {
            fs::create_dir_all(dir.join(release).join("app")).unwrap();
            fs::write(dir.join(release).join("app/a"), "1").unwrap();
        }
        std::os::unix::fs::symlink(dir.join("1/app"), dir.join("1/app/circle")).unwrap();
        std::os::unix::fs::symlink("1", dir.join("current")).unwrap();
    });
    assert_eq!(ground.directories(), ["", "current", "current/app"]);
    ground.write("1/app/a");
    assert_eq!(ground.changed(), ["current/app/a"]);
    std::os::unix::fs::symlink("2", ground.path("next")).unwrap();
    fs::rename(ground.path("next"), ground.path("current")).unwrap();
    assert_eq!(ground.changed(), ["current/app/a"]);
    ground.write("1/app/a");
    assert_eq!(ground.changed(), [""; 0]);
    ground.write("2/app/a");
    assert_eq!(ground.changed(), ["current/app/a"]);
}

#[test]
fn other_globs_watch_other_directories_and_what_is_there_has_not_changed() {
    let mut ground = Ground::new(&["app/**"], |dir| {
        for name in ["app/x", "lib/y"] {
            fs::create_dir_all(dir.join(name)).unwrap();
            fs::write(dir.join(name).join("a"), "1").unwrap();
        }
    });
    let scope = file_watch(ground.dir.path(), &["lib/**"]).globs();
    let news = ground.tree.watch(vec![scope]);
    assert!(news.paths.is_empty(), "{news:?}");
    assert_eq!(ground.directories(), ["", "lib", "lib/y"]);
    ground.write("app/x/a");
    assert_eq!(ground.changed(), [""; 0]);
    ground.write("lib/y/a");
    assert_eq!(ground.changed(), ["lib/y/a"]);
}

#[test]
fn when_the_kernel_loses_count_all_is_looked_at_again() {
    let mut ground = Ground::new(&["**"], |_| {});
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    // Made and written are two.
    for number in 0..=most.trim().parse::<u32>().unwrap() / 2 {
        fs::write(ground.path(&format!("{number}")), "").unwrap();
    }
    ground.write("late/a");
    assert!(ground.hear().is_lost);
    assert_eq!(ground.directories(), ["", "late"], "a directory that was made meanwhile");
    ground.write("late/b");
    assert_eq!(ground.changed(), ["late/b"]);
}

fn spec(base: &Path, groups: &[(&str, &[&str])]) -> Spec {
    let group = |(name, globs): &(&str, &[&str])| Group {
        watch: (!globs.is_empty()).then(|| file_watch(base, globs)),
        ..Group::new(*name, Command::Line("x".to_owned()), base)
    };
    Spec {
        app: "x".to_owned(),
        root: base.to_owned(),
        sources: Vec::new(),
        env: Vec::new(),
        groups: groups.iter().map(group).collect(),
        logs_max_total: None,
        forwards: Vec::new(),
        supervisor: None,
        overmind: None,
    }
}

fn files() -> (Files, Receiver<Seen>) {
    let (sender, seen) = channel();
    let tell = move || -> Tell {
        let sender = sender.clone();
        Box::new(move |seen| sender.send(seen).unwrap())
    };
    (Files::new(Box::new(tell)), seen)
}

/// Who was told of a change, and of which.
fn told(seen: &Receiver<Seen>) -> (String, String) {
    match seen.recv_timeout(DEADLINE).unwrap() {
        Seen::Changed { group, what } => (group, what),
        other @ (Seen::Trouble { .. } | Seen::Watches { .. }) => panic!("{other:?}"),
    }
}

fn of(group: &str, what: &str) -> (String, String) {
    (group.to_owned(), what.to_owned())
}

fn watches(directories: usize, groups: &[&str]) -> Seen {
    Seen::Watches { directories, groups: groups.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn each_group_is_told_of_its_own_files_and_the_thread_ends_when_nobody_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let (mut files, seen) = files();
    files.keep(&spec(dir.path(), &[("web", &[])]));
    assert!(files.orders.is_none(), "no thread without need");
    files.keep(&spec(dir.path(), &[("web", &["a"]), ("job", &["b"])]));
    assert_eq!(seen.recv_timeout(DEADLINE).unwrap(), watches(1, &["web", "job"]));
    fs::write(dir.path().join("a"), "x").unwrap();
    assert_eq!(told(&seen), of("web", "a changed"));
    fs::write(dir.path().join("b"), "x").unwrap();
    assert_eq!(told(&seen), of("job", "b changed"));
    let orders = Arc::downgrade(files.orders.as_ref().unwrap());
    files.keep(&spec(dir.path(), &[("web", &[])]));
    drop(files);
    assert!(matches!(seen.recv_timeout(DEADLINE), Err(std::sync::mpsc::RecvTimeoutError::Disconnected)));
    assert_eq!(orders.strong_count(), 0);
}
