//! Another program in place of the running one: the overseer's part.
//!
//! 1. Who asks names the program, and a ticket. The keeper tries the program out first; what it finds wrong is the
//!    answer, and nothing was changed.
//! 2. Else this overseer settles what is under way and is ended: its clients find their connections broken, as when an
//!    overseer dies. Who asks again with the same ticket learns from the next overseer how it ended.
//! 3. The next overseer tells the keeper once it has taken up all. Until then the keeper may go back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ganger_api::{ApiError, Data, ErrorCode, Place, UpgradeInfo};
use ganger_keeper::{Bereaved, Request, Upgrade, Upgraded};

use crate::commands::Answer;
use crate::{Error, ledger, wishes};

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the kernel adds to the path of a program whose file is gone.
const GONE: &str = " (deleted)";

/// How another program takes the place of this one.
#[derive(Clone, Debug)]
pub struct Successor {
    /// The arguments with which it becomes the keeper.
    pub keep: Vec<OsString>,
    /// The arguments with which it says whether it could.
    pub attempt: Vec<OsString>,
    /// Who goes on with the runs should it end at once.
    pub bereaved: Bereaved,
}

/// The upgrades of this overseer's life.
#[derive(Debug)]
pub(crate) struct Upgrades {
    /// None for one of several apps: the daemon is upgraded as a whole.
    successor: Option<Successor>,
    keeper_pid: u32,
    /// How the latest one ended.
    latest: Option<Upgraded>,
    /// Who waits for the one that is under way, and its ticket.
    asked: Option<(String, Answer)>,
}

impl Upgrades {
    pub(crate) fn new(successor: Option<Successor>, keeper_pid: u32) -> Self {
        Self { successor, keeper_pid, latest: None, asked: None }
    }

    /// The keeper told how the latest one ended; what is to be said of it, if that is new.
    pub(crate) fn welcome(&mut self, latest: Option<Upgraded>) -> Option<String> {
        self.latest = latest;
        let Upgraded { from, failure, .. } = self.latest.as_ref().filter(|latest| latest.is_fresh)?;
        Some(match failure {
            None => format!("upgraded from ganger {from} to {VERSION}; the workers went on"),
            Some(why) => format!("the upgrade failed: {why}; ganger {VERSION} goes on"),
        })
    }

    /// A client asks for one, or how it ended. What is to be asked of the keeper; none if it is answered already.
    pub(crate) fn request(
        &mut self,
        id: u64,
        program: PathBuf,
        ticket: String,
        answer: Answer,
    ) -> Option<Request> {
        let is_known = |other: &str| !ticket.is_empty() && other == ticket;
        let now = match (&self.latest, &self.asked, &self.successor) {
            (Some(latest), ..) if is_known(&latest.ticket) => self.outcome(latest),
            (_, Some((under_way, _)), _) if is_known(under_way) => {
                self.asked = Some((ticket, answer));
                return None;
            }
            (_, Some(_), _) => Err(ApiError::new(ErrorCode::UpgradeFailed, "another upgrade is under way")),
            (_, None, None) => {
                Err(ApiError::new(ErrorCode::BadRequest, "this is one of several apps of a daemon")
                    .with_hint("the daemon is upgraded as a whole: ask on its own socket"))
            }
            (_, None, Some(successor)) => {
                let Successor { keep, attempt, bereaved } = successor.clone();
                let from = VERSION.to_owned();
                self.asked = Some((ticket.clone(), answer));
                let upgrade = Upgrade { ticket, program, keep, attempt, from, bereaved };
                return Some(Request::Upgrade { id, upgrade });
            }
        };
        // A client that did not wait for its answer is no fault.
        let _ = answer.send(now);
        None
    }

    fn outcome(&self, latest: &Upgraded) -> Result<Data, ApiError> {
        match &latest.failure {
            None => Ok(Data::Upgrade(UpgradeInfo {
                from: latest.from.clone(),
                to: VERSION.to_owned(),
                program: own_path(),
                keeper_pid: self.keeper_pid,
            })),
            Some(why) => Err(ApiError::new(
                ErrorCode::UpgradeFailed,
                format!("{why}; ganger {VERSION} goes on, and so do the workers"),
            )),
        }
    }

