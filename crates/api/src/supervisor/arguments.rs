//! The parameters of a call, one after the other.

use super::{Fault, RpcError};
use crate::xmlrpc::Value;

type Result<T> = std::result::Result<T, RpcError>;

/// Parameters that were not taken yet. Each is taken as Python's functions would take it, where that makes sense.
pub(super) struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    pub(super) fn new(params: &'a [Value]) -> Self {
        Self(params)
    }

    fn next(&mut self) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn required(&mut self) -> Result<&'a Value> {
        self.next().ok_or_else(incorrect)
    }

    /// A text.
    pub(super) fn string(&mut self) -> Result<String> {
        match self.required()? {
            Value::String(text) => Ok(text.clone()),
            Value::Base64(bytes) => String::from_utf8(bytes.clone()).map_err(|_| incorrect()),
            _ => Err(incorrect()),
        }
    }

    /// A text, or a number in its place: a signal.
    pub(super) fn word(&mut self) -> Result<String> {
        match self.0.first() {
            Some(Value::Int(number)) => {
                let _ = self.next();
                Ok(number.to_string())
            }
            _ => self.string(),
        }
    }

    /// Bytes: those of a text, or any.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.required()? {
            Value::String(text) => Ok(text.clone().into_bytes()),
            Value::Base64(bytes) => Ok(bytes.clone()),
            Value::Int(number) => Err(Fault::IncorrectParameters.with(number.to_string())),
            _ => Err(incorrect()),
        }
    }

    /// A number, also written as a text.
    pub(super) fn int(&mut self) -> Result<i64> {
        match self.required()? {
            Value::Int(number) => Ok(*number),
            Value::Bool(value) => Ok(i64::from(*value)),
            Value::String(text) => text.trim().parse().map_err(|_| incorrect()),
            _ => Err(incorrect()),
        }
    }

    /// `wait`: true unless something else is said. Anything that is not empty or nothing is true.
    pub(super) fn wait(&mut self) -> Result<bool> {
        match self.next() {
            None => Ok(true),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::Int(number)) => Ok(*number != 0),
            Some(Value::String(text)) => Ok(!text.is_empty()),
            Some(Value::Nil) => Ok(false),
            Some(_) => Err(incorrect()),
        }
    }

    /// An array.
    pub(super) fn array(&mut self) -> Result<&'a [Value]> {
        match self.required()? {
            Value::Array(values) => Ok(values),
            _ => Err(incorrect()),
        }
    }

    /// Nothing is left.
    pub(super) fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(incorrect()) }
    }
}

fn incorrect() -> RpcError {
    Fault::IncorrectParameters.into()
}
