//! What clients ask.

use std::sync::Arc;

use ganger_api::{
    ApiError, Data, ErrorCode, ForwardsInfo, PlanInfo, Request, TerminalSize, WhyInfo, WorkersInfo,
};
use ganger_core::{Command, CommandId, Input, State, WorkerView};
use ganger_logs::Size;
use ganger_spec::{Compat, LoadError, Loaded, WorkerName};

use super::Engine;
use crate::commands::{self, Answer, Owed};
use crate::config::Reading;
use crate::stdin::StdinError;
use crate::{Life, views};

/// `why` shows so many of the latest events of a worker.
const WHY_EVENTS: usize = 20;
/// And so many of its latest runs that ended.
const WHY_RUNS: usize = 10;

impl Engine {
    /// Answers a request at once, or gives it to the decider, which answers after the effect.
    pub(super) fn request(&mut self, request: Request, answer: Answer) {
        let now = match request {
            Request::Start { names } => return self.ask(&names, Command::Start, answer),
            Request::Stop { names } => return self.ask(&names, Command::Stop, answer),
            Request::Restart { names } => return self.ask(&names, Command::Restart, answer),
            Request::Signal { names, signal } => {
                return self.ask(&names, |workers| Command::Signal(workers, signal), answer);
            }
            Request::Scale { counts } => match commands::scale(&self.core, &self.spec(), &counts) {
                Ok((command, groups)) => return self.command(command, Owed::Outcome { answer, groups }),
                Err(error) => Err(error),
            },
            Request::Reload { dry_run } => match (self.load)(Reading::Again) {
                Ok(loaded) => return self.reload(loaded, dry_run, answer),
                Err(error) => Err(bad_spec(&error)),
            },
            Request::Quit { now } => {
                let running = self.core.workers().filter(|view| view.pid.is_some()).count();
                let stopped = u32::try_from(running).unwrap_or(u32::MAX);
                let command = Command::Shutdown { now, reason: "asked to quit".to_owned(), status: 0 };
                return self.command(command, Owed::Quit { answer, stopped });
            }
            Request::Upgrade { program, ticket } => {
                let id = self.hands.id();
                if let Some(request) = self.upgrades.request(id, program, ticket, answer) {
                    self.hands.ask(request);
                }
                return;
            }
            Request::App => {
                let (id, spec) = (self.app_id.clone(), self.spec());
                Ok(Data::App(views::app(&self.core, &spec, &id, self.keeper_pid, self.started)))
            }
            Request::Workers { names } => self.workers(&names),
            Request::Why { name } => self.why(&name),
            Request::Env { name } => self.env(name),
            Request::Ports => {
                let spec = self.spec();
                Ok(Data::Ports(views::ports(&spec, &views::ordered(&self.core, &spec))))
            }
            Request::Forwards => Ok(Data::Forwards(ForwardsInfo { forwards: self.forwards.infos() })),
            Request::Window(size) => {
                let TerminalSize { rows, columns } = size;
                self.hands.outputs.terminals.resize(Size { columns, rows });
                Ok(Data::Window(size))
            }
            Request::Apps | Request::AddApp { .. } | Request::RemoveApp { .. } => {
                Err(ApiError::new(ErrorCode::BadRequest, "this is an app, and not the daemon"))
            }
            Request::Attach(_)
            | Request::Logs(_)
            | Request::Events(_)
            | Request::OpenApi
            | Request::Version => {
                unreachable!("the server answers these itself")
            }
        };
        // A client that did not wait for its answer is no fault.
        let _ = answer.send(now);
    }

