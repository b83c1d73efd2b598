//! What clients call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ganger_api::supervisor::{Call, Fault, ProcessStatus, RpcError, SupervisorState};
use ganger_api::xmlrpc::Value;
use ganger_core::{Command, Core, Outcome, Reply, State, Wanted, WorkerView};
use ganger_spec::{LogLevel, Signal, WorkerName};

use super::processes::{self, Meant, Process};
use super::{Answer, VERSION, files, views};
use crate::commands;
use crate::engine::Engine;
use crate::mainlog::MainLog;
use crate::stdin::StdinError;

/// What is asked of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Start,
    Stop,
    /// By its name or number, as it was asked for.
    Signal(String),
}

/// And whether the answer waits until it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    deed: Deed,
    wait: bool,
}

/// What is still to be answered once the decider says that a command is carried out.
pub(crate) enum Owed {
    /// What became of one process, by the name that it was asked for with.
    One { answer: Answer, deed: Deed, process: Process, name: String },
    /// What became of several, some of which could not even be tried.
    Many { answer: Answer, deed: Deed, processes: Vec<(Process, Result<(), RpcError>)> },
    /// That it was done.
    Whole { answer: Answer },
}

impl Wish {
    fn signal(signal: String) -> Self {
        Self { deed: Deed::Signal(signal), wait: true }
    }
}

impl Deed {
    /// What it is for the decider; none if nothing is to be done, as signal 0 only asks who would get one.
    fn command(&self, workers: Vec<WorkerName>) -> Option<Command> {
        match self {
            Self::Start => Some(Command::Start(workers)),
            Self::Stop => Some(Command::Stop(workers)),
            Self::Signal(text) => Some(Command::Signal(workers, text.trim().parse().ok()?)),
        }
    }

    /// Whether it makes sense.
    fn check(&self) -> Result<(), RpcError> {
        match self {
            Self::Signal(text) if text.trim() != "0" && text.trim().parse::<Signal>().is_err() => {
                Err(Fault::BadSignal.with(text))
            }
            Self::Start | Self::Stop | Self::Signal(_) => Ok(()),
        }
    }

    /// Whether processes like this are meant when it is asked of all. Who waits for others is stopped by being told not
    /// to start.
    fn is_for(&self, view: &WorkerView) -> bool {
        let state = processes::state(view);
        match self {
            Self::Start => !state.is_running(),
            Self::Stop => state.is_running() || (view.state == State::Stopped && view.wanted == Wanted::Up),
            Self::Signal(_) => state.is_signallable(),
        }
    }

    /// What a process in another state answers.
    fn refusal(&self) -> Fault {
        match self {
            Self::Start => Fault::AlreadyStarted,
            Self::Stop | Self::Signal(_) => Fault::NotRunning,
        }
    }
}

impl Engine {
    /// Answers a call at once, or gives it to the decider, which answers after the effect.
    pub(crate) fn call(&mut self, call: Call, answer: Answer) {
        if self.core.shutting_down().is_some() && !matches!(call, Call::SendRemoteCommEvent { .. }) {
            return send(answer, Err(Fault::ShutdownState.into()));
        }
        let wish = |deed, wait| Wish { deed, wait };
        match call {
            Call::StartProcess { name, wait } => self.wish(wish(Deed::Start, wait), &name, answer),
            Call::StopProcess { name, wait } => self.wish(wish(Deed::Stop, wait), &name, answer),
            Call::SignalProcess { name, signal } => self.wish(Wish::signal(signal), &name, answer),
            Call::StartProcessGroup { name, wait } => {
                self.wish_family(wish(Deed::Start, wait), &name, answer);
            }
            Call::StopProcessGroup { name, wait } => self.wish_family(wish(Deed::Stop, wait), &name, answer),
            Call::SignalProcessGroup { name, signal } => {
                self.wish_family(Wish::signal(signal), &name, answer);
            }
            Call::StartAllProcesses { wait } => self.wish_all(wish(Deed::Start, wait), answer),
            Call::StopAllProcesses { wait } => self.wish_all(wish(Deed::Stop, wait), answer),
            Call::SignalAllProcesses { signal } => self.wish_all(Wish::signal(signal), answer),
            Call::AddProcessGroup { name } => self.add_family(&name, answer),
            Call::RemoveProcessGroup { name } => self.remove_family(&name, answer),
            Call::Shutdown => {
                self.shut_down(false, "asked to shut down by XML-RPC".to_owned());
                send(answer, Ok(true.into()));
            }
            Call::Restart => send(answer, self.restart_all()),
            Call::ReloadConfig => send(answer, self.reload_config()),
            Call::SendProcessStdin { name, chars } => send(answer, self.send_chars(&name, &chars)),
            Call::ClearLog => send(answer, self.clear_main_log()),
            Call::ClearProcessLogs { name } => send(answer, self.clear_process_logs(&name)),
            Call::ClearAllProcessLogs => send(answer, Ok(self.clear_all_logs())),
            Call::SendRemoteCommEvent { kind, data } => {
                self.tell_remote(&kind, &data);
                send(answer, Ok(true.into()));
            }
            Call::GetSupervisorVersion => send(answer, Ok(VERSION.into())),
            Call::GetIdentification => send(answer, Ok(self.identifier().into())),
            Call::GetState => send(answer, Ok(state_of(SupervisorState::Running))),
            Call::GetPid => send(answer, Ok(Value::Int(i64::from(self.keeper_pid)))),
            Call::GetAllConfigInfo => send(answer, Ok(self.all_config_info())),
            Call::GetProcessInfo { name } => send(answer, self.process_info(&name)),
            Call::GetAllProcessInfo => send(answer, Ok(self.all_process_info())),
            Call::ReadLog { offset, length } => send(answer, self.read_main_log(offset, length)),
            // The server answers these itself.
            Call::GetApiVersion
            | Call::ReadProcessLog { .. }
            | Call::TailProcessLog { .. }
            | Call::ListMethods
            | Call::MethodHelp { .. }
            | Call::MethodSignature { .. }
            | Call::Multicall { .. } => send(answer, Err(Fault::UnknownMethod.into())),
        }
    }

