//! The apps that a daemon oversees, on disk: what an operator added is there after a loss of power.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ganger_api::{ApiError, Environment, ErrorCode, MAIN_DEPLOYMENT, Place};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::aside::{Damaged, set_aside};

/// The most apps of one daemon.
pub(crate) const APPS_MAX: usize = 256;
/// The longest part of a name.
const PART_MAX_BYTES: usize = 40;

/// An app that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, for people.
    pub app: String,
    /// Which of its deployments.
    pub deployment: String,
    /// Its directory: absolute.
    pub root: PathBuf,
    /// What tells its runs from those of others; never given twice.
    pub(crate) slot: u32,
    /// When the keeper started under which it was asked to quit: it stays down as long as that one lives.
    #[serde(default)]
    pub(crate) ended_under: Option<u64>,
}

impl Entry {
    /// `app/deployment`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.app, self.deployment)
    }

    /// Where its things are.
    pub fn place(&self, environment: &Environment) -> Result<Place, ganger_api::PlaceError> {
        Place::of_deployment(&self.root, &self.deployment, environment)
    }
}

/// The apps of the list in this place. Nothing is changed.
pub(crate) fn entries_in(place: &Place) -> Result<Vec<Entry>, Error> {
    let path = place.state.join("apps");
    read(&path).map(|held| held.apps).map_err(|why| {
        let source = io::Error::new(io::ErrorKind::InvalidData, why);
        Error::File { action: "read", path, source }
    })
}

/// The list.
#[derive(Debug)]
pub(crate) struct List {
    path: PathBuf,
    held: Held,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    apps: Vec<Entry>,
    last_slot: u32,
}

impl List {
    /// The list in this place: an empty one where none is. One that makes no sense is put aside.
    pub(crate) fn open(place: &Place) -> (Self, Option<Damaged>) {
        let path = place.state.join("apps");
        let (held, damaged) = match read(&path) {
            Ok(held) => (held, None),
            Err(why) => (Held::default(), Some(set_aside(&path, why))),
        };
        (Self { path, held }, damaged)
    }

    /// The apps, in the order of their names.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = self.held.apps.clone();
        entries.sort_by_key(Entry::name);
        entries
    }

    /// Adds an app; the same one again changes nothing.
    pub(crate) fn add(&mut self, dir: &Path, name: Option<&str>) -> Result<Entry, ApiError> {
        let root = dir.canonicalize().ok().filter(|root| root.is_dir()).ok_or_else(|| {
            bad(format!("{} is no directory", dir.display())).with_hint("name the directory of an app")
        })?;
        let own = || root.file_name().map(|name| name.to_string_lossy().into_owned());
        let (app, deployment) = match name {
            Some(name) => parts(name)?,
            None => (plain(&own().unwrap_or_default()), MAIN_DEPLOYMENT.to_owned()),
        };
        let same = |entry: &&Entry| entry.app == app && entry.deployment == deployment;
        if let Some(found) = self.held.apps.iter().find(same) {
            if found.root == root {
                return Ok(found.clone());
            }
            let other = format!("{} is the app in {}", found.name(), found.root.display());
            return Err(bad(other).with_hint("give this one another name with --as"));
        }
        let twice = |entry: &&Entry| entry.root == root && entry.deployment == deployment;
        if let Some(found) = self.held.apps.iter().find(twice) {
            let other = format!("{} is there as {}", root.display(), found.name());
            let hint = format!("another deployment of it needs another name: --as {}/staging", found.app);
            return Err(bad(other).with_hint(hint));
        }
        if self.held.apps.len() == APPS_MAX {
            return Err(bad(format!("there are {APPS_MAX} apps already, and one daemon takes no more")));
        }
        let slot = self.held.last_slot + 1;
        let entry = Entry { app, deployment, root, slot, ended_under: None };
        let mut held = Held { last_slot: slot, ..self.held.clone() };
        held.apps.push(entry.clone());
        self.hold(held)?;
        Ok(entry)
    }

    /// The app of this name.
    pub(crate) fn find(&self, name: &str) -> Result<Entry, ApiError> {
        let (app, deployment) = parts(name)?;
        let found = self.held.apps.iter().find(|entry| entry.app == app && entry.deployment == deployment);
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = self.entries().iter().map(Entry::name).collect();
            let error = ApiError::new(ErrorCode::UnknownName, format!("no app `{name}` was added"));
            if known.is_empty() { error } else { error.with_hint(format!("known: {}", known.join(", "))) }
        })
    }

    /// Notes that an app was asked to quit under this keeper, or is to run again.
    pub(crate) fn mark(&mut self, slot: u32, ended_under: Option<u64>) -> Result<(), ApiError> {
        let mut held = self.held.clone();
        held.apps
            .iter_mut()
            .filter(|entry| entry.slot == slot)
            .for_each(|entry| entry.ended_under = ended_under);
        if held == self.held { Ok(()) } else { self.hold(held) }
    }

    /// Takes an app off the list. Its state, and what it wrote, stay.
    pub(crate) fn remove(&mut self, slot: u32) -> Result<(), ApiError> {
        let mut held = self.held.clone();
        held.apps.retain(|entry| entry.slot != slot);
        self.hold(held)
    }

    fn hold(&mut self, held: Held) -> Result<(), ApiError> {
        let written = write(&self.path, &held).map_err(|error| {
            let message = format!("cannot write {}: {error}", self.path.display());
            ApiError::new(ErrorCode::Internal, message)
        });
        written.map(|()| self.held = held)
    }
}

