//! What can be asked.

use super::arguments::Arguments;
use super::{Fault, RpcError};
use crate::limits::MAX_XMLRPC_MULTICALL;
use crate::xmlrpc::{self, MethodCall, Value};

/// One of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Its output.
    Stdout,
    /// Its errors.
    Stderr,
}

/// A call whose parameters are of the right number and types. Two names of one method are one call. A `name` of a process
/// is what [`NameSpec`](super::NameSpec) reads.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each has the name of its method, each field that of its parameter")]
pub enum Call {
    /// `getAPIVersion`, `getVersion`.
    GetApiVersion,
    GetSupervisorVersion,
    GetIdentification,
    GetState,
    GetPid,
    /// `readLog`, `readMainLog`.
    ReadLog {
        offset: i64,
        length: i64,
    },
    ClearLog,
    Shutdown,
    Restart,
    ReloadConfig,
    AddProcessGroup {
        name: String,
    },
    RemoveProcessGroup {
        name: String,
    },
    StartProcess {
        name: String,
        wait: bool,
    },
    StartProcessGroup {
        name: String,
        wait: bool,
    },
    StartAllProcesses {
        wait: bool,
    },
    StopProcess {
        name: String,
        wait: bool,
    },
    StopProcessGroup {
        name: String,
        wait: bool,
    },
    StopAllProcesses {
        wait: bool,
    },
    SignalProcess {
        name: String,
        signal: String,
    },
    SignalProcessGroup {
        name: String,
        signal: String,
    },
    SignalAllProcesses {
        signal: String,
    },
    GetAllConfigInfo,
    GetProcessInfo {
        name: String,
    },
    GetAllProcessInfo,
    /// `readProcessStdoutLog`, `readProcessLog`, `readProcessStderrLog`.
    ReadProcessLog {
        name: String,
        channel: Channel,
        offset: i64,
        length: i64,
    },
    /// `tailProcessStdoutLog`, `tailProcessLog`, `tailProcessStderrLog`.
    TailProcessLog {
        name: String,
        channel: Channel,
        offset: i64,
        length: i64,
    },
    /// `clearProcessLogs`, `clearProcessLog`.
    ClearProcessLogs {
        name: String,
    },
    ClearAllProcessLogs,
    SendProcessStdin {
        name: String,
        chars: Vec<u8>,
    },
    SendRemoteCommEvent {
        kind: String,
        data: String,
    },
    ListMethods,
    MethodHelp {
        name: String,
    },
    MethodSignature {
        name: String,
    },
    /// The calls in order; one that cannot be made is the error that stands in its place among the results.
    Multicall {
        calls: Vec<Result<Call, RpcError>>,
    },
}

impl TryFrom<&MethodCall> for Call {
    type Error = RpcError;

    fn try_from(call: &MethodCall) -> Result<Self, RpcError> {
        Self::new(&call.method, &call.params)
    }
}

impl Call {
    /// The call of the method with this full name.
    pub fn new(method: &str, params: &[Value]) -> Result<Self, RpcError> {
        let mut arguments = Arguments::new(params);
        let call = match method.split_once('.') {
            Some(("supervisor", method)) => supervisor(method, &mut arguments)?,
            Some(("system", method)) => system(method, &mut arguments)?,
            _ => return Err(Fault::UnknownMethod.into()),
        };
        arguments.end()?;
        Ok(call)
    }

    /// Whether it changes anything, and is not for who may only look. Of several, each tells for itself.
    pub fn changes(&self) -> bool {
        match self {
            Self::ClearLog
            | Self::Shutdown
            | Self::Restart
            | Self::ReloadConfig
            | Self::AddProcessGroup { .. }
            | Self::RemoveProcessGroup { .. }
            | Self::StartProcess { .. }
            | Self::StartProcessGroup { .. }
            | Self::StartAllProcesses { .. }
            | Self::StopProcess { .. }
            | Self::StopProcessGroup { .. }
            | Self::StopAllProcesses { .. }
            | Self::SignalProcess { .. }
            | Self::SignalProcessGroup { .. }
            | Self::SignalAllProcesses { .. }
            | Self::ClearProcessLogs { .. }
            | Self::ClearAllProcessLogs
            | Self::SendProcessStdin { .. }
            | Self::SendRemoteCommEvent { .. } => true,
            Self::GetApiVersion
            | Self::GetSupervisorVersion
            | Self::GetIdentification
            | Self::GetState
            | Self::GetPid
            | Self::ReadLog { .. }
            | Self::GetAllConfigInfo
            | Self::GetProcessInfo { .. }
            | Self::GetAllProcessInfo
            | Self::ReadProcessLog { .. }
            | Self::TailProcessLog { .. }
            | Self::ListMethods
            | Self::MethodHelp { .. }
            | Self::MethodSignature { .. }
            | Self::Multicall { .. } => false,
        }
    }

    /// Whether it is one of supervisord's own methods, not of those that tell of methods.
    pub fn is_of_supervisor(&self) -> bool {
        !matches!(
            self,
            Self::ListMethods
                | Self::MethodHelp { .. }
                | Self::MethodSignature { .. }
                | Self::Multicall { .. }
        )
    }
}