    fn all_process_info(&self) -> Value {
        let all = processes::by_name(&self.core, &self.spec());
        all.iter().filter_map(|process| self.info(process)).collect::<Vec<Value>>().into()
    }

    fn clear_process_logs(&self, name: &str) -> Result<Value, RpcError> {
        let process = processes::one(&self.core, &self.spec(), name)?;
        self.clear_logs(&process, name).map(|()| true.into())
    }

    fn clear_all_logs(&self) -> Value {
        let all = processes::in_order(&self.core, &self.spec()).into_iter();
        let cleared = all.map(|process| {
            let became = self.clear_logs(&process, &process.namespec());
            (process, became)
        });
        statuses(cleared.collect())
    }

    fn read_main_log(&mut self, offset: i64, length: i64) -> Result<Value, RpcError> {
        let path = self.main_log_path().ok_or(Fault::NoFile)?;
        files::read(&path, offset, length)
    }

    fn send_chars(&self, name: &str, chars: &[u8]) -> Result<Value, RpcError> {
        let process = processes::one(&self.core, &self.spec(), name)?;
        match self.send_stdin(&process.worker, chars) {
            Ok(()) => Ok(true.into()),
            Err(StdinError::NotRunning) => Err(Fault::NotRunning.with(name)),
            Err(StdinError::NoPipe) => Err(Fault::NoFile.with(name)),
            Err(error @ (StdinError::Full(_) | StdinError::System(_))) => {
                Err(Fault::Failed.with(format!("{name}: {error}")))
            }
        }
    }

    /// The main log, if its file is there.
    fn main_log_path(&mut self) -> Option<PathBuf> {
        let path = self.narrator.main()?.path().map(Path::to_owned);
        path.filter(|path| path.exists())
    }

    fn clear_main_log(&mut self) -> Result<Value, RpcError> {
        if self.main_log_path().is_none() {
            return Err(Fault::NoFile.into());
        }
        if let Some(Err(error)) = self.narrator.main().map(MainLog::clear) {
            return Err(Fault::Failed.with(error.to_string()));
        }
        self.narrator.say_in_main(LogLevel::Info, "reopening log file");
        Ok(true.into())
    }

    /// Empties the logs of a process that are written now.
    fn clear_logs(&self, process: &Process, name: &str) -> Result<(), RpcError> {
        let mut logs = self.hands.outputs.logs(&process.worker).into_iter();
        let cleared = logs.try_for_each(|log| self.capture.clear(&log.to_string()));
        cleared.map_err(|_| Fault::Failed.with(name))
    }

    fn process_info(&self, name: &str) -> Result<Value, RpcError> {
        let process = processes::one(&self.core, &self.spec(), name)?;
        self.info(&process).ok_or_else(|| Fault::BadName.with(name))
    }

    fn info(&self, process: &Process) -> Option<Value> {
        let view = self.core.worker(&process.worker)?;
        Some(views::info(&self.spec(), process, &view, &self.logs_dir).into())
    }

    fn is_for(&self, deed: &Deed, process: &Process) -> Option<bool> {
        self.core.worker(&process.worker).map(|view| deed.is_for(&view))
    }

    /// Whether this can be asked of a process, called by this name.
    fn can(&self, deed: &Deed, process: &Process, name: &str) -> Result<(), RpcError> {
        deed.check()?;
        if *deed == Deed::Start {
            self.launcher.find(&self.spec(), &process.worker)?;
        }
        match self.is_for(deed, process) {
            Some(true) => Ok(()),
            Some(false) => Err(deed.refusal().with(name)),
            None => Err(Fault::BadName.with(name)),
        }
    }

    fn wish(&mut self, wish: Wish, name: &str, answer: Answer) {
        match processes::meant(&self.core, &self.spec(), name) {
            Ok(Meant::Family(family)) => self.wish_family(wish, &family, answer),
            Ok(Meant::One(process)) => match self.can(&wish.deed, &process, name) {
                Ok(()) => self.wish_one(wish, process, name, answer),
                Err(error) => send(answer, Err(error)),
            },
            Err(error) => send(answer, Err(error)),
        }
    }

