//! A soak: workers crash, are killed, scaled, restarted and reloaded, and processes of ganger's are killed or stand
//! still, at random, for as long as one likes. At the end the books balance, and nothing has leaked.
//!
//! `GANGER_SOAK_MINUTES` says how long; without it a few deeds are done. `GANGER_SEED` says which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ganger_testkit::{Deadline, Running, Sandbox, Watched, signal, wait_for_file, wait_gone};
use rustix::process::Signal;

use crate::books;
use crate::victim::{GANGER, Victim, parts};

/// Deeds of a soak that has no time.
const FEW: u32 = 25;
/// What is there at first is measured after so many deeds.
const WARM: u32 = 10;
/// Writes to logs between two deeds.
const WRITES: u32 = 100;
/// Workers of the loud group whenever something is measured.
const LOUD: usize = 12;
/// Workers that have a child in a session of its own, and those that crash.
const OTHERS: usize = 2;
/// A keeper makes these when it first needs them, one of each: it watches with the one when cgroups become empty, and with
/// the other when those end that it adopted. No other kind may become more.
const MADE_WHEN_NEEDED: [&str; 2] = ["anon_inode:inotify", "anon_inode:[eventpoll]"];
/// A keeper may grow by this much over any time: what its allocator holds varies.
const KEEPER_GROWTH_KIB: u64 = 512;
/// No keeper has more of its own, whether it began as one or took the place of another.
const KEEPER_KIB: u64 = 4 << 10;
/// An overseer remembers the latest 10,000 events, and no more.
const OVERSEER_GROWTH_KIB: u64 = 12 << 10;
/// An overseer without workers, and what each worker that writes needs of it: its pipe, its process, its log and the log's
/// index; and the printer the log it reads, amid a rotation the one before it.
const OVERSEER_DESCRIPTORS: usize = 40 + 5 * (LOUD + 2 * OTHERS);

/// Who dies of an app in a terminal, and of one in the background.
const IN_TERMINAL: [Victim; 2] = [Victim::Overseer, Victim::StillOverseer];
const IN_BACKGROUND: [Victim; 5] =
    [Victim::Overseer, Victim::StillOverseer, Victim::Keeper, Victim::Both, Victim::All];

/// What ganger's processes hold while the same workers run.
#[derive(Clone, Debug)]
struct Holdings {
    keeper: i32,
    /// How many there are of each kind.
    keeper_descriptors: BTreeMap<String, usize>,
    keeper_kib: u64,
    overseer_descriptors: BTreeMap<String, usize>,
    overseer_kib: u64,
}

struct Soak {
    sandbox: Sandbox,
    running: Running,
    victims: &'static [Victim],
    /// The app's keepers, one after the other.
    keepers: BTreeSet<i32>,
    seed: u64,
    deaths: u32,
}

#[test]
fn the_books_balance_after_a_soak() {
    soak(&IN_TERMINAL);
}

#[test]
fn the_books_balance_after_a_soak_in_the_background() {
    soak(&IN_BACKGROUND);
}