    /// The keeper has tried the program out. Whether it is to take our place.
    pub(crate) fn tried(&mut self, failure: Option<String>) -> bool {
        let Some(why) = failure else { return true };
        if let Some((_, answer)) = self.asked.take() {
            let text = format!("the new program cannot take over: {why}");
            let error = ApiError::new(ErrorCode::UpgradeFailed, text);
            let _ = answer.send(Err(error.with_hint("nothing was changed")));
        }
        false
    }
}

/// Where the file of this program is or was.
fn own_path() -> PathBuf {
    let path = std::env::current_exe().unwrap_or_default();
    path.to_str().and_then(|text| text.strip_suffix(GONE)).map(PathBuf::from).unwrap_or(path)
}

/// Whether this program can go on with what an overseer of another version has written of an app.
pub fn can_go_on(place: &Place) -> Result<(), Error> {
    let unreadable = |path: PathBuf| {
        move |why: String| {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why);
            Error::File { action: "read", path, source }
        }
    };
    check(&place.ledger(), ledger::check).map_err(unreadable(place.ledger()))?;
    check(&place.wishes(), wishes::check).map_err(unreadable(place.wishes()))
}

fn check(path: &Path, read: impl Fn(&Path) -> Result<(), String>) -> Result<(), String> {
    if path.exists() { read(path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn upgrades() -> Upgrades {
        let successor =
            Successor { keep: vec!["keep".into()], attempt: Vec::new(), bereaved: Bereaved::GoOn };
        Upgrades::new(Some(successor), 7)
    }

    fn ask(upgrades: &mut Upgrades, ticket: &str) -> (bool, oneshot::Receiver<Result<Data, ApiError>>) {
        let (answer, answered) = oneshot::channel();
        let request = upgrades.request(1, "/new".into(), ticket.to_owned(), answer);
        (request.is_some(), answered)
    }

    fn ended(failure: Option<&str>) -> Upgraded {
        let failure = failure.map(str::to_owned);
        Upgraded { ticket: "a".into(), from: "1.2.3".into(), failure, is_fresh: true }
    }

    #[test]
    fn what_is_asked_again_with_its_ticket_is_answered_and_begins_nothing() {
        let mut upgrades = upgrades();
        upgrades.welcome(Some(ended(None)));
        let (begun, mut answered) = ask(&mut upgrades, "a");
        let Ok(Ok(Data::Upgrade(info))) = answered.try_recv() else { panic!("no answer") };
        assert_eq!((begun, info.from.as_str(), info.keeper_pid), (false, "1.2.3", 7));
        upgrades.welcome(Some(ended(Some("broken"))));
        let (_, mut answered) = ask(&mut upgrades, "a");
        assert_eq!(answered.try_recv().unwrap().unwrap_err().code, ErrorCode::UpgradeFailed);
        assert!(ask(&mut upgrades, "").0, "without a ticket each is a new one");
    }

    #[test]
    fn of_two_at_once_the_second_is_refused_and_who_comes_back_is_answered() {
        let mut upgrades = upgrades();
        let (begun, _) = ask(&mut upgrades, "b");
        let (other, mut refused) = ask(&mut upgrades, "c");
        assert_eq!((begun, other), (true, false));
        assert_eq!(refused.try_recv().unwrap().unwrap_err().code, ErrorCode::UpgradeFailed);
        let (again, mut answered) = ask(&mut upgrades, "b");
        assert!(!again && answered.try_recv().is_err());
        assert!(!upgrades.tried(Some("it ended with status 1".into())));
        assert!(answered.try_recv().unwrap().unwrap_err().message.ends_with("it ended with status 1"));
        assert!(ask(&mut upgrades, "d").0);
    }

    #[test]
    fn an_app_of_a_daemon_is_not_upgraded_alone() {
        let mut upgrades = Upgrades::new(None, 7);
        let (begun, mut refused) = ask(&mut upgrades, "a");
        assert!(!begun && refused.try_recv().unwrap().unwrap_err().hint.is_some());
    }

    #[test]
    fn how_it_ended_is_said_once() {
        let mut upgrades = upgrades();
        assert!(upgrades.welcome(Some(ended(None))).unwrap().starts_with("upgraded from ganger 1.2.3"));
        let told = Some(Upgraded { is_fresh: false, ..ended(None) });
        assert_eq!((upgrades.welcome(told), upgrades.welcome(None)), (None, None));
    }
}