    fn wish_one(&mut self, Wish { deed, wait }: Wish, process: Process, name: &str, answer: Answer) {
        let command = deed.command(vec![process.worker.clone()]);
        let Some(command) = command else { return send(answer, Ok(true.into())) };
        let owed = if wait {
            commands::Owed::Call(Owed::One { answer, deed, process, name: name.to_owned() })
        } else {
            send(answer, Ok(true.into()));
            commands::Owed::Nobody
        };
        self.command(command, owed);
    }

    fn wish_family(&mut self, wish: Wish, family: &str, answer: Answer) {
        match processes::of_family(&self.core, &self.spec(), family) {
            Ok(processes) => self.wish_many(wish, processes, answer),
            Err(error) => send(answer, Err(error)),
        }
    }

    fn wish_all(&mut self, wish: Wish, answer: Answer) {
        let processes = processes::in_order(&self.core, &self.spec());
        self.wish_many(wish, processes, answer);
    }

    /// Of several, those are meant that are not as wished.
    fn wish_many(&mut self, wish: Wish, processes: Vec<Process>, answer: Answer) {
        let meant = processes.into_iter().filter(|one| self.is_for(&wish.deed, one).unwrap_or(false));
        let mut processes: Vec<_> = meant
            .map(|process| {
                let tried = self.can(&wish.deed, &process, &process.namespec());
                (process, tried)
            })
            .collect();
        // As in supervisord's answers: who could not be tried comes first.
        processes.sort_by_key(|(_, tried)| tried.is_ok());
        let able = processes.iter().filter(|(_, tried)| tried.is_ok());
        let command = wish.deed.command(able.map(|(process, _)| process.worker.clone()).collect());
        let Some(command) = command else { return send(answer, Ok(statuses(processes))) };
        let owed = if wish.wait {
            commands::Owed::Call(Owed::Many { answer, deed: wish.deed, processes })
        } else {
            send(answer, Ok(statuses(processes)));
            commands::Owed::Nobody
        };
        self.command(command, owed);
    }
}

/// A client that did not wait for its answer is no fault.
pub(super) fn send(answer: Answer, told: Result<Value, RpcError>) {
    let _ = answer.send(told);
}

fn state_of(state: SupervisorState) -> Value {
    Value::Struct(vec![
        ("statecode".to_owned(), state.code().into()),
        ("statename".to_owned(), state.name().into()),
    ])
}

fn statuses(processes: Vec<(Process, Result<(), RpcError>)>) -> Value {
    let status = |(process, became): (Process, Result<(), RpcError>)| {
        Value::from(ProcessStatus::new(process.family, process.name, became))
    };
    Value::Array(processes.into_iter().map(status).collect())
}

/// Answers what is owed, once the command is carried out.
pub(crate) fn answer(core: &Core, owed: Owed, reply: Reply) {
    if reply.refused.is_some() {
        let (Owed::One { answer, .. } | Owed::Many { answer, .. } | Owed::Whole { answer }) = owed;
        return send(answer, Err(Fault::ShutdownState.into()));
    }
    let outcomes: BTreeMap<WorkerName, Outcome> = reply.workers.into_iter().collect();
    let became = |deed: &Deed, process: &Process, name: &str| {
        outcome(core, deed, &process.worker, outcomes.get(&process.worker), name)
    };
    match owed {
        Owed::One { answer, deed, process, name } => {
            send(answer, became(&deed, &process, &name).map(|()| true.into()));
        }
        Owed::Many { answer, deed, processes } => {
            let told = processes.into_iter().map(|(process, tried)| {
                let now = tried.and_then(|()| became(&deed, &process, &process.namespec()));
                (process, now)
            });
            send(answer, Ok(statuses(told.collect())));
        }
        Owed::Whole { answer } => send(answer, Ok(true.into())),
    }
}

fn outcome(
    core: &Core,
    deed: &Deed,
    worker: &WorkerName,
    outcome: Option<&Outcome>,
    name: &str,
) -> Result<(), RpcError> {
    // One that ended before it was healthy counts as one that could not be started.
    let failed =
        || core.worker(worker).is_some_and(|view| matches!(view.state, State::Backoff | State::Fatal));
    match (deed, outcome) {
        (_, None | Some(Outcome::Done | Outcome::Unchanged)) | (Deed::Stop, Some(Outcome::Superseded)) => {
            Ok(())
        }
        (Deed::Start, Some(Outcome::Failed(_))) if failed() => Err(Fault::SpawnError.with(name)),
        (Deed::Start, Some(Outcome::Failed(_) | Outcome::Superseded)) => {
            Err(Fault::AbnormalTermination.with(name))
        }
        (Deed::Stop | Deed::Signal(_), Some(Outcome::Failed(why))) => Err(Fault::Failed.with(why)),
        (Deed::Signal(_), Some(Outcome::Superseded)) => Err(Fault::Failed.with(name)),
    }
}
