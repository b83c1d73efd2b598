//! Makes groups of what the Procfile and `ganger.toml` say of them.

mod probes;
mod watch;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::input::absolute;
use crate::native::{BackoffTable, BudgetTable, GroupTable, LimitsTable, LogsTable, Native, PortRule};
use crate::policy::{Policy, STOP_TIMEOUT};
use crate::ports::{GROUP_STEP, MAX_COUNT};
use crate::problem::{Findings, Problem};
use crate::procfile::{Entry, check_name};
use crate::sources::{Sources, variables};
use crate::suggest::suggest;
use crate::{
    Backoff, Budget, Command, Each, Group, Limit, LimitValue, LogFile, Logs, OnEnd, OnExit, Port, ProbeKind,
    Restart, RestartMode, Signal, Stderr, Stdin, Stop, Terminals, USUAL_PORT_STEP, USUAL_PRIORITY, logs,
};

pub(crate) use probes::{check_dependencies, completed};

/// The most groups of an app.
pub const MAX_GROUPS: usize = 10_000;

/// What is said of a group, in one place.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a str,
    entry: Option<&'a Entry>,
    table: Option<(&'a Native, Range<usize>, &'a GroupTable)>,
}

/// The groups in the order of their positions: the Procfile's, then those that only `ganger.toml` has.
pub(crate) fn drafts<'a>(
    sources: &'a Sources,
    none_will_do: bool,
    findings: &mut Findings,
) -> Vec<Draft<'a>> {
    let entries = sources.procfile.as_ref().map(|(_, entries)| entries.as_slice()).unwrap_or_default();
    let mut drafts: Vec<Draft<'a>> =
        entries.iter().map(|entry| Draft { name: &entry.name, entry: Some(entry), table: None }).collect();
    if let Some(native) = &sources.native {
        let mut tables: Vec<_> = native.table.groups.iter().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        let places: BTreeMap<&str, usize> =
            entries.iter().enumerate().map(|(i, entry)| (entry.name.as_str(), i)).collect();
        for (name, table) in tables {
            if let Err(problem) = check_name(name.get_ref()) {
                let placed = native.problem(&name.span(), problem.message);
                findings.error(placed.maybe_hinted(problem.hint));
            }
            let said = Some((native, name.span(), table));
            match places.get(name.get_ref().as_str()) {
                Some(place) => drafts[*place].table = said,
                None => drafts.push(Draft { name: name.get_ref(), entry: None, table: said }),
            }
        }
    }
    if drafts.is_empty() && !none_will_do && !findings.has_errors() {
        findings.error(nothing(sources));
    }
    if drafts.len() > MAX_GROUPS {
        let message = format!("{} groups are more than the {MAX_GROUPS} that an app can have", drafts.len());
        findings.error(Problem::new(message).hinted("give one group several workers, or make several apps"));
        drafts.truncate(MAX_GROUPS);
    }
    drafts
}

fn nothing(sources: &Sources) -> Problem {
    match (&sources.native, &sources.procfile) {
        (Some(native), _) => Problem::in_file(native.path(), "defines no group")
            .hinted("add a table `[groups.web]` with a `command`, or a Procfile beside it"),
        (None, Some((path, _))) => {
            Problem::in_file(path, "defines no group").hinted("add a line `web: command`")
        }
        (None, None) => Problem::new("no group is defined").hinted("add a line `web: command` to a Procfile"),
    }
}

