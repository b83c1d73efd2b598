//! What calls and answers are made of.

/// A value of XML-RPC.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<int>`, `<i4>` or `<i8>`.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`, or a `<value>` without a type.
    String(String),
    /// `<double>`.
    Double(f64),
    /// `<dateTime.iso8601>`, as it is written.
    DateTime(String),
    /// `<base64>`.
    Base64(Vec<u8>),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`, its members in order.
    Struct(Vec<(String, Value)>),
    /// `<nil/>`, which is no part of XML-RPC but common.
    Nil,
}

impl Value {
    /// The member of this name, of a struct; the last one if there are several.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(members) => {
                members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// About how many bytes it is of, without its markup.
    pub fn weight(&self) -> usize {
        const SIMPLE: usize = 8;
        match self {
            Self::Int(_) | Self::Bool(_) | Self::Double(_) | Self::Nil => SIMPLE,
            Self::String(text) | Self::DateTime(text) => SIMPLE + text.len(),
            Self::Base64(bytes) => SIMPLE + bytes.len(),
            Self::Array(values) => SIMPLE + values.iter().map(Self::weight).sum::<usize>(),
            Self::Struct(members) => {
                SIMPLE + members.iter().map(|(name, value)| name.len() + value.weight()).sum::<usize>()
            }
        }
    }

    /// A string of these bytes; what is not UTF-8 is replaced.
    pub fn text(bytes: &[u8]) -> Self {
        Self::String(String::from_utf8_lossy(bytes).into_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// `<methodCall>`.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodCall {
    /// Such as `supervisor.getState`; never empty.
    pub method: String,
    /// Its parameters; none where `<params>` is left out.
    pub params: Vec<Value>,
}

/// `<fault>`: the answer to a call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {code}: {text}")]
pub struct Fault {
    /// `faultCode`.
    pub code: i64,
    /// `faultString`.
    pub text: String,
}

impl From<Fault> for Value {
    /// The struct that tells it, as `system.multicall` has it between results.
    fn from(fault: Fault) -> Self {
        Self::Struct(vec![
            ("faultCode".to_owned(), Self::Int(fault.code)),
            ("faultString".to_owned(), Self::String(fault.text)),
        ])
    }
}
