//! Structs, member by member.

use crate::xmlrpc::Value;

/// An answer that is not what the method answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be understood: {0}")]
pub struct BadAnswer(pub String);

/// A struct that is read.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, BadAnswer> {
        match value {
            Value::Struct(_) => Ok(Self(value)),
            other => Err(BadAnswer(format!("{} where a struct must come", kind(other)))),
        }
    }

    pub(super) fn value(self, name: &str) -> Result<&'a Value, BadAnswer> {
        self.0.member(name).ok_or_else(|| BadAnswer(format!("it has no {name}")))
    }

    pub(super) fn string(self, name: &str) -> Result<String, BadAnswer> {
        match self.value(name)? {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong(name, other, "a string")),
        }
    }

    pub(super) fn int(self, name: &str) -> Result<i64, BadAnswer> {
        match self.value(name)? {
            Value::Int(number) => Ok(*number),
            other => Err(wrong(name, other, "an int")),
        }
    }

    pub(super) fn bool(self, name: &str) -> Result<bool, BadAnswer> {
        match self.value(name)? {
            Value::Bool(value) => Ok(*value),
            // Python gives numbers where a flag was never set.
            Value::Int(number) => Ok(*number != 0),
            other => Err(wrong(name, other, "a boolean")),
        }
    }
}

pub(super) fn wrong(name: &str, value: &Value, wanted: &str) -> BadAnswer {
    BadAnswer(format!("{name} is {}, not {wanted}", kind(value)))
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "an int",
        Value::Bool(_) => "a boolean",
        Value::String(_) => "a string",
        Value::Double(_) => "a double",
        Value::DateTime(_) => "a date",
        Value::Base64(_) => "base64",
        Value::Array(_) => "an array",
        Value::Struct(_) => "a struct",
        Value::Nil => "nil",
    }
}

/// A struct of these members.
pub(super) fn structure<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