impl Draft<'_> {
    /// The count that the files say.
    pub(crate) fn count(&self, findings: &mut Findings) -> u32 {
        let Some((native, _, table)) = &self.table else { return 1 };
        let Some(count) = &table.count else { return 1 };
        if *count.get_ref() > MAX_COUNT {
            let message =
                format!("a count of {} is more than the {MAX_COUNT} that a group can have", count.get_ref());
            findings.error(native.problem(&count.span(), message).hinted("split it into several groups"));
        }
        (*count.get_ref()).min(MAX_COUNT)
    }

    fn command(&self, groups: &[&str], findings: &mut Findings) -> Command {
        let own = self.table.as_ref().and_then(|(_, _, table)| table.command.as_ref());
        match (own, self.entry, &self.table) {
            (Some(command), ..) => return command.0.clone(),
            (None, Some(entry), _) => return Command::Line(entry.command.clone()),
            (None, None, None) => {}
            (None, None, Some((native, span, _))) => {
                let others = groups.iter().copied().filter(|name| *name != self.name);
                let problem = native.problem(
                    span,
                    format!("`{}` has no command, and no Procfile has an entry for it", self.name),
                );
                findings.error(problem.hinted(match suggest(self.name, others) {
                    Some(near) => format!("did you mean `{near}`? Else give it a `command`"),
                    None => "give it a `command`, or an entry in the Procfile".to_owned(),
                }));
            }
        }
        Command::Words(Vec::new())
    }

    /// The group at this position, all its settings decided.
    pub(crate) fn group(
        &self,
        (position, base): (usize, u16),
        root: &Path,
        policy: &Policy,
        app_logs: Option<&LogsTable>,
        groups: &[&str],
        findings: &mut Findings,
    ) -> Group {
        let none = GroupTable::default();
        let table = self.table.as_ref().map_or(&none, |(_, _, table)| table);
        let beside = self.table.as_ref().and_then(|(native, ..)| native.path().parent()).unwrap_or(root);
        let exits = table.exits.as_ref().map(|exits| exits.0.clone()).unwrap_or_default();
        self.check_text(table, findings);
        let logs = self.logs(app_logs, beside, findings);
        let tty = self.tty(table, &logs, policy, findings);
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let env = match &self.table {
            Some((native, ..)) => variables(native, &table.env, findings),
            None => Vec::new(),
        };
        Group {
            name: self.name.to_owned(),
            command: self.command(groups, findings),
            count: self.count(findings),
            port: match table.port.unwrap_or(PortRule::Auto) {
                PortRule::Auto => {
                    Port::Auto(u32::from(base).saturating_add(position.saturating_mul(GROUP_STEP)))
                }
                PortRule::Fixed(port) => Port::Fixed(port),
                PortRule::None => Port::None,
            },
            port_step: USUAL_PORT_STEP,
            env,
            dir: table.dir.as_ref().map_or_else(|| root.to_owned(), |dir| absolute(beside, dir)),
            user: table.user.clone(),
            group: table.group.clone(),
            umask: table.umask.map(|umask| umask.0),
            limits: self.limits(findings),
            restart: self.restart(table, &exits, policy, findings),
            on_end: self.on_end(table, &exits, policy),
            on_fatal: table.on_fatal.unwrap_or_default(),
            exits,
            stop: Stop {
                signal: table.stop.signal.unwrap_or(Signal::TERM),
                timeout: table
                    .stop
                    .timeout
                    .map(|timeout| timeout.0)
                    .or(policy.timeout)
                    .unwrap_or(STOP_TIMEOUT),
                scope: table.stop.scope.unwrap_or_default(),
            },
            logs,
            priority: table.priority.unwrap_or(USUAL_PRIORITY),
            autostart: table.autostart.unwrap_or(true),
            stdin: table.stdin.unwrap_or_default(),
            readiness: self.probe(ProbeKind::Readiness, findings),
            liveness: self.probe(ProbeKind::Liveness, findings),
            depends_on: self.depends_on(),
            max_memory: self.max_memory(findings),
            watch: self.watch(beside, findings),
            tty,
            family: None,
            each: Each::default(),
            supervisor: None,
        }
    }

    fn logs(&self, app: Option<&LogsTable>, beside: &Path, findings: &mut Findings) -> Logs {
        let own = self.table.as_ref().and_then(|(native, _, table)| Some((native, table.logs.as_ref()?)));
        let logs = Logs::of(app, own.map(|(_, table)| table.get_ref()), beside);
        if let Some((native, table)) = own {
            let count = self.table.as_ref().and_then(|(_, _, table)| Some(*table.count.as_ref()?.get_ref()));
            logs::check(native, &table.span(), table.get_ref(), &logs, Some(count.unwrap_or(1)), findings);
        }
        logs
    }

    /// Whether its workers have a terminal. One that is asked for takes the place of stdin, stdout and stderr.
    fn tty(&self, table: &GroupTable, logs: &Logs, policy: &Policy, findings: &mut Findings) -> bool {
        let apart = if table.stdin == Some(Stdin::Pipe) {
            Some("stdin")
        } else {
            (logs.stderr == Stderr::Separate).then_some("logs.stderr")
        };
        if let (Some((native, ..)), Some(tty), Some(key)) = (&self.table, &table.tty, apart)
            && *tty.get_ref()
        {
            let message = format!("`{}` has a terminal for all that `{key}` would keep apart", self.name);
            let hint = format!("leave out `tty` or `{key}`");
            findings.error(native.problem(&tty.span(), message).hinted(hint));
        }
        match (policy.terminals, table.tty.as_ref().map(|tty| *tty.get_ref())) {
            (Terminals::None, _) | (Terminals::AsSaid, None) => false,
            (Terminals::AsSaid | Terminals::Usual, Some(said)) => said,
            (Terminals::Usual, None) => apart.is_none() && logs.out == LogFile::Store,
        }
    }

    /// What is given to the kernel as text has no NUL.
    fn check_text(&self, table: &GroupTable, findings: &mut Findings) {
        let dir = table.dir.as_ref().map(|dir| dir.to_string_lossy());
        let texts =
            [("dir", dir.as_deref()), ("user", table.user.as_deref()), ("group", table.group.as_deref())];
        for (key, text) in texts {
            if let (Some(text), Some((native, span, _))) = (text, &self.table)
                && (text.is_empty() || text.contains('\0'))
            {
                let message = format!("the `{key}` of `{}` is empty or has a NUL", self.name);
                findings.error(
                    native.problem(span, message).hinted(format!("leave `{key}` out for the default")),
                );
            }
        }
    }

    fn on_end(&self, table: &GroupTable, exits: &BTreeMap<u8, OnExit>, policy: &Policy) -> OnEnd {
        if policy.outlives(self.name) {
            return OnEnd::Stay;
        }
        let restarts = table.restart.is_some() || policy.auto_restarts(self.name) || self.is_watched();
        let own = restarts || !exits.is_empty() || self.is_restarted_by_files();
        let usual = match (own, policy.completes(self.name)) {
            (true, _) => OnEnd::Stay,
            (false, true) => OnEnd::Failure,
            (false, false) => OnEnd::Shutdown,
        };
        table.on_end.unwrap_or(usual)
    }

    fn restart(
        &self,
        table: &GroupTable,
        exits: &BTreeMap<u8, OnExit>,
        policy: &Policy,
        findings: &mut Findings,
    ) -> Restart {
        let said = table.restart.unwrap_or_else(|| policy.usual_restart(self.name, self.is_watched()));
        let mode = if policy.auto_restarts(self.name) { RestartMode::Always } else { said };
        let restarts = mode != RestartMode::Never || exits.values().any(|exit| *exit == OnExit::Restart);
        let usual = if restarts { Duration::from_secs(1) } else { Duration::ZERO };
        let mut backoff = backoff(&BackoffTable::default());
        let mut allowed = None;
        if let Some((native, ..)) = &self.table {
            if let Some(table) = &table.backoff {
                backoff = self::backoff(table.get_ref());
                if let Err(message) = check_backoff(table.get_ref(), &backoff) {
                    let hint = "`initial` is at most `max`, `factor` from 1 to 100, `jitter` from 0 to 1";
                    findings.error(native.problem(&table.span(), message).hinted(hint));
                }
            }
            if let Some(table) = &table.budget {
                allowed = Some(budget(table.get_ref()));
                if table.get_ref().within.0.is_zero() {
                    let problem = native.problem(&table.span(), "a budget within no time allows nothing");
                    findings
                        .error(problem.hinted("write `within = \"1m\"`, or leave `budget` out for no bound"));
                }
            }
        }
        Restart {
            mode,
            startsecs: table.startsecs.map_or(usual, |startsecs| startsecs.0),
            backoff,
            budget: allowed,
            attempts: self.attempts(findings),
            early: table.early.unwrap_or_default(),
        }
    }

    fn attempts(&self, findings: &mut Findings) -> Option<u32> {
        let (native, _, table) = self.table.as_ref()?;
        let attempts = table.attempts.as_ref()?;
        if *attempts.get_ref() == 0 {
            let problem = native.problem(&attempts.span(), "0 attempts would never start it");
            findings.error(problem.hinted("write 1 or more, or leave `attempts` out for no bound"));
        }
        Some(*attempts.get_ref())
    }

    fn limits(&self, findings: &mut Findings) -> BTreeMap<Limit, LimitValue> {
        let Some((native, _, GroupTable { limits: Some(table), .. })) = &self.table else {
            return BTreeMap::new();
        };
        let mut limits = BTreeMap::new();
        for (limit, name, value) in listed(table.get_ref()) {
            let Some(value) = value else { continue };
            if value.soft.unwrap_or(u64::MAX) > value.hard.unwrap_or(u64::MAX) {
                let message = format!("the soft limit of `{name}` is above the hard one");
                let hint = "write `{ soft = 1024, hard = 4096 }`, or one number for both";
                findings.error(native.problem(&table.span(), message).hinted(hint));
            }
            limits.insert(limit, value);
        }
        limits
    }
}

