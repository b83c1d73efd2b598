//! The thread that waits for changes.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ganger_spec::{FileWatch, Globs};

use super::quiet::{Due, LONGEST_WAIT, Quiet};
use super::tree::{News, Tree, no_inotify};
use super::{Order, Orders, Seen, Tell, Watched};

pub(super) struct Thread {
    orders: Arc<Orders>,
    tell: Tell,
    tree: Tree,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    watch: FileWatch,
    globs: Globs,
    quiet: Quiet,
}

impl Thread {
    pub(super) fn new(orders: Arc<Orders>, tell: Tell) -> io::Result<Self> {
        Ok(Self { orders, tell, tree: Tree::new()?, groups: Vec::new() })
    }

    /// Watches until it is told to leave.
    pub(super) fn run(&mut self, watched: Watched) {
        self.watch(watched);
        loop {
            match self.orders.take() {
                Some(Order::Watch(watched)) => self.watch(watched),
                Some(Order::Leave) => return,
                None => {}
            }
            let due = self.groups.iter().filter_map(|group| group.quiet.due_at()).min();
            let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
            let heard = self.orders.wait(self.tree.as_fd(), timeout).and_then(|()| self.tree.hear());
            match heard {
                Ok(news) => self.took(&news),
                Err(error) => return (self.tell)(no_inotify(&error)),
            }
            self.tell_due(Instant::now());
        }
    }

    /// Watches these groups. What was seen of one that stays is told when it is time.
    fn watch(&mut self, watched: Watched) {
        let mut before = std::mem::take(&mut self.groups);
        for (name, watch) in watched {
            let old = before.iter_mut().find(|group| group.name == name);
            let mut quiet = old.map(|group| std::mem::take(&mut group.quiet)).unwrap_or_default();
            quiet.set(watch.debounce);
            self.groups.push(Group { globs: watch.globs(), name, watch, quiet });
        }
        let news = self.tree.watch(self.groups.iter().map(|group| group.globs.clone()).collect());
        self.took(&news);
        let groups = self.groups.iter().map(|group| group.name.clone()).collect();
        (self.tell)(Seen::Watches { directories: self.tree.directories().len(), groups });
    }

    fn took(&mut self, news: &News) {
        let now = Instant::now();
        for group in &mut self.groups {
            if news.is_lost {
                group.quiet.saw(now, None);
            }
            let files = news.paths.iter().filter(|path| group.globs.has(path));
            let moved = news.moved.iter().filter(|path| group.globs.reaches(path));
            for path in files.chain(moved) {
                group.quiet.saw(now, Some(path));
            }
        }
        news.troubles.iter().for_each(|trouble| (self.tell)(trouble.clone()));
    }

    fn tell_due(&mut self, now: Instant) {
        for group in &mut self.groups {
            let Some(due) = group.quiet.due(now) else { continue };
            if due.is_loop {
                (self.tell)(looping(&group.name, due.path.as_deref().map(|path| group.watch.told(path))));
            }
            (self.tell)(Seen::Changed { group: group.name.clone(), what: told(&group.watch, &due) });
        }
    }
}

fn told(watch: &FileWatch, due: &Due) -> String {
    let Some(path) = &due.path else { return "more files changed than the kernel tells of".to_owned() };
    let path = watch.told(path).display();
    match due.others {
        0 => format!("{path} changed"),
        1 => format!("{path} and another file changed"),
        others => format!("{path} and {others} more files changed"),
    }
}

fn looping(group: &str, path: Option<&Path>) -> Seen {
    let path = path.map_or_else(|| "files".to_owned(), |path| path.display().to_string());
    let often = LONGEST_WAIT.as_secs();
    Seen::Trouble {
        text: format!(
            "{path} changes each time after {group} was told of a change: from now on once in {often} s at most"
        ),
        hint: Some(format!("if {group} writes it itself, name it in the `ignore` of its `watch`")),
    }
}