fn read(path: &Path) -> Result<Held, String> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Held::default()),
        Err(error) => Err(error.to_string()),
    }
}

fn write(path: &Path, held: &Held) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(held)?)?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// `app/deployment`, or `app` for its main deployment.
fn parts(name: &str) -> Result<(String, String), ApiError> {
    let (app, deployment) = name.split_once('/').unwrap_or((name, MAIN_DEPLOYMENT));
    let is_good = |part: &str| {
        (1..=PART_MAX_BYTES).contains(&part.len()) && plain(part) == part && !part.starts_with(['.', '-'])
    };
    if is_good(app) && is_good(deployment) {
        return Ok((app.to_owned(), deployment.to_owned()));
    }
    Err(bad(format!("{name:?} is no name of an app"))
        .with_hint("write app or app/deployment: letters, digits, `_`, `-` and inner `.`"))
}

/// Other letters made `-`.
fn plain(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    text.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect()
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &Path) -> Place {
        Place { id: "daemon".to_owned(), runtime: dir.to_owned(), state: dir.to_owned() }
    }

    #[test]
    fn apps_and_their_slots_are_read_again_and_no_slot_is_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("shop");
        std::fs::create_dir(&shop).unwrap();
        let (mut list, _) = List::open(&place(dir.path()));
        let main = list.add(&shop, None).unwrap();
        assert_eq!((main.name().as_str(), main.slot), ("shop/main", 1));
        assert_eq!(list.add(&shop, Some("shop")).unwrap(), main, "it is there already");
        let staging = list.add(&shop, Some("shop/staging")).unwrap();
        list.remove(staging.slot).unwrap();
        let (mut again, damaged) = List::open(&place(dir.path()));
        assert!(damaged.is_none());
        assert_eq!(again.entries(), [main]);
        assert_eq!(again.add(&shop, Some("shop/blue")).unwrap().slot, 3);
        assert_eq!(again.find("shop/staging").unwrap_err().code, ErrorCode::UnknownName);
        assert_eq!(again.find("shop").unwrap().slot, 1);
    }

    #[test]
    fn names_and_directories_that_cannot_be_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (mut list, _) = List::open(&place(dir.path()));
        assert!(list.add(&dir.path().join("gone"), None).is_err());
        for name in ["", "a/b/c", "../x", "a/", "/a", "a b", ".a", &"x".repeat(PART_MAX_BYTES + 1)] {
            assert!(list.add(dir.path(), Some(name)).is_err(), "{name:?}");
        }
        list.add(dir.path(), Some("one")).unwrap();
        assert!(list.add(dir.path(), Some("other")).is_err(), "the same place, twice");
    }

    #[test]
    fn a_list_that_makes_no_sense_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("apps"), "what").unwrap();
        let (list, damaged) = List::open(&place(dir.path()));
        assert!(list.entries().is_empty() && damaged.unwrap().kept.is_some());
    }
}