    fn ask(
        &mut self,
        names: &[String],
        command: impl FnOnce(Vec<ganger_spec::WorkerName>) -> Command,
        answer: Answer,
    ) {
        match commands::select(&self.core, &self.spec(), names) {
            Ok(workers) => self.command(command(workers), Owed::Outcome { answer, groups: Vec::new() }),
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn reload(&mut self, loaded: Loaded, dry_run: bool, answer: Answer) {
        let Loaded { spec, warnings, .. } = loaded;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let mut lines: Vec<String> = self.core.plan(&spec).changes;
        lines.extend(self.spec().forward_changes(&spec));
        if dry_run {
            let plan =
                PlanInfo { lines, warnings, dry_run, release: self.core.release(), workers: Vec::new() };
            let _ = answer.send(Ok(Data::Plan(plan)));
            return;
        }
        if let Err(error) = self.sockets.fit(&spec) {
            let error =
                ApiError { hint: error.hint(), ..ApiError::new(ErrorCode::BadSpec, error.to_string()) };
            let _ = answer.send(Err(error));
            return;
        }
        self.reread.forget();
        self.renew(spec, Owed::Plan { answer, lines, warnings });
    }

    /// Somebody sent a hang-up: the files are read again.
    pub(super) fn reread(&mut self) {
        let loaded = (self.load)(Reading::Again).map_err(|error| (error.to_string(), error.hint()));
        let loaded = loaded.and_then(|loaded| match self.sockets.fit(&loaded.spec) {
            Ok(()) => Ok(loaded),
            Err(error) => Err((error.to_string(), error.hint())),
        });
        match loaded {
            Ok(loaded) => {
                self.narrator.notice("SIGHUP received: the files are read again".to_owned());
                for warning in &loaded.warnings {
                    self.narrator.notice(format!("warning: {warning}"));
                }
                self.renew_by_signal(loaded.spec);
            }
            Err((error, hint)) => {
                self.narrator.notice(format!("SIGHUP received, but nothing changes: {error}"));
                if let Some(hint) = hint {
                    self.narrator.notice(format!("hint: {hint}"));
                }
            }
        }
    }

    /// supervisord stops and starts everything, whether it changed or not.
    fn renew_by_signal(&mut self, spec: ganger_spec::Spec) {
        let is_as_stock = |daemon: &ganger_spec::Daemon| daemon.compat == Compat::Supervisor43;
        if spec.supervisor.as_deref().is_some_and(is_as_stock) {
            return self.begin_anew(spec);
        }
        self.reread.forget();
        self.renew(spec, Owed::Nobody);
    }

    /// Puts a release in force.
    pub(crate) fn renew(&mut self, mut spec: ganger_spec::Spec, owed: Owed) {
        spec.keep_auto_logs(&self.spec());
        let command = self.owe(owed);
        self.wishes_stale = true;
        self.forwards.apply(&spec.app, &spec.forwards);
        let told = self.herald.reloading(command);
        self.tell_manager(told);
        self.apply(command, spec);
    }

    /// Gives the decider a release.
    pub(super) fn apply(&mut self, command: CommandId, spec: ganger_spec::Spec) {
        // Overmind goes on when all that may die have died: they can be started again.
        let finish_when_idle = self.life == Life::Foreground && spec.overmind.is_none();
        self.decide(Input::Apply { command, spec: Arc::new(spec), finish_when_idle });
    }

    fn workers(&self, names: &[String]) -> Result<Data, ApiError> {
        let spec = self.spec();
        let views: Vec<WorkerView> = if names.is_empty() {
            views::ordered(&self.core, &spec)
        } else {
            let names = commands::select(&self.core, &spec, names)?;
            names.iter().filter_map(|name| self.core.worker(name)).collect()
        };
        let terminals = &self.hands.outputs.terminals;
        let workers = views.iter().map(|view| views::worker(&spec, view, terminals)).collect();
        Ok(Data::Workers(WorkersInfo { workers, groups: Vec::new() }))
    }

    /// Lets a worker read these bytes from its standard input: all of them, or none and an error.
    pub(crate) fn send_stdin(&self, worker: &WorkerName, bytes: &[u8]) -> Result<(), StdinError> {
        let view = self.core.worker(worker).filter(|view| view.pid.is_some());
        match view.map(|view| view.state) {
            None | Some(State::Stopping) => Err(StdinError::NotRunning),
            Some(_) => self.hands.stdins.write(worker, bytes),
        }
    }

    /// The one worker that a name means; the first one of a group.
    pub(super) fn one(&self, name: &str) -> Result<WorkerView, ApiError> {
        let chosen = commands::select(&self.core, &self.spec(), &[name.to_owned()])?;
        let first = chosen.first().and_then(|name| self.core.worker(name));
        first.ok_or_else(|| {
            ApiError::new(ErrorCode::NotRunning, format!("{name} has no worker"))
                .with_hint(format!("`ganger scale {name}=1` makes one"))
        })
    }

    fn why(&self, name: &str) -> Result<Data, ApiError> {
        let view = self.one(name)?;
        let events = self.journal.of_worker(&view.name, self.started, WHY_EVENTS);
        let runs = self.journal.runs_of(&view.name, self.started, WHY_RUNS);
        let worker = views::worker(&self.spec(), &view, &self.hands.outputs.terminals);
        Ok(Data::Why(WhyInfo { worker, runs, events }))
    }

    fn env(&self, name: Option<String>) -> Result<Data, ApiError> {
        let worker = name.map(|name| self.one(&name)).transpose()?.map(|view| view.name);
        Ok(Data::Env(views::env(&self.spec(), worker.as_ref(), &self.launcher.inherited)))
    }
}

fn bad_spec(error: &LoadError) -> ApiError {
    ApiError { hint: error.hint(), ..ApiError::new(ErrorCode::BadSpec, error.to_string()) }
}
