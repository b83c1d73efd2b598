//! What a start finds of an app of which every process of ganger's was killed.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ganger_api::{Environment, Place};
use ganger_keeper::{HandedRun, Handover, Process, TAG_VARIABLE, end_orphans};
use ganger_spec::{Signal, Spec, Stop, WorkerName};

use crate::lease::Lease;
use crate::roster::Found;
use crate::{Error, lease, ledger, roster};

/// How long those may take to end of which nothing says it.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Runs that live and have no keeper. While this lives, nobody else can start the app.
#[derive(Debug)]
pub struct Survivors {
    lock: OwnedFd,
    place: Place,
    found: Found,
    /// What lives of other runs; it is looked for only where it would be ended.
    stragglers: Vec<HandedRun>,
}

/// Looks for them; none if there are none. An error if somebody has the app.
pub fn survivors(place: &Place, environment: &Environment) -> Result<Option<Survivors>, Error> {
    place.create(environment)?;
    let lease = Lease::take(place, None)?;
    Survivors::of(place, &lease, look(place))
}

/// The same for a start that ends what a terminal had: also what is left of runs whose main process is gone. An app that
/// ended by itself left nothing.
pub fn survivors_and_stragglers(
    place: &Place,
    environment: &Environment,
) -> Result<Option<Survivors>, Error> {
    place.create(environment)?;
    let lease = Lease::take(place, None)?;
    let found = look(place);
    let is_led = !found.alive.is_empty();
    if !is_led && lease.announced().is_none() {
        return Ok(None);
    }
    let mut all = Survivors::new(place, &lease, found)?;
    all.stragglers = roster::stragglers(&prefix(place), all.runs());
    let counts = is_led || !all.stragglers.is_empty() && (all.belonged_to_terminal() || all.are_overminds());
    Ok(counts.then_some(all))
}

/// How many runs of an app live that has no keeper. It is only looked, so one that has just begun to start may count too.
pub fn left_alive(place: &Place) -> usize {
    look(place).alive.len()
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
        Self::new(place, lease, found).map(Some)
    }

    fn new(place: &Place, lease: &Lease, found: Found) -> Result<Self, Error> {
        let lock = lease.descriptor().map_err(|source| Error::System { action: "hold the lock", source })?;
        Ok(Self { lock, place: place.clone(), found, stragglers: Vec::new() })
    }

    /// Them, one for each worker, and what is left of others.
    pub fn runs(&self) -> impl Iterator<Item = &HandedRun> {
        let living = self.found.runs.iter().filter(|run| self.found.alive.contains(&run.run));
        living.chain(&self.stragglers)
    }

    /// Whether a terminal had them, and nobody else is known to: what its app said of itself holds for the runs that
    /// were listed there and for those of its last keeper.
    pub fn belonged_to_terminal(&self) -> bool {
        let Some(app) = lease::holder_of(&self.place).filter(|app| !app.background) else { return false };
        let of_keeper = format!("{}{}/", prefix(&self.place), app.keeper_pid);
        let listed = roster::listed(&self.place.runs());
        self.runs().all(|run| run.tag.starts_with(&of_keeper) || listed.contains(&run.tag))
    }

    /// Whether they were started under Overmind's name, in the background too.
    pub fn are_overminds(&self) -> bool {
        self.spec().is_some_and(|spec| spec.overmind.is_some())
    }

    /// Whether this process belongs to one of them.
    pub fn have_this_process(&self) -> bool {
        let tag = std::env::var(TAG_VARIABLE);
        tag.is_ok_and(|tag| tag.starts_with(&prefix(&self.place)))
    }

    /// Ends all of them as a stop does: each tree gets its group's signal, and what is left after the longest of their
    /// timeouts is killed, and told.
    pub fn end(self) -> Vec<Process> {
        let spec = self.spec();
        let stop = |run: &HandedRun| -> Option<&Stop> {
            let worker = WorkerName::try_from(run.worker.clone()).ok()?;
            Some(&spec.as_ref()?.group(&worker.group)?.stop)
        };
        let stops: BTreeMap<&str, &Stop> =
            self.runs().filter_map(|run| Some((run.tag.as_str(), stop(run)?))).collect();
        let patience = stops.values().map(|stop| stop.timeout).max().unwrap_or(ENDED_WITHIN);
        let signal = |tag: &str| stops.get(tag).map_or(Signal::TERM, |stop| stop.signal).number();
        end_orphans(&prefix(&self.place), signal, patience)
    }

    fn spec(&self) -> Option<Spec> {
        ledger::spec_in_force(&self.place.ledger())
    }

    /// What a keeper that goes on with them begins with.
    pub fn adopt(self) -> Handover {
        let Self { lock, found: Found { runs, .. }, .. } = self;
        let cgroup = roster::cgroup_of(&runs);
        Handover { runs, cgroup, kept: vec![lock], ..Handover::default() }
    }
}