fn soak(victims: &'static [Victim]) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
    let end =
        number("GANGER_SOAK_MINUTES").map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let seed = std::env::var("GANGER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("GANGER_SEED={seed}");
    let mut soak = Soak::new(seed, victims);
    let (mut deeds, mut first) = (0, None);
    while end.map_or(deeds < FEW, |end| Instant::now() < end || deeds < FEW) {
        soak.deed();
        deeds += 1;
        if deeds == WARM {
            first = Some(soak.holdings());
        }
    }
    let (first, last) = (first.expect("it was warm"), soak.holdings());
    eprintln!("{victims:?}: {deeds} deeds, {} deaths\n{first:?}\n{last:?}", soak.deaths);
    soak.finish();
    let count = |held: &BTreeMap<String, usize>| held.values().sum::<usize>();
    for (kind, held) in &last.keeper_descriptors {
        let before = first.keeper_descriptors.get(kind).copied().unwrap_or(0);
        let may_hold = if MADE_WHEN_NEEDED.contains(&kind.as_str()) { 1 } else { before };
        assert!(*held <= may_hold, "the keeper leaks {kind}: {first:?} {last:?}");
    }
    let held = count(&last.overseer_descriptors);
    assert!(held <= OVERSEER_DESCRIPTORS, "the overseer's descriptors: {last:?}");
    let grown = last.keeper_kib.saturating_sub(first.keeper_kib);
    assert!(
        last.keeper != first.keeper || grown <= KEEPER_GROWTH_KIB,
        "the keeper grows: {first:?} {last:?}"
    );
    assert!(last.keeper_kib <= KEEPER_KIB, "the keeper has too much: {last:?}");
    assert!(
        last.overseer_kib <= first.overseer_kib + OVERSEER_GROWTH_KIB,
        "the overseer grows: {first:?} {last:?}"
    );
}

impl Soak {
    fn new(seed: u64, victims: &'static [Victim]) -> Self {
        let sandbox = Sandbox::new(GANGER);
        books::keep(&sandbox);
        let books = format!("{} {}", sandbox.dummy(), books::FLAGS);
        let endless = "--lines 1000000000 --line-length 100 --rate 50";
        sandbox.procfile(&format!(
            "loud: {books} {endless}\nfork: {books} --straggler {endless}\n\
             crash: {books} --lines 5 --line-length 100 --rate 500 --exit 1"
        ));
        let group = |name: &str, count: usize| {
            format!(
                "[groups.{name}]\ncount = {count}\nrestart = \"always\"\n\
                 backoff = {{ initial = \"100ms\", max = \"2s\" }}\n"
            )
        };
        let groups = [group("loud", LOUD), group("fork", OTHERS), group("crash", OTHERS)].concat();
        sandbox.file("ganger.toml", &format!("[logs]\nmax_size = 100_000\nkeep = 1000\n{groups}"));
        let words: &[&str] = if in_background(victims) { &["start", "-D"] } else { &["start"] };
        // Half an hour of lines is in the files; what is printed of it is not needed.
        let unheard = ["sh", "-c", "exec \"$@\" > /dev/null", "sh"];
        let running = sandbox.ganger_with(words).through(unheard).start();
        let up = |text: &str| text.lines().count() >= LOUD + 2 * OTHERS;
        let started = wait_for_file(sandbox.path("starts"), Deadline::generous(), up);
        assert!(started.is_ok(), "{started:?}");
        let keepers = BTreeSet::from([parts(&sandbox)[0]]);
        Self { sandbox, running, victims, keepers, seed, deaths: 0 }
    }

    /// A number below `bound`.
    fn chance(&mut self, bound: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed >> 33) % (bound as u64)).expect("below the bound")
    }

    /// Runs a command to its end. One of a worker that crashes may fail.
    fn told(&self, words: &[&str]) {
        let finished = self.sandbox.ganger_with(words).run();
        let excused = finished.errors.is_empty();
        assert!(finished.code() == 0 || excused, "{words:?}: {finished}");
    }

    /// Something that happens to an app.
    fn deed(&mut self) {
        match self.chance(9) {
            0 => {
                let count = 1 + self.chance(2 * LOUD);
                self.told(&["scale", &format!("loud={count}")]);
            }
            1 => {
                self.sandbox.file(".env", &format!("COLOUR={}\n", self.seed));
                self.told(&["reload"]);
            }
            2 => self.told(&["restart", "fork"]),
            3 => {
                self.told(&["stop", "loud"]);
                self.told(&["start", "loud"]);
            }
            4 | 5 => self.kill_worker(),
            6 | 7 => {
                self.deaths += 1;
                let victim = self.victims[self.chance(self.victims.len())];
                if victim.leaves_nobody() {
                    self.told(&["stop", "crash"]);
                }
                victim.strike(&self.sandbox);
                // It answers again: there is an overseer.
                self.told(&["ps"]);
                if victim.leaves_nobody() {
                    self.told(&["start", "crash"]);
                }
                self.keepers.insert(parts(&self.sandbox)[0]);
            }
            _ => self.told(&["restart", "loud.1"]),
        }
        self.wait_for_lines();
    }

    fn kill_worker(&mut self) {
        let alive: Vec<i32> = self
            .sandbox
            .census()
            .iter()
            .filter(|process| process.command.contains("--rate 50"))
            .map(|p| p.pid)
            .collect();
        if let Some(pid) = alive.get(self.chance(alive.len().max(1))) {
            ganger_testkit::signal(*pid, Signal::KILL);
        }
    }

    /// The next deed comes when so much was written: in half a second or so.
    fn wait_for_lines(&self) {
        let watched = Watched::new(self.sandbox.state().join("logs"));
        for _ in 0..WRITES {
            assert!(watched.wait_name(Deadline::generous(), is_log), "nobody writes");
        }
    }

    /// What ganger holds once the same workers run as at any other time.
    fn holdings(&self) -> Holdings {
        // A keeper holds the output of those that it started, stopped ones too: all of them, at any such time.
        self.told(&["restart", "crash"]);
        self.told(&["stop", "crash"]);
        self.told(&["scale", &format!("loud={LOUD}")]);
        self.told(&["start", "loud", "fork"]);
        // A keeper holds more for those that it adopted than for its children.
        self.told(&["restart", "loud", "fork"]);
        let all = self.sandbox.run(["ps", "--json"]).json();
        let workers = all["workers"].as_array().expect("workers");
        let up = workers.iter().filter(|worker| worker["pid"].is_number()).count();
        assert_eq!(up, LOUD + OTHERS, "{all:#}");
        let [keeper, overseer] = parts(&self.sandbox);
        let holdings = Holdings {
            keeper,
            keeper_descriptors: descriptors(keeper),
            keeper_kib: anonymous(keeper),
            overseer_descriptors: descriptors(overseer),
            overseer_kib: anonymous(overseer),
        };
        self.told(&["start", "crash"]);
        holdings
    }

    fn finish(self) {
        let Self { sandbox, running, .. } = self;
        let [keeper, _] = parts(&sandbox);
        signal(keeper, Signal::INT);
        assert!(wait_gone(keeper, Deadline::generous()), "it does not end");
        sandbox.assert_nothing_left();
        let left: Vec<PathBuf> = self.keepers.iter().flat_map(|keeper| cgroups(*keeper)).collect();
        let finished = running.finish(Deadline::generous());
        // `start -D` says by its status that some of what it started crash.
        assert!(finished.code() == 0 || in_background(self.victims), "{finished}");
        let wrong = books::audit(&sandbox, &books::starts(&sandbox.read("starts")));
        eprintln!("{}", books::tally(self.deaths, &wrong));
        assert!(wrong.is_empty(), "the books do not balance: {wrong:#?}\n{finished}");
        assert_eq!(left, Vec::<PathBuf>::new(), "cgroups are left");
    }
}

/// Whether the app is to be in the background for those who die.
fn in_background(victims: &[Victim]) -> bool {
    victims.iter().any(|victim| victim.in_background())
}

/// Whether a file is one that a log is written to now.
fn is_log(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "log")
}

/// What a process has open: how many of each kind.
fn descriptors(pid: i32) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok) {
        let target = fs::read_link(entry.path()).unwrap_or_default().to_string_lossy().into_owned();
        // Those of a kind differ in a number, such as that of a worker.
        let kind: String = target.chars().filter(|character| !character.is_ascii_digit()).collect();
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn anonymous(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Directories for the runs of this keeper.
fn cgroups(keeper: i32) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == format!("ganger.{keeper}") || name.starts_with(&format!("ganger.{keeper}.")) {
                found.push(entry.path());
            }
            directories.push(entry.path());
        }
    }
    found
}
