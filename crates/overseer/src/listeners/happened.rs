//! From what the journal says to what listeners are told.

use ganger_api::{EventInfo, EventKind};
use ganger_core::State;
use ganger_spec::{Signal, Spec, WorkerName};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::audience::Input;
use super::told::{Change, Identity};

#[derive(Deserialize)]
struct Moved {
    from: State,
    to: State,
}

#[derive(Deserialize)]
struct Started {
    run: u64,
    pid: u32,
}

#[derive(Deserialize)]
struct Ended {
    status: u8,
    #[serde(default)]
    signal: Option<Signal>,
}

/// What an event of the journal means for listeners, if anything.
pub(crate) fn input(event: &EventInfo, spec: &Spec) -> Option<Input> {
    let change = match event.kind {
        EventKind::ShuttingDown => return Some(Input::Stopping),
        EventKind::State => {
            let Moved { from, to } = details(event)?;
            Change::State { from, to }
        }
        EventKind::Started => {
            let Started { run, pid } = details(event)?;
            Change::Started { run, pid }
        }
        EventKind::Ended => {
            let Ended { status, signal } = details(event)?;
            let group = event.worker.as_ref().and_then(|worker| spec.group(&worker.group));
            let codes = group.and_then(|group| Some(&group.supervisor.as_ref()?.exitcodes));
            let expected = signal.is_none() && codes.is_some_and(|codes| codes.contains(&status));
            Change::Ended { expected }
        }
        EventKind::SpawnFailed
        | EventKind::Waiting
        | EventKind::Ready
        | EventKind::Killing
        | EventKind::Stuck
        | EventKind::Released
        | EventKind::Scaled
        | EventKind::PortHeld
        | EventKind::Notice => return None,
    };
    let worker = event.worker.clone()?;
    Some(Input::Changed { identity: identity(spec, &worker), worker, change })
}

/// A worker as clients of supervisord know it; none if the release in force does not.
pub(crate) fn identity(spec: &Spec, worker: &WorkerName) -> Option<Identity> {
    let group = spec.group(&worker.group)?;
    let (process, family) = (group.process_name(worker.number), group.family_name().to_owned());
    Some(Identity { process, family })
}

fn details<T: DeserializeOwned>(event: &EventInfo) -> Option<T> {
    serde_json::from_value(event.details.clone().into()).ok()
}
