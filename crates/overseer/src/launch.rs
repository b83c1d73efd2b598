//! From a worker of the spec to what the keeper starts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use ganger_api::supervisor::{Fault, RpcError};
use ganger_core::RunId;
use ganger_keeper::{Ids, Launch, LookupError, Resource, Step, lookup_group, lookup_user};
use ganger_spec::{Command, Compat, Group, Limit, Spec, Worker, WorkerName};
use rustix::io::Errno;
use rustix::process::Signal;

/// The variable that names the kind of terminal.
const TERM: &str = "TERM";
/// What is said of a terminal where nobody said what kind those are that show it.
const USUAL_TERM: &str = "xterm-256color";

/// What every run of this overseer has in common.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// What each worker inherits, below what the spec says.
    pub(crate) inherited: BTreeMap<OsString, OsString>,
    /// Tells this app's runs from any other's on the machine.
    pub(crate) tag: String,
}

/// Why a run was not even asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) transient: bool,
    /// As a shell reports it.
    pub(crate) status: u8,
    /// What may help.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn definite(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: false, status: 1, hint: None }
    }

    /// No descriptors, no room: such things pass.
    pub(crate) fn transient(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string(), transient: true, status: 1, hint: None }
    }
}

impl Launcher {
    /// How the tags of all runs begin.
    pub(crate) fn prefix(&self) -> String {
        format!("{}/", self.tag)
    }

    /// Looks for the program that a worker executes, before anything is tried: the fault is supervisord's.
    pub(crate) fn find(&self, spec: &Spec, worker: &WorkerName) -> Result<(), RpcError> {
        let Ok(worker) = spec.worker(worker) else { return Ok(()) };
        let Some(program) = worker.argv.words.first() else { return Ok(()) };
        let said = worker.env.iter().rev().find(|variable| variable.name == "PATH");
        let inherited =
            || self.inherited.get(OsStr::new("PATH")).map(|path| path.to_string_lossy().into_owned());
        let path = said.map(|variable| variable.value.clone()).or_else(inherited).unwrap_or_default();
        let places: Vec<PathBuf> = if program.contains('/') {
            vec![worker.dir.join(program)]
        } else {
            path.split(':').map(|dir| worker.dir.join(dir).join(program)).collect()
        };
        let Some(found) = places.iter().find_map(|place| std::fs::metadata(place).ok()) else {
            return Err(Fault::NoFile.with(format!("can't find command '{program}'")));
        };
        let is_executable = found.is_file() && found.mode() & 0o111 != 0;
        let refusal = || Fault::NotExecutable.with(format!("command at '{program}' is not executable"));
        if is_executable { Ok(()) } else { Err(refusal()) }
    }

    /// What the keeper needs to start this run.
    pub(crate) fn launch(&self, spec: &Spec, worker: &WorkerName, run: RunId) -> Result<Launch, Failure> {
        let worker = spec.worker(worker).map_err(|error| Failure::definite(error.to_string()))?;
        let tag = format!("{}{}", self.prefix(), run.0);
        self.launch_words(worker, tag, ignored(spec))
    }

    /// What it needs to start another command, where, as whom and with what environment a worker is started.
    pub(crate) fn launch_in_place_of(
        &self,
        spec: &Spec,
        worker: &WorkerName,
        command: &Command,
        tag: String,
    ) -> Result<Launch, Failure> {
        let worker = spec.worker(worker).map_err(|error| Failure::definite(error.to_string()))?;
        self.launch_words(Worker { argv: command.argv(), ..worker }, tag, ignored(spec))
    }

    fn launch_words(&self, worker: Worker<'_>, tag: String, ignore: Vec<i32>) -> Result<Launch, Failure> {
        let argv = worker.argv.words.into_iter().map(OsString::from).collect();
        let said = worker.env.into_iter().map(|variable| (variable.name, variable.value));
        let usual = worker.group.tty.then_some((OsStr::new(TERM), OsStr::new(USUAL_TERM)));
        let env = environment(usual.into_iter().chain(variables(&self.inherited)), said);
        let launch = launch_of(worker.group, argv, env, tag);
        let launch = launch.map_err(|error| Failure::definite(error.to_string()))?;
        Ok(Launch { dir: worker.dir, ignore, ..launch })
    }
}

