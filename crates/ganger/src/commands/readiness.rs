//! `ganger start --wait`: waits until workers are ready.

use std::time::Duration;

use ganger_api::{
    Client, ClientError, Data, EventQuery, Place, Request, WantedState, WorkerInfo, WorkerState,
};
use ganger_spec::{OnExit, Spec};
use tokio::time::timeout;

use crate::ask::{block_on, unexpected};
use crate::failure::{FAILED, Failure};

/// How a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is ready, or has done its work, or is not to run.
    Fine,
    /// It may become ready.
    Coming,
    /// It will not by itself.
    Hopeless,
}

/// Blocks until all workers with these names are, or all there are; those that are up. Nothing is asked again but when
/// something has happened. The spec says which exit codes mean that a worker has done its work.
pub(super) fn wait(
    place: &Place,
    names: &[String],
    spec: Option<&Spec>,
    within: Duration,
) -> Result<Vec<WorkerInfo>, Failure> {
    block_on(async {
        if let Ok(ready) = timeout(within, all_ready(place, names, spec)).await {
            return ready;
        }
        let late = not_fine(&workers(place, names).await?, spec);
        let failure = failure(&format!("not ready after {within:?}"), &late);
        Err(failure.hinted("the app goes on: see `ganger ps` and `ganger why NAME`"))
    })
}

async fn all_ready(place: &Place, names: &[String], spec: Option<&Spec>) -> Result<Vec<WorkerInfo>, Failure> {
    let query = EventQuery { follow: true, after: None, sse: true };
    let mut events = Client::connect(place).await?.stream(&Request::Events(query)).await?;
    loop {
        if !events.has_more() {
            let mut all = workers(place, names).await?;
            let late = not_fine(&all, spec);
            if late.is_empty() {
                all.retain(|worker| worker.wanted == WantedState::Up);
                return Ok(all);
            }
            if late.iter().any(|worker| standing(worker, spec) == Standing::Hopeless) {
                let failure = failure("not ready, and will not be", &late);
                return Err(failure.hinted("`ganger why NAME` tells more; `ganger quit` ends the app"));
            }
        }
        match events.next().await {
            Ok(Some(_)) => {}
            Ok(None) | Err(ClientError::NotRunning { .. } | ClientError::Ended) => {
                let failure = Failure::new("the app ended before all of it was ready");
                return Err(Failure { status: FAILED, ..failure }.hinted("`ganger logs` shows what it wrote"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn workers(place: &Place, names: &[String]) -> Result<Vec<WorkerInfo>, Failure> {
    let request = Request::Workers { names: names.to_vec() };
    match Client::connect(place).await?.request(&request).await? {
        Data::Workers(info) => Ok(info.workers),
        _ => Err(unexpected()),
    }
}

fn not_fine(workers: &[WorkerInfo], spec: Option<&Spec>) -> Vec<WorkerInfo> {
    workers.iter().filter(|worker| standing(worker, spec) != Standing::Fine).cloned().collect()
}

fn standing(worker: &WorkerInfo, spec: Option<&Spec>) -> Standing {
    if worker.ready || worker.wanted == WantedState::Down {
        return Standing::Fine;
    }
    match worker.state {
        WorkerState::Exited if has_succeeded(worker, spec) => Standing::Fine,
        WorkerState::Exited | WorkerState::Fatal => Standing::Hopeless,
        WorkerState::Stopped if worker.why.contains(", in vain: ") => Standing::Hopeless,
        WorkerState::Stopped
        | WorkerState::Starting
        | WorkerState::Running
        | WorkerState::Backoff
        | WorkerState::Stopping => Standing::Coming,
    }
}

/// Whether its last run ended with what its group calls done.
fn has_succeeded(worker: &WorkerInfo, spec: Option<&Spec>) -> bool {
    let code =
        worker.last_exit.as_ref().and_then(|exit| exit.strip_prefix("exited with code ")?.parse().ok());
    let exits = spec.and_then(|spec| spec.group(&worker.group)).map(|group| &group.exits);
    code.is_some_and(|code: u8| code == 0 || exits.and_then(|exits| exits.get(&code)) == Some(&OnExit::Stop))
}

/// Who is late, and why.
fn failure(what: &str, late: &[WorkerInfo]) -> Failure {
    let lines: Vec<String> =
        late.iter().map(|worker| format!("{} is {}: {}", worker.name, worker.state, worker.why)).collect();
    let who = if late.len() == 1 { "a worker is".to_owned() } else { format!("{} workers are", late.len()) };
    Failure { status: FAILED, ..Failure::new(format!("{who} {what}\n{}", lines.join("\n"))) }
}
