//! The apps that run on this machine, and which of them is meant.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::limits::{MAX_APP_FILE_BYTES, MAX_APPS};
use crate::place::DAEMON_ID;
use crate::{AppFile, Environment, MAIN_DEPLOYMENT, Place, PlaceError};

/// The apps of this user that run, in the order of their ids.
pub fn running(environment: &Environment) -> Vec<(Place, AppFile)> {
    let (base, Ok(state)) = (environment.runtime_base(), environment.state_base()) else { return Vec::new() };
    let Ok(entries) = base.read_dir() else { return Vec::new() };
    let ids = entries.take(MAX_APPS).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ids = ids.filter(|id| id != DAEMON_ID);
    let places = ids.map(|id| Place { runtime: base.join(&id), state: state.join(&id), id });
    let mut apps: Vec<_> = places.filter_map(|place| Some((read_app_file(&place)?, place))).collect();
    apps.retain(|(file, place)| is_alive(place, file));
    apps.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    apps.into_iter().map(|(file, place)| (place, file)).collect()
}

impl Place {
    /// The running app that is meant: `app` by its name, directory or id; without it, that of `cwd` or of the
    /// nearest directory above.
    pub fn find(
        app: Option<&str>,
        cwd: &Path,
        environment: &Environment,
    ) -> Result<(Self, AppFile), PlaceError> {
        let apps = running(environment);
        match app {
            Some(app) => by_name(app, cwd, apps),
            None => by_directory(cwd, apps),
        }
    }
}

fn by_directory(cwd: &Path, apps: Vec<(Place, AppFile)>) -> Result<(Place, AppFile), PlaceError> {
    let here = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    // Of several deployments the main one is meant.
    let depth =
        |(place, file): &(Place, AppFile)| (file.root.components().count(), place.is_main_of(&file.root));
    let hint = hint(&apps);
    let above = apps.into_iter().filter(|(_, file)| here.starts_with(&file.root));
    above.max_by_key(depth).ok_or_else(|| PlaceError::NotFound {
        message: format!("no app is running in {} or above it", cwd.display()),
        hint,
    })
}

fn by_name(app: &str, cwd: &Path, apps: Vec<(Place, AppFile)>) -> Result<(Place, AppFile), PlaceError> {
    let hint = hint(&apps);
    let not_found = |message| Err(PlaceError::NotFound { message, hint });
    let dir = cwd.join(app).canonicalize().ok();
    let exact = |(place, file): &(Place, AppFile)| place.id == app || dir.as_deref() == Some(&file.root);
    if let Some(found) = apps.iter().find(|app| exact(app)) {
        return Ok(found.clone());
    }
    let main = app.strip_suffix(MAIN_DEPLOYMENT).and_then(|name| name.strip_suffix('/'));
    let is_meant = |name: &str| name == app || main == Some(name);
    let mut named: Vec<_> = apps.into_iter().filter(|(_, file)| is_meant(&file.name)).collect();
    match (named.pop(), named.len()) {
        (Some(found), 0) => Ok(found),
        (Some(_), others) => not_found(format!("{} running apps are named {app:?}", others + 1)),
        (None, _) => not_found(format!("no running app is named {app:?}")),
    }
}

fn hint(apps: &[(Place, AppFile)]) -> String {
    if apps.is_empty() {
        return "`ganger start` in the directory of an app starts it".to_owned();
    }
    let names = apps.iter().map(|(place, file)| format!("{} ({})", place.id, file.root.display()));
    format!("name one with --app: {}", names.collect::<Vec<_>>().join(", "))
}

/// What a running app says of itself; none if it does not run.
pub fn read_app_file(place: &Place) -> Option<AppFile> {
    let mut text = String::new();
    File::open(place.app_file()).ok()?.take(MAX_APP_FILE_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether the API answers, or will again: while the overseer is replaced, its keeper lives on.
fn is_alive(place: &Place, file: &AppFile) -> bool {
    UnixStream::connect(place.socket()).is_ok() || lives(file.keeper_pid)
}

/// Whether a process does more than wait to be reaped.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold anything: what follows its last `)` begins with the state.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests;