/// What a run starts with ignored: whatever supervisord starts has these so, as Python itself has.
fn ignored(spec: &Spec) -> Vec<i32> {
    let is_as_stock = |daemon: &ganger_spec::Daemon| daemon.compat == Compat::Supervisor43;
    if spec.supervisor.as_deref().is_some_and(is_as_stock) {
        vec![Signal::PIPE.as_raw(), Signal::XFSZ.as_raw()]
    } else {
        Vec::new()
    }
}

/// An environment as a process gets it: what is inherited, and above it what is said. Of two of a name the later one counts.
pub fn environment<'a>(
    inherited: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    said: impl IntoIterator<Item = (String, String)>,
) -> Vec<OsString> {
    let said: Vec<(String, String)> = said.into_iter().collect();
    let mut variables: BTreeMap<&OsStr, &OsStr> = inherited.into_iter().collect();
    variables.extend(said.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
    let joined = |(name, value): (&OsStr, &OsStr)| {
        let mut variable = OsString::with_capacity(name.len() + 1 + value.len());
        variable.extend([name, OsStr::new("="), value]);
        variable
    };
    variables.into_iter().map(joined).collect()
}

/// Variables as [`environment`] takes them.
pub fn variables(of: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    of.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
}

/// What the keeper starts for a group: these words, as the user, with the limits and in the directory of the group.
pub fn launch_of(
    group: &Group,
    argv: Vec<OsString>,
    env: Vec<OsString>,
    tag: String,
) -> Result<Launch, LookupError> {
    let (ids, limits) = (ids(group)?, limits(group));
    let (dir, umask) = (group.dir.clone(), group.umask);
    Ok(Launch { argv, env, dir, ids, umask, limits, tag, ..Launch::default() })
}

/// The user and group to become, if the spec names one.
fn ids(group: &Group) -> Result<Option<Ids>, LookupError> {
    match (&group.user, &group.group) {
        (Some(user), first) => lookup_user(user, first.as_deref()).map(Some),
        (None, Some(first)) => {
            let gid = lookup_group(first)?;
            Ok(Some(Ids { uid: rustix::process::geteuid().as_raw(), gid, groups: vec![gid] }))
        }
        (None, None) => Ok(None),
    }
}

fn limits(group: &Group) -> Vec<ganger_keeper::Limit> {
    let resource = |limit| match limit {
        Limit::OpenFiles => Resource::OpenFiles,
        Limit::Processes => Resource::Processes,
        Limit::Core => Resource::Core,
        Limit::AddressSpace => Resource::AddressSpace,
        Limit::CpuSeconds => Resource::CpuSeconds,
        Limit::FileSize => Resource::FileSize,
        Limit::LockedMemory => Resource::LockedMemory,
        Limit::Stack => Resource::Stack,
    };
    let value = |(limit, value): (&Limit, &ganger_spec::LimitValue)| ganger_keeper::Limit {
        resource: resource(*limit),
        soft: value.soft,
        hard: value.hard,
    };
    group.limits.iter().map(value).collect()
}

/// What a failing step means for the worker, as a sentence and as a shell's status.
pub(crate) fn failure(
    spec: Option<&Spec>,
    worker: &WorkerName,
    step: Step,
    errno: i32,
    transient: bool,
) -> Failure {
    let slot = spec.and_then(|spec| spec.worker(worker).ok());
    let program = slot.as_ref().and_then(|slot| slot.argv.words.first().cloned()).unwrap_or_default();
    let dir = slot.map(|slot| slot.dir.display().to_string()).unwrap_or_default();
    let why = if errno == 0 {
        String::new()
    } else {
        format!(": {}", std::io::Error::from(Errno::from_raw_os_error(errno)))
    };
    let (reason, status) = match step {
        Step::NotFound => (format!("command not found: {program}"), 127),
        Step::NotExecutable => (format!("command not executable: {program}{why}"), 126),
        Step::Interpreter => (format!("the interpreter of {program} is missing"), 126),
        Step::Exec => (format!("cannot execute {program}{why}"), 126),
        Step::Directory => (format!("cannot change to the directory {dir}{why}"), 1),
        Step::Refused
        | Step::Request
        | Step::Descriptors
        | Step::Fork
        | Step::Cgroup
        | Step::Session
        | Step::Limits
        | Step::Groups
        | Step::Group
        | Step::User
        | Step::Terminal
        | Step::Stdio => (format!("{step}{why}"), 1),
    };
    let group = spec.and_then(|spec| spec.group(&worker.group));
    Failure { reason, transient, status, hint: hint(step, worker, group, &program) }
}

/// What may help against a failing step: what the keeper knows, unless the worker's name says more.
fn hint(step: Step, worker: &WorkerName, group: Option<&Group>, program: &str) -> Option<String> {
    match step {
        Step::NotFound => {
            Some(format!("is {program} installed, and in the PATH that `ganger env {worker}` shows?"))
        }
        Step::Directory => Some(format!("make it, or set {}", group?.directory_key())),
        other => other.hint().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganger_spec::{Options, load};

    fn spec(procfile: &str) -> Spec {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Procfile"), procfile).unwrap();
        load(&Options { dir: dir.path().to_owned(), ..Options::default() }).unwrap().spec
    }

    fn web() -> WorkerName {
        WorkerName::new("web", 1)
    }

    #[test]
    fn what_the_spec_says_hides_what_is_inherited() {
        let inherited = [("PORT", "9"), ("HOME", "/h")].map(|(name, value)| (name.into(), value.into()));
        let launcher = Launcher { inherited: inherited.into(), tag: "app/7".into() };
        let launch = launcher.launch(&spec("web: serve --all"), &web(), RunId(3)).unwrap();
        assert_eq!(launch.argv, ["serve", "--all"]);
        assert_eq!(launch.tag, "app/7/3");
        assert_eq!(launch.env, ["GANGER_WORKER=web.1", "HOME=/h", "PORT=5000", "PS=web.1"]);
    }

    #[test]
    fn a_group_that_is_gone_is_a_definite_failure() {
        let launcher = Launcher { inherited: BTreeMap::new(), tag: String::new() };
        let failure = launcher.launch(&spec("web: serve"), &WorkerName::new("job", 1), RunId(1)).unwrap_err();
        assert!(!failure.transient && failure.reason.contains("job"), "{failure:?}");
    }

    #[test]
    fn a_failing_step_names_what_failed_and_has_a_shells_status() {
        let spec = spec("web: ./serve now");
        let told = |step, errno| {
            let failure = failure(Some(&spec), &web(), step, errno, false);
            (failure.status, failure.reason)
        };
        assert_eq!(told(Step::NotFound, 2), (127, "command not found: ./serve".to_owned()));
        assert_eq!(told(Step::NotExecutable, 13).0, 126);
        let (status, reason) = told(Step::Directory, 2);
        assert_eq!(status, 1);
        assert!(
            reason.contains(&spec.root.display().to_string()) && reason.contains("No such file"),
            "{reason}"
        );
        let hint = |spec: &Spec| failure(Some(spec), &web(), Step::Directory, 2, false).hint;
        assert_eq!(hint(&spec).unwrap(), "make it, or set `dir` of [groups.web] in ganger.toml");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("supervisord.conf");
        std::fs::write(&file, "[supervisord]\n[program:web]\ncommand=serve\n").unwrap();
        let options = Options { dir: dir.path().to_owned(), file: Some(file), ..Options::default() };
        let of_supervisord = load(&options).unwrap().spec;
        assert_eq!(hint(&of_supervisord).unwrap(), "make it, or set `directory` of [program:web]");
    }
}
