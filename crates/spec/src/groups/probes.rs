//! What a table says of probes, of dependencies and of memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::Draft;
use crate::native::{GroupTable, Native, PortRule, ProbeTable};
use crate::problem::{Findings, Problem};
use crate::{Check, Condition, Group, Probe, ProbeKind, depends};

/// The names of the groups that others wait for to be completed.
pub(crate) fn completed<'a>(drafts: &'a [Draft<'_>]) -> BTreeSet<&'a str> {
    let waits = drafts.iter().filter_map(|draft| Some(&draft.table.as_ref()?.2.depends_on.as_ref()?.0));
    let completed = waits.flatten().filter(|(_, condition)| *condition == Condition::Completed);
    completed.map(|(name, _)| name.get_ref().as_str()).collect()
}

/// Tells of dependencies that can never be met, where they are written.
pub(crate) fn check_dependencies(groups: &[Group], drafts: &[Draft<'_>], findings: &mut Findings) {
    let tables: BTreeMap<&str, (&Native, &GroupTable)> = drafts
        .iter()
        .filter_map(|draft| draft.table.as_ref().map(|(native, _, table)| (draft.name, (*native, *table))))
        .collect();
    let place = |group: &str, other: &str| {
        let said = tables.get(group).and_then(|(native, table)| {
            let waits = &table.depends_on.as_ref()?.0;
            let (name, _) = waits.iter().find(|(name, _)| name.get_ref() == other)?;
            Some(native.problem(&name.span(), ""))
        });
        said.unwrap_or_else(|| Problem::new(""))
    };
    depends::check(groups, place, findings);
}

impl Draft<'_> {
    pub(super) fn depends_on(&self) -> BTreeMap<String, Condition> {
        let said = self.table.as_ref().and_then(|(_, _, table)| table.depends_on.as_ref());
        let pairs = said.into_iter().flat_map(|said| &said.0);
        pairs.map(|(name, condition)| (name.get_ref().clone(), *condition)).collect()
    }

    /// What is done to a worker that is not all right is a restart, unless its group says otherwise.
    pub(super) fn is_watched(&self) -> bool {
        let table = self.table.as_ref().map(|(_, _, table)| table);
        table.is_some_and(|table| table.liveness.is_some() || table.max_memory.is_some())
    }

    pub(super) fn max_memory(&self, findings: &mut Findings) -> Option<u64> {
        let (native, _, table) = self.table.as_ref()?;
        let said = table.max_memory.as_ref()?;
        if said.get_ref().0 == 0 {
            let problem = native.problem(&said.span(), "no worker runs without memory");
            findings.error(problem.hinted("write a size such as \"300MiB\", or leave `max_memory` out"));
        }
        Some(said.get_ref().0)
    }

    pub(super) fn probe(&self, kind: ProbeKind, findings: &mut Findings) -> Option<Probe> {
        let (native, _, table) = self.table.as_ref()?;
        let said: &Spanned<ProbeTable> = match kind {
            ProbeKind::Readiness => table.readiness.as_ref()?,
            ProbeKind::Liveness => table.liveness.as_ref()?,
        };
        let (span, asked) = (said.span(), said.get_ref());
        let check = match check(asked) {
            Ok(check) => check,
            Err((message, hint)) => {
                findings.error(native.problem(&span, message).hinted(hint));
                return None;
            }
        };
        let usual = Probe::new(kind, check);
        let probe = Probe {
            delay: asked.delay.map_or(usual.delay, |delay| delay.0),
            interval: asked.interval.map_or(usual.interval, |interval| interval.0),
            interval_ready: asked.interval.map_or(usual.interval_ready, |interval| interval.0),
            timeout: asked.timeout.map_or(usual.timeout, |timeout| timeout.0),
            failures: asked.failures.unwrap_or(usual.failures),
            successes: asked.successes.unwrap_or(usual.successes),
            check: usual.check,
        };
        let has_port = table.port != Some(PortRule::None);
        told(native, &span, probe.wrong(has_port), findings);
        Some(probe)
    }
}

fn told(
    native: &Native,
    span: &Range<usize>,
    wrong: Option<(&'static str, &'static str)>,
    findings: &mut Findings,
) {
    if let Some((message, hint)) = wrong {
        findings.error(native.problem(span, message).hinted(hint));
    }
}

/// The one thing that is asked.
fn check(asked: &ProbeTable) -> Result<Check, (String, &'static str)> {
    let http = asked.http.as_ref().map(|text| Check::http(text));
    let tcp = asked.tcp.as_ref().map(|value| Ok(value.0.clone()));
    let command = asked.command.as_ref().map(|command| Ok(Check::Command(command.0.clone())));
    let mut all = [http, tcp, command].into_iter().flatten();
    match (all.next(), all.next()) {
        (Some(check), None) => check,
        (None, _) => Err((
            "the probe asks nothing".to_owned(),
            "give it one of `http = \"/health\"`, `tcp = true` and `command = \"…\"`",
        )),
        (Some(_), Some(_)) => {
            Err(("the probe asks two things at once".to_owned(), "leave one of `http`, `tcp` and `command`"))
        }
    }
}

impl Probe {
    /// What makes no sense in it, and what to do.
    pub(crate) fn wrong(&self, has_port: bool) -> Option<(&'static str, &'static str)> {
        let wrong = [
            (
                self.check.needs_port() && !has_port,
                "the probe asks at the worker's port, and it gets none",
                "say the place: `http = \"http://127.0.0.1:PORT/…\"` or `tcp = PORT`",
            ),
            (
                self.interval.is_zero() || self.timeout.is_zero(),
                "a probe takes time, and is repeated after some",
                "let `interval` and `timeout` be more than 0",
            ),
            (
                self.failures == 0 || self.successes == 0,
                "no answer in a row says nothing",
                "let `failures` and `successes` be 1 or more",
            ),
        ];
        wrong.into_iter().find(|(is_wrong, ..)| *is_wrong).map(|(_, message, hint)| (message, hint))
    }
}
