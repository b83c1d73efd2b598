//! Against answers that supervisord 4.3.0 gave.

use super::*;
use crate::xmlrpc::{self, Value, read_call, read_response, write_call, write_response};

const ALL_PROCESS_INFO: &str = include_str!("recorded/all-process-info.xml");
const ALL_CONFIG_INFO: &str = include_str!("recorded/all-config-info.xml");
const FAULT: &str = include_str!("recorded/fault.xml");
const LIST_METHODS: &str = include_str!("recorded/list-methods.xml");
const MULTICALL: &str = include_str!("recorded/multicall.xml");
const SIGNATURES: &str = include_str!("recorded/signatures.xml");
const START_ALL: &str = include_str!("recorded/start-all.xml");
const STATE: &str = include_str!("recorded/state.xml");
const STOP_GROUP: &str = include_str!("recorded/stop-group.xml");
const TAIL: &str = include_str!("recorded/tail.xml");

fn recorded(xml: &str) -> Value {
    read_response(xml.as_bytes()).unwrap().unwrap()
}

/// Reads an answer's items as `T` and writes them again: not a byte differs.
fn same_again<T>(xml: &str) -> Vec<T>
where
    T: for<'a> TryFrom<&'a Value, Error = BadAnswer> + Into<Value> + Clone,
{
    let Value::Array(values) = recorded(xml) else { panic!("no array") };
    let read: Vec<T> = values.iter().map(|value| T::try_from(value).unwrap()).collect();
    assert_eq!(write_response(&Ok(read.clone().into())), xml);
    read
}

#[test]
fn answers_of_supervisord_are_read_and_written_byte_for_byte() {
    let infos: Vec<ProcessInfo> = same_again(ALL_PROCESS_INFO);
    assert!(
        infos.iter().any(|info| info.state == ProcessState::Fatal && info.namespec().to_string() == "fail")
    );
    let configs: Vec<ConfigInfo> = same_again(ALL_CONFIG_INFO);
    let full = configs.iter().find(|config| config.name == "full").unwrap();
    assert_eq!(full.exitcodes, [0, 2]);
    assert_eq!(full.uid, Setting::Is(0));
    assert_eq!(full.stdout.logfile, Setting::None);
    let started: Vec<ProcessStatus> = same_again(START_ALL);
    assert!(started.iter().any(|status| status.status == Fault::Success.code()));
    let stopped: Vec<ProcessStatus> = same_again(STOP_GROUP);
    assert_eq!(stopped[0], ProcessStatus::new("n", "n_0", Ok(())));
    for xml in [STATE, TAIL, MULTICALL, SIGNATURES, LIST_METHODS] {
        assert_eq!(write_response(&Ok(recorded(xml))), xml);
    }
}

#[test]
fn a_fault_is_told_as_supervisord_tells_it() {
    let fault = Fault::AlreadyStarted.with("cat");
    assert_eq!(write_response(&Err(fault.into())), FAULT);
    assert_eq!(RpcError::from(Fault::NoFile).text(), "NO_FILE");
}

#[test]
fn every_fault_and_every_state_has_a_code_of_its_own() {
    for fault in Fault::ALL {
        assert_eq!(Fault::from_code(fault.code()), Some(fault));
    }
    for state in ProcessState::ALL {
        assert_eq!(ProcessState::from_code(state.code()), Some(state));
        assert!(!(state.is_stopped() && state.is_signallable()));
    }
    assert_eq!((SupervisorState::Shutdown.code(), SupervisorState::Running.name()), (-1, "RUNNING"));
}

#[test]
fn methods_and_their_signatures_are_those_of_supervisord() {
    let names: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(recorded(LIST_METHODS), names.clone().into());
    let signatures: Vec<Vec<&str>> = METHODS.iter().map(|method| method.signature.to_vec()).collect();
    assert_eq!(recorded(SIGNATURES), signatures.into());
    assert!(METHODS.iter().all(|method| !method.help.is_empty()));
    assert_eq!(method("supervisor.getPID").unwrap().signature, ["int"]);
}

/// Parameters of these types, as a client would give them.
fn params(method: &Method) -> Vec<Value> {
    let param = |kind: &&str| match *kind {
        "string" => "1".into(),
        "int" => Value::Int(1),
        "boolean" => Value::Bool(true),
        "array" => Value::Array(vec![]),
        other => panic!("{other}"),
    };
    method.signature[1..].iter().map(param).collect()
}

