//! Every method with its signature and a word on what it does.

/// A method, as `system.methodSignature` and `system.methodHelp` tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its full name.
    pub name: &'static str,
    /// The type of what it answers, then those of its parameters.
    pub signature: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

impl Method {
    const fn new(name: &'static str, signature: &'static [&'static str], help: &'static str) -> Self {
        Self { name, signature, help }
    }
}

/// The method of this name.
pub fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

const VERSION: &str = "Tell the version of this interface.";
const READ_LOG: &str = "Read the daemon's own log: so many bytes from an offset, or the last n with (-n, 0).";
const CLEAR: &str = "Empty the logs of a process.";
const READ_STDOUT: &str =
    "Read the output of a process: so many bytes from an offset, or the last n with (-n, 0).";
const READ_STDERR: &str =
    "Read the errors of a process: so many bytes from an offset, or the last n with (-n, 0).";
const TAIL_STDOUT: &str = "Read the end of the output of a process from an offset on. Answers the bytes, the offset \
     to go on from, and whether the log was longer than what was asked for.";
const TAIL_STDERR: &str = "Read the end of the errors of a process from an offset on. Answers the bytes, the offset \
     to go on from, and whether the log was longer than what was asked for.";

/// Every method, by name: the answer to `system.listMethods`.
pub const METHODS: [Method; 41] = [
    Method::new(
        "supervisor.addProcessGroup",
        &["boolean", "string"],
        "Make a group active that the configuration has, and start what starts by itself.",
    ),
    Method::new("supervisor.clearAllProcessLogs", &["array"], "Empty the logs of every process."),
    Method::new("supervisor.clearLog", &["boolean"], "Empty the daemon's own log."),
    Method::new("supervisor.clearProcessLog", &["boolean", "string"], CLEAR),
    Method::new("supervisor.clearProcessLogs", &["boolean", "string"], CLEAR),
    Method::new("supervisor.getAPIVersion", &["string"], VERSION),
    Method::new("supervisor.getAllConfigInfo", &["array"], "Tell how each process is configured."),
    Method::new("supervisor.getAllProcessInfo", &["array"], "Tell how each process is."),
    Method::new("supervisor.getIdentification", &["string"], "Tell the name of this daemon."),
    Method::new("supervisor.getPID", &["int"], "Tell the PID of the daemon."),
    Method::new("supervisor.getProcessInfo", &["struct", "string"], "Tell how one process is."),
    Method::new("supervisor.getState", &["struct"], "Tell the state of the daemon by number and name."),
    Method::new("supervisor.getSupervisorVersion", &["string"], "Tell the version of the daemon."),
    Method::new("supervisor.getVersion", &["string"], VERSION),
    Method::new("supervisor.readLog", &["string", "int", "int"], READ_LOG),
    Method::new("supervisor.readMainLog", &["string", "int", "int"], READ_LOG),
    Method::new("supervisor.readProcessLog", &["string", "string", "int", "int"], READ_STDOUT),
    Method::new("supervisor.readProcessStderrLog", &["string", "string", "int", "int"], READ_STDERR),
    Method::new("supervisor.readProcessStdoutLog", &["string", "string", "int", "int"], READ_STDOUT),
    Method::new(
        "supervisor.reloadConfig",
        &["array"],
        "Read the configuration again. Answers [[added, changed, removed]], the names of groups; none is touched yet.",
    ),
    Method::new("supervisor.removeProcessGroup", &["boolean", "string"], "Forget a group that is stopped."),
    Method::new("supervisor.restart", &["boolean"], "Stop everything and begin anew."),
    Method::new(
        "supervisor.sendProcessStdin",
        &["boolean", "string", "string"],
        "Write to the standard input of a process.",
    ),
    Method::new(
        "supervisor.sendRemoteCommEvent",
        &["boolean", "string", "string"],
        "Send event listeners a REMOTE_COMMUNICATION of this type, with this data.",
    ),
    Method::new("supervisor.shutdown", &["boolean"], "Stop everything and end."),
    Method::new("supervisor.signalAllProcesses", &["array", "string"], "Send every process a signal."),
    Method::new(
        "supervisor.signalProcess",
        &["boolean", "string", "string"],
        "Send a process a signal, by name or number.",
    ),
    Method::new(
        "supervisor.signalProcessGroup",
        &["array", "string", "string"],
        "Send each process of a group a signal.",
    ),
    Method::new(
        "supervisor.startAllProcesses",
        &["array", "boolean"],
        "Start every process that does not run.",
    ),
    Method::new(
        "supervisor.startProcess",
        &["boolean", "string", "boolean"],
        "Start a process; unless wait is false, answer when it counts as started.",
    ),
    Method::new(
        "supervisor.startProcessGroup",
        &["array", "string", "boolean"],
        "Start each process of a group that does not run.",
    ),
    Method::new("supervisor.stopAllProcesses", &["array", "boolean"], "Stop every process that runs."),
    Method::new(
        "supervisor.stopProcess",
        &["boolean", "string", "boolean"],
        "Stop a process; unless wait is false, answer when it has ended.",
    ),
    Method::new(
        "supervisor.stopProcessGroup",
        &["array", "string", "boolean"],
        "Stop each process of a group that runs.",
    ),
    Method::new("supervisor.tailProcessLog", &["array", "string", "int", "int"], TAIL_STDOUT),
    Method::new("supervisor.tailProcessStderrLog", &["array", "string", "int", "int"], TAIL_STDERR),
    Method::new("supervisor.tailProcessStdoutLog", &["array", "string", "int", "int"], TAIL_STDOUT),
    Method::new("system.listMethods", &["array"], "Tell the names of all methods."),
    Method::new("system.methodHelp", &["string", "string"], "Tell what a method does."),
    Method::new(
        "system.methodSignature",
        &["array", "string"],
        "Tell the type of what a method answers, then those of its parameters.",
    ),
    Method::new(
        "system.multicall",
        &["array", "array"],
        "Make several calls, each a struct of methodName and params. Answers what each answers, a fault as a struct.",
    ),
];
