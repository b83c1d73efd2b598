//! What a start finds of an app of which every process of ganger's was killed.

use std::os::fd::OwnedFd;

use ganger_api::{Environment, Place};
use ganger_keeper::{HandedRun, Handover};

use crate::lease::Lease;
use crate::roster::Found;
use crate::{Error, ledger, roster};

/// Runs that live and have no keeper. While this lives, nobody else can start the app.
#[derive(Debug)]
pub struct Survivors {
    lock: OwnedFd,
    place: Place,
    found: Found,
}

/// Looks for them; none if there are none. An error if somebody has the app.
pub fn survivors(place: &Place, environment: &Environment) -> Result<Option<Survivors>, Error> {
    place.create(environment)?;
    let lease = Lease::take(place, None)?;
    Survivors::of(place, &lease, look(place))
}

/// What lives of an app that has no keeper, and what ended and was not accounted.
pub(crate) fn look(place: &Place) -> Found {
    roster::survivors(&place.runs(), &prefix(place), &ledger::expects(&place.ledger()))
}

/// How the tags of all runs of an app begin.
pub(crate) fn prefix(place: &Place) -> String {
    format!("{}/", place.id)
}

impl Survivors {
    /// None where nothing lives.
    pub(crate) fn of(place: &Place, lease: &Lease, found: Found) -> Result<Option<Self>, Error> {
        if found.alive.is_empty() {
            return Ok(None);
        }
        let lock = lease.descriptor().map_err(|source| Error::System { action: "hold the lock", source })?;
        Ok(Some(Self { lock, place: place.clone(), found }))
    }

    /// Them, one for each worker.
    pub fn runs(&self) -> impl Iterator<Item = &HandedRun> {
        self.found.runs.iter().filter(|run| self.found.alive.contains(&run.run))
    }

    /// How the tags of them all begin.
    pub fn prefix(&self) -> String {
        prefix(&self.place)
    }

    /// What a keeper that goes on with them begins with.
    pub fn adopt(self) -> Handover {
        let Self { lock, found: Found { runs, .. }, .. } = self;
        let cgroup = roster::cgroup_of(&runs);
        Handover { runs, cgroup, kept: vec![lock], ..Handover::default() }
    }
}