#[test]
fn every_method_is_called_by_its_signature_and_by_no_other() {
    for method in &METHODS {
        let mut params = params(method);
        let sent = read_call(write_call(method.name, &params).as_bytes()).unwrap();
        let call = Call::try_from(&sent).unwrap_or_else(|error| panic!("{}: {error}", method.name));
        let wait = method.signature.last() == Some(&"boolean") && method.signature.len() > 1;
        params.push(Value::Bool(false));
        assert_eq!(Call::new(method.name, &params), Err(Fault::IncorrectParameters.into()), "{call:?}");
        params.truncate(params.len().saturating_sub(2));
        let shorter = Call::new(method.name, &params);
        if wait {
            assert_eq!(shorter, Ok(call), "wait is true if it is left out");
        } else if method.signature.len() > 1 {
            assert_eq!(shorter, Err(Fault::IncorrectParameters.into()), "{}", method.name);
        }
        if method.signature.len() > 1 {
            let wrong = vec![Value::Double(1.0); method.signature.len() - 1];
            assert_eq!(Call::new(method.name, &wrong), Err(Fault::IncorrectParameters.into()));
        }
    }
}

#[test]
fn parameters_are_taken_as_python_takes_them() {
    let read = Call::new("supervisor.readLog", &["-5".into(), false.into()]);
    assert_eq!(read, Ok(Call::ReadLog { offset: -5, length: 0 }));
    let signal = Call::new("supervisor.signalProcess", &["a".into(), Value::Int(15)]);
    assert_eq!(signal, Ok(Call::SignalProcess { name: "a".to_owned(), signal: "15".to_owned() }));
    let stdin = Call::new("supervisor.sendProcessStdin", &["a".into(), Value::Base64(vec![0xff])]);
    assert_eq!(stdin, Ok(Call::SendProcessStdin { name: "a".to_owned(), chars: vec![0xff] }));
    let number = Call::new("supervisor.sendProcessStdin", &["a".into(), Value::Int(3)]).unwrap_err();
    assert_eq!(number.text(), "INCORRECT_PARAMETERS: 3");
    let stop = Call::new("supervisor.stopProcess", &["a".into(), Value::Int(0)]);
    assert_eq!(stop, Ok(Call::StopProcess { name: "a".to_owned(), wait: false }));
}

#[test]
fn a_name_leads_nowhere_but_to_a_method() {
    for name in [
        "x",
        "supervisor",
        "supervisor.x",
        "supervisor._update",
        "a.b.c",
        "system.a.b",
        "supervisor.getPID.x",
    ] {
        assert_eq!(Call::new(name, &[]), Err(Fault::UnknownMethod.into()), "{name}");
    }
}

#[test]
fn several_calls_fail_one_by_one() {
    let call = |method: &str, params: Value| {
        Value::Struct(vec![("methodName".to_owned(), method.into()), ("params".to_owned(), params)])
    };
    let no_params = Value::Struct(vec![("methodName".to_owned(), "supervisor.getAPIVersion".into())]);
    let calls = Value::Array(vec![
        no_params,
        call("system.multicall", Value::Array(vec![Value::Array(vec![])])),
        Value::Struct(vec![("params".to_owned(), Value::Array(vec![]))]),
        call("x", Value::Array(vec![])),
        call("supervisor.getAllProcessInfo", Value::Array(vec![Value::Int(1)])),
    ]);
    let Ok(Call::Multicall { calls }) = Call::new("system.multicall", &[calls]) else {
        panic!("no multicall")
    };
    let results = calls.into_iter().map(|call| match call? {
        Call::GetApiVersion => Ok(API_VERSION.into()),
        other => panic!("{other:?}"),
    });
    assert_eq!(multicall_result(results.collect()), recorded(MULTICALL));
    let many = Value::Array(vec![Value::Nil; crate::limits::MAX_XMLRPC_MULTICALL + 1]);
    let error = Call::new("system.multicall", &[many]).unwrap_err();
    assert_eq!(error.text(), "INCORRECT_PARAMETERS: more than 10000 calls");
}

#[test]
fn a_name_means_a_process_or_all_of_a_group() {
    for (text, group, process, shortest) in [
        ("web", "web", Some("web"), "web"),
        ("web:web", "web", Some("web"), "web"),
        ("g:p", "g", Some("p"), "g:p"),
        ("g:*", "g", None, "g:*"),
        ("g:", "g", None, "g:*"),
        ("g:a:b", "g", Some("a:b"), "g:a:b"),
    ] {
        let name = NameSpec::parse(text);
        assert_eq!((name.group.as_str(), name.process.as_deref()), (group, process), "{text}");
        assert_eq!(name.to_string(), shortest);
    }
}

#[test]
fn an_answer_that_is_none_is_refused_with_the_reason() {
    let error = ProcessInfo::try_from(&Value::Nil).unwrap_err();
    assert_eq!(error.to_string(), "the answer cannot be understood: nil where a struct must come");
    let error =
        ProcessStatus::try_from(&Value::Struct(vec![("name".to_owned(), Value::Int(1))])).unwrap_err();
    assert_eq!(error.to_string(), "the answer cannot be understood: name is an int, not a string");
    let fault = xmlrpc::Fault { code: 7, text: "x".to_owned() };
    assert_eq!(fault.to_string(), "fault 7: x");
}
