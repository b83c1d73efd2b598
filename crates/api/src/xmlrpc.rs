//! XML-RPC, as Python's `xmlrpc.client` and supervisord write and read it.
//!
//! The reader is ours: XML-RPC needs elements, text and five entities, and a page of code that knows nothing else
//! cannot be talked into document types, entities of their own, namespaces or files. Every bound is in
//! [`crate::limits`]; an error tells its place.

mod read;
mod value;
mod write;
mod xml;

pub use read::{BadXmlRpc, read_call, read_response};
pub use value::{Fault, MethodCall, Value};
pub use write::{write_call, write_response};

#[cfg(test)]
mod tests;
