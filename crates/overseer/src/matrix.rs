//! What earlier versions wrote is read by this one. `tests/vX.Y.Z` is what a version that was released left of an app that
//! was started, scaled, stopped and restarted in part; it is never changed. A release adds a directory.

use std::path::{Path, PathBuf};

use ganger_api::{AppFile, Place, Time};
use ganger_core::{Core, Instant, Record};
use ganger_spec::WorkerName;

use crate::journal::Journal;
use crate::ledger::{self, Ledger};
use crate::office::entries_in;
use crate::wishes::WishFile;
use crate::{can_go_on, roster};

/// A copy of what each version left, for reading may change it.
fn left() -> Vec<(PathBuf, tempfile::TempDir)> {
    let versions = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
    let versions: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path()).collect();
    assert!(!versions.is_empty());
    let copied = versions.into_iter().map(|version| {
        let dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(&version).unwrap() {
            let path = file.unwrap().path();
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        (version, dir)
    });
    copied.collect()
}

fn place(dir: &Path) -> Place {
    Place { id: "shop".to_owned(), runtime: dir.to_owned(), state: dir.to_owned() }
}

#[test]
fn a_ledger_of_each_version_gives_the_workers_that_it_had() {
    for (version, dir) in left() {
        let path = place(dir.path()).ledger();
        assert_eq!(ledger::check(&path), Ok(()), "{version:?}");
        let owner = ledger::owner(&path).unwrap();
        let (_, found) = Ledger::open(&path, owner).unwrap();
        assert!(found.damaged.is_none(), "{version:?}: {:?}", found.damaged);
        assert_eq!(found.events.len(), 25, "{version:?}");
        let is_release = |record: &&Record| matches!(record, Record::Release { .. });
        assert_eq!(found.records.iter().filter(is_release).count(), 1);
        let core = Core::restore(7, Instant(0), found.records);
        let told = |group: &str, number| {
            let view = core.worker(&WorkerName::new(group, number)).unwrap();
            (view.pid, view.why.clone())
        };
        assert_eq!(told("web", 1), (Some(23445), "up".to_owned()));
        assert_eq!(told("web", 2), (Some(23311), "up".to_owned()));
        assert_eq!(told("job", 1), (None, "stopped by a command".to_owned()));
        assert!(told("once", 1).1.starts_with("exited with code 3"), "{version:?}");
    }
}

#[test]
fn what_operators_asked_for_under_each_version_is_kept() {
    for (version, dir) in left() {
        let (file, damaged) = WishFile::open(&place(dir.path()).wishes());
        assert!(damaged.is_none(), "{version:?}");
        assert_eq!(file.held().counts["web"].count, 2);
        assert!(file.held().stopped.contains(&WorkerName::new("job", 1)));
    }
}

#[test]
fn the_journal_of_each_version_is_read_and_gone_on_with() {
    for (version, dir) in left() {
        let path = place(dir.path()).events();
        let journal = Journal::open(&path, Vec::new()).unwrap();
        journal.note("another version").unwrap();
        let numbers = journal.after(0, 100).into_iter().map(|event| event.seq);
        assert!(numbers.eq(1..=26), "{version:?}");
        let since = Time(jiff::Timestamp::UNIX_EPOCH);
        let runs = journal.runs_of(&WorkerName::new("once", 1), since, 10);
        assert_eq!((runs.len(), runs[0].run), (1, 3), "{version:?}");
    }
}

#[test]
fn runs_apps_and_who_oversees_them_are_known_from_each_version() {
    for (version, dir) in left() {
        let runs = roster::written(&place(dir.path()).runs());
        let pids: Vec<u32> = runs.iter().map(|run| run.pid).collect();
        assert_eq!(pids, [23115, 23116, 23311, 23445], "{version:?}");
        let text = std::fs::read(place(dir.path()).app_file()).unwrap();
        let app: AppFile = serde_json::from_slice(&text).unwrap();
        assert_eq!((app.name.as_str(), app.keeper_pid), ("shop", 23105));
        let apps = entries_in(&place(dir.path())).unwrap();
        assert_eq!(apps.iter().map(crate::Entry::name).collect::<Vec<_>>(), ["shop/staging", "shop/main"]);
    }
}

#[test]
fn what_this_version_cannot_read_keeps_it_from_taking_over_and_is_left_alone() {
    for (_, dir) in left() {
        let place = place(dir.path());
        can_go_on(&place).unwrap();
        let damages =
            [(place.ledger(), "{\"keeper_pid\":1,\"keeper_started\":1,\"boot\":\"b\"}\nno turn\n{}\n")];
        for (path, text) in damages.into_iter().chain([(place.wishes(), "{\"counts\":7}")]) {
            let good = std::fs::read(&path).unwrap();
            std::fs::write(&path, text).unwrap();
            let why = can_go_on(&place).unwrap_err().to_string();
            assert!(why.contains(&path.display().to_string()), "{why}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            std::fs::write(&path, good).unwrap();
        }
    }
}
