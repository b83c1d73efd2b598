//! XML-RPC, calls and answers.

use ganger_api::supervisor::{Call, ConfigInfo, ProcessInfo, ProcessStatus};
use ganger_api::xmlrpc::{BadXmlRpc, read_call, read_response, write_call, write_response};

pub(crate) const XMLRPC: &[&str] = &[
    "<?xml version='1.0'?>",
    "<methodCall>",
    "</methodCall>",
    "<methodName>",
    "</methodName>",
    "<methodName>supervisor.startProcess</methodName>",
    "<methodResponse>",
    "<params>",
    "</params>",
    "<param>",
    "</param>",
    "<value>",
    "</value>",
    "<value/>",
    "<string>",
    "<int>",
    "</int>",
    "<i8>9223372036854775807</i8>",
    "<boolean>1</boolean>",
    "<double>1e999</double>",
    "<base64>",
    "<array><data>",
    "</data></array>",
    "<struct>",
    "<member>",
    "<name>",
    "<fault>",
    "<nil/>",
    "<!DOCTYPE x [<!ENTITY a \"aa\">]>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "&amp;",
    "&#0;",
    "&#x10ffff;",
    "&#55296;",
    "&a;",
    "\r",
    "\x1b",
    "\u{ffff}",
];

/// What is read is, once written, read as it was written.
pub(crate) fn xmlrpc(bytes: &[u8]) {
    match read_call(bytes) {
        Ok(call) => {
            let written = write_call(&call.method, &call.params);
            let again = read_call(written.as_bytes())
                .unwrap_or_else(|error| panic!("{call:?} is refused when it is written: {error}"));
            assert_eq!(write_call(&again.method, &again.params), written);
            assert_eq!(Call::try_from(&call).is_ok(), Call::try_from(&again).is_ok(), "{call:?}");
        }
        Err(error) => told(&error),
    }
    match read_response(bytes) {
        Ok(answer) => {
            let written = write_response(&answer);
            let again = read_response(written.as_bytes())
                .unwrap_or_else(|error| panic!("{answer:?} is refused when it is written: {error}"));
            assert_eq!(write_response(&again), written);
            if let Ok(value) = answer {
                let _ = ProcessInfo::try_from(&value);
                let _ = ConfigInfo::try_from(&value);
                let _ = ProcessStatus::try_from(&value);
            }
        }
        Err(error) => told(&error),
    }
}

fn told(error: &BadXmlRpc) {
    if let BadXmlRpc::Syntax { line, column, reason } = error {
        assert!(*line > 0 && *column > 0 && !reason.is_empty(), "no place or no reason: {error:?}");
    }
}
