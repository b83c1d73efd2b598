//! What Python's `xmlrpc.client` writes is written, and read, the same.

use super::*;
use crate::limits::{MAX_XMLRPC_CALL_BYTES, MAX_XMLRPC_CALL_VALUES, MAX_XMLRPC_DEPTH};

fn read_value(inner: &str) -> Result<Value, BadXmlRpc> {
    let call =
        format!("<methodCall><methodName>m</methodName><params><param>{inner}</param></params></methodCall>");
    read_call(call.as_bytes()).map(|mut call| call.params.pop().unwrap())
}

fn names(values: &[(&str, Value)]) -> Value {
    Value::Struct(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// `dumps(("web", False, -3, 1.5, [1, "x", []], {"a": 1, "b": {}}), "m.n")` of Python 3.11.
const PYTHON_CALL: &str = include_str!("recorded/call.xml");

#[test]
fn a_call_is_written_and_read_as_python_does() {
    let params = vec![
        "web".into(),
        false.into(),
        Value::Int(-3),
        Value::Double(1.5),
        Value::Array(vec![Value::Int(1), "x".into(), Value::Array(vec![])]),
        names(&[("a", Value::Int(1)), ("b", names(&[]))]),
    ];
    assert_eq!(write_call("m.n", &params), PYTHON_CALL);
    assert_eq!(read_call(PYTHON_CALL.as_bytes()), Ok(MethodCall { method: "m.n".to_owned(), params }));
}

#[test]
fn answers_and_faults_are_written_as_python_does() {
    let answer = include_str!("recorded/true.xml");
    assert_eq!(write_response(&Ok(true.into())), answer);
    assert_eq!(read_response(answer.as_bytes()), Ok(Ok(Value::Bool(true))));
    let fault = include_str!("recorded/fault.xml");
    let error = Err(Fault { code: 10, text: "BAD_NAME: x".to_owned() });
    assert_eq!(write_response(&error), fault);
    assert_eq!(read_response(fault.as_bytes()), Ok(error));
}

#[test]
fn base64_has_the_lines_of_python() {
    let bytes: Vec<u8> = (0..80).collect();
    let written = write_call("m", &[Value::Base64(bytes.clone())]);
    assert_eq!(written, include_str!("recorded/base64.xml"));
    assert_eq!(read_call(written.as_bytes()).map(|call| call.params), Ok(vec![Value::Base64(bytes)]));
}

#[test]
fn a_value_may_be_written_in_many_ways() {
    for (xml, value) in [
        ("<value>a b</value>", "a b".into()),
        ("<value/>", "".into()),
        ("<value><string/></value>", "".into()),
        ("<value> <string> a </string> </value>", " a ".into()),
        ("<value><string>a<![CDATA[<&]]>b<!-- c --></string></value>", "a<&b".into()),
        (
            "<value><string>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;\u{fc}</string></value>",
            "<&>\"'AB\u{fc}".into(),
        ),
        ("<value><string>a\r\nb\rc&#13;</string></value>", "a\nb\nc\r".into()),
        ("<value type='>'><i4> 7 </i4></value >", Value::Int(7)),
        ("<value><i8>9000000000</i8></value>", Value::Int(9_000_000_000)),
        ("<value><int>+7</int></value>", Value::Int(7)),
        ("<value><boolean>1</boolean></value>", true.into()),
        ("<value><nil/></value>", Value::Nil),
        ("<value><ex:nil/></value>", Value::Nil),
        ("<value><dateTime.iso8601>20261128T00:00:00</dateTime.iso8601></value>", {
            Value::DateTime("20261128T00:00:00".to_owned())
        }),
    ] {
        assert_eq!(read_value(xml), Ok(value), "{xml}");
    }
}

#[test]
fn params_may_be_left_out() {
    let call = b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><methodCall><methodName> a.b </methodName></methodCall>";
    assert_eq!(read_call(call), Ok(MethodCall { method: "a.b".to_owned(), params: vec![] }));
}

#[test]
fn what_is_no_xml_rpc_is_refused_with_its_place() {
    for (xml, place) in [
        ("", "line 1, column 1: no <methodCall>"),
        ("<methodCall>\n<methodName>", "line 2, column 13: the text ends within <methodName>"),
        ("<methodCall/>", "line 1, column 14: the call has no methodName"),
        ("<methodCall>\n x", "line 2, column 3: text where only tags may be: \\n x"),
        ("<a/>", "line 1, column 5: <a> where <methodCall> must come"),
        ("<methodCall></b>", "line 1, column 17: </b> where </methodCall> must come"),
        ("<methodCall><methodName>&x;</methodName></methodCall>", {
            "line 1, column 25: the entity &x; is not one of XML's own"
        }),
        ("<methodCall", "line 1, column 1: a tag does not end"),
        ("< a>", "line 1, column 5: < a> is no tag"),
    ] {
        assert_eq!(read_call(xml.as_bytes()).unwrap_err().to_string(), place, "{xml}");
    }
    assert_eq!(read_call(b"<m\xff").unwrap_err(), BadXmlRpc::NotUtf8 { at: 2 });
    for xml in ["<value><int>x</int></value>", "<value><boolean>2</boolean></value>", "<value><x/></value>"] {
        assert!(matches!(read_value(xml), Err(BadXmlRpc::Syntax { .. })), "{xml}");
    }
}

#[test]
fn document_types_and_with_them_laughs_by_the_billion_are_refused() {
    let laughs = "<?xml version='1.0'?>\n<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>\n\
                  <methodCall><methodName>&lol2;</methodName></methodCall>";
    let error = read_call(laughs.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "line 2, column 1: document types and entities are refused");
}

#[test]
fn values_may_lie_so_deep_in_each_other_and_no_deeper() {
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>", "</data></array></value>");
        read_value(&format!("{}<value/>{}", open.repeat(depth), close.repeat(depth)))
    };
    assert!(nested(MAX_XMLRPC_DEPTH).is_ok());
    assert!(nested(MAX_XMLRPC_DEPTH + 1).unwrap_err().to_string().contains("64 deep"));
    assert!(nested(100_000).is_err(), "the stack holds");
}

#[test]
fn a_call_has_so_many_values_and_no_more() {
    let many = |count: usize| {
        read_value(&format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(count)))
    };
    assert!(many(MAX_XMLRPC_CALL_VALUES - 1).is_ok());
    assert!(many(MAX_XMLRPC_CALL_VALUES).unwrap_err().to_string().ends_with("too many values"));
}

#[test]
fn a_call_is_so_long_and_no_longer() {
    let mut call = b"<methodCall><methodName>m</methodName></methodCall>".to_vec();
    call.resize(MAX_XMLRPC_CALL_BYTES, b' ');
    assert!(read_call(&call).is_ok());
    call.push(b' ');
    let bytes = call.len();
    assert_eq!(read_call(&call), Err(BadXmlRpc::TooLong { bytes, limit: MAX_XMLRPC_CALL_BYTES }));
}

#[test]
fn a_control_character_is_read_as_it_is_and_written_as_its_picture() {
    assert_eq!(read_value("<value>\x1b[0m&#3;</value>"), Ok("\x1b[0m\x03".into()));
    let written = write_call("m", &["\x1b[1m\0\t\n\r\u{ffff}".into()]);
    assert!(written.contains("<string>\u{241b}[1m\u{2400}\t\n&#13;\u{fffd}</string>"), "{written}");
}

#[test]
fn an_int_of_more_than_32_bits_says_so() {
    assert!(write_call("m", &[Value::Int(i64::from(i32::MAX))]).contains("<int>2147483647</int>"));
    assert!(write_call("m", &[Value::Int(i64::from(i32::MAX) + 1)]).contains("<i8>2147483648</i8>"));
}