fn listed(table: &LimitsTable) -> [(Limit, &'static str, Option<LimitValue>); 8] {
    [
        (Limit::OpenFiles, "open_files", table.open_files),
        (Limit::Processes, "processes", table.processes),
        (Limit::Core, "core", table.core),
        (Limit::AddressSpace, "address_space", table.address_space),
        (Limit::CpuSeconds, "cpu_seconds", table.cpu_seconds),
        (Limit::FileSize, "file_size", table.file_size),
        (Limit::LockedMemory, "locked_memory", table.locked_memory),
        (Limit::Stack, "stack", table.stack),
    ]
    .map(|(limit, name, pair)| (limit, name, pair.map(|pair| pair.0)))
}

fn backoff(table: &BackoffTable) -> Backoff {
    let usual = Backoff::default();
    let initial = table.initial.map_or(usual.initial, |initial| initial.0);
    Backoff {
        initial,
        factor_permille: table.factor.map_or(usual.factor_permille, permille),
        step: table.step.map_or(usual.step, |step| step.0),
        max: table.max.map_or(usual.max.max(initial), |max| max.0),
        jitter_permille: table.jitter.map_or(usual.jitter_permille, permille),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates; the range is checked"
)]
pub(crate) fn permille(number: f64) -> u32 {
    (number * 1000.0).round() as u32
}

fn check_backoff(table: &BackoffTable, backoff: &Backoff) -> Result<(), String> {
    if backoff.max < backoff.initial {
        return Err(
            "the longest delay of the backoff, `max`, is shorter than the first, `initial`".to_owned()
        );
    }
    if let Some(factor) = table.factor.filter(|factor| !(1.0..=100.0).contains(factor)) {
        return Err(format!("the factor of the backoff is {factor}, not 1 to 100"));
    }
    if let Some(jitter) = table.jitter.filter(|jitter| !(0.0..=1.0).contains(jitter)) {
        return Err(format!("the jitter of the backoff is {jitter}, not 0 to 1"));
    }
    Ok(())
}

fn budget(table: &BudgetTable) -> Budget {
    Budget { restarts: table.restarts, within: table.within.0 }
}