fn supervisor(method: &str, from: &mut Arguments<'_>) -> Result<Call, RpcError> {
    Ok(match method {
        "getAPIVersion" | "getVersion" => Call::GetApiVersion,
        "getSupervisorVersion" => Call::GetSupervisorVersion,
        "getIdentification" => Call::GetIdentification,
        "getState" => Call::GetState,
        "getPID" => Call::GetPid,
        "readLog" | "readMainLog" => Call::ReadLog { offset: from.int()?, length: from.int()? },
        "clearLog" => Call::ClearLog,
        "shutdown" => Call::Shutdown,
        "restart" => Call::Restart,
        "reloadConfig" => Call::ReloadConfig,
        "addProcessGroup" => Call::AddProcessGroup { name: from.string()? },
        "removeProcessGroup" => Call::RemoveProcessGroup { name: from.string()? },
        "getAllConfigInfo" => Call::GetAllConfigInfo,
        "getProcessInfo" => Call::GetProcessInfo { name: from.string()? },
        "getAllProcessInfo" => Call::GetAllProcessInfo,
        "sendRemoteCommEvent" => Call::SendRemoteCommEvent { kind: from.word()?, data: from.word()? },
        _ => match effect(method, from) {
            Some(call) => call?,
            None => log(method, from).unwrap_or_else(|| Err(Fault::UnknownMethod.into()))?,
        },
    })
}

/// Methods that start, stop or touch processes; none if it is another.
fn effect(method: &str, from: &mut Arguments<'_>) -> Option<Result<Call, RpcError>> {
    let mut read = || {
        Ok(Some(match method {
            "startProcess" => Call::StartProcess { name: from.string()?, wait: from.wait()? },
            "startProcessGroup" => Call::StartProcessGroup { name: from.string()?, wait: from.wait()? },
            "startAllProcesses" => Call::StartAllProcesses { wait: from.wait()? },
            "stopProcess" => Call::StopProcess { name: from.string()?, wait: from.wait()? },
            "stopProcessGroup" => Call::StopProcessGroup { name: from.string()?, wait: from.wait()? },
            "stopAllProcesses" => Call::StopAllProcesses { wait: from.wait()? },
            "signalProcess" => Call::SignalProcess { name: from.string()?, signal: from.word()? },
            "signalProcessGroup" => Call::SignalProcessGroup { name: from.string()?, signal: from.word()? },
            "signalAllProcesses" => Call::SignalAllProcesses { signal: from.word()? },
            "sendProcessStdin" => Call::SendProcessStdin { name: from.string()?, chars: from.bytes()? },
            _ => return Ok(None),
        }))
    };
    read().transpose()
}

/// Methods about the logs of processes; none if it is another.
fn log(method: &str, from: &mut Arguments<'_>) -> Option<Result<Call, RpcError>> {
    let mut read = || {
        let channel = if method.ends_with("StderrLog") { Channel::Stderr } else { Channel::Stdout };
        Ok(Some(match method {
            "readProcessStdoutLog" | "readProcessLog" | "readProcessStderrLog" => {
                let (name, offset, length) = (from.string()?, from.int()?, from.int()?);
                Call::ReadProcessLog { name, channel, offset, length }
            }
            "tailProcessStdoutLog" | "tailProcessLog" | "tailProcessStderrLog" => {
                let (name, offset, length) = (from.string()?, from.int()?, from.int()?);
                Call::TailProcessLog { name, channel, offset, length }
            }
            "clearProcessLogs" | "clearProcessLog" => Call::ClearProcessLogs { name: from.string()? },
            "clearAllProcessLogs" => Call::ClearAllProcessLogs,
            _ => return Ok(None),
        }))
    };
    read().transpose()
}

fn system(method: &str, from: &mut Arguments<'_>) -> Result<Call, RpcError> {
    Ok(match method {
        "listMethods" => Call::ListMethods,
        "methodHelp" => Call::MethodHelp { name: from.string()? },
        "methodSignature" => Call::MethodSignature { name: from.string()? },
        "multicall" => {
            let calls = from.array()?;
            if calls.len() > MAX_XMLRPC_MULTICALL {
                return Err(
                    Fault::IncorrectParameters.with(format!("more than {MAX_XMLRPC_MULTICALL} calls"))
                );
            }
            Call::Multicall { calls: calls.iter().map(one_of_several).collect() }
        }
        _ => return Err(Fault::UnknownMethod.into()),
    })
}

/// A struct of `methodName` and `params`.
fn one_of_several(call: &Value) -> Result<Call, RpcError> {
    let Some(Value::String(method)) = call.member("methodName") else {
        return Err(Fault::IncorrectParameters.with("No methodName"));
    };
    if method == "system.multicall" {
        return Err(Fault::IncorrectParameters.with("Recursive system.multicall forbidden"));
    }
    match call.member("params") {
        None => Call::new(method, &[]),
        Some(Value::Array(params)) => Call::new(method, params),
        Some(_) => Err(Fault::IncorrectParameters.into()),
    }
}

/// What `system.multicall` answers: as with supervisord each result stands there by itself, and a fault as a struct.
pub fn multicall_result(results: Vec<Result<Value, RpcError>>) -> Value {
    let values = results.into_iter().map(|result| match result {
        Ok(value) => value,
        Err(error) => xmlrpc::Fault::from(error).into(),
    });
    Value::Array(values.collect())
}
