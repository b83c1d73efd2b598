//! What must hold for any bytes that reach a parser or a protocol.
//!
//! Each [`Target`] takes bytes and panics if a promise about them does not hold: no panic of the code itself, an error
//! says where, what is read and written again is the same. The suite plays the corpora below `fuzz/corpus` and, with
//! a fixed seed, [mutations](mutated) of them; `cargo fuzz` looks for more with the very same functions.

mod api;
mod files;
mod keeper;
mod listener;
mod mutate;
mod words;
mod xmlrpc;

pub use mutate::mutated;

/// Something that takes bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its corpus and of its binary under `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Panics if a promise does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Words of its language, from which mutations are made.
    pub words: &'static [&'static str],
}

/// Every target.
pub const TARGETS: [Target; 14] = [
    Target { name: "procfile", check: files::procfile, words: files::PROCFILE },
    Target { name: "dotenv", check: files::dotenv, words: files::DOTENV },
    Target { name: "foreman", check: files::foreman, words: files::FOREMAN },
    Target { name: "native", check: files::native, words: files::NATIVE },
    Target { name: "supervisor", check: files::supervisor, words: files::SUPERVISOR },
    Target { name: "formation", check: words::formation, words: words::FORMATION },
    Target { name: "options", check: words::options, words: words::OPTIONS },
    Target { name: "request", check: api::request, words: api::REQUEST },
    Target { name: "cursor", check: api::cursor, words: api::CURSOR },
    Target { name: "answer", check: api::answer, words: api::ANSWER },
    Target { name: "stream", check: api::stream, words: api::STREAM },
    Target { name: "frame", check: keeper::frame, words: keeper::FRAME },
    Target { name: "xmlrpc", check: xmlrpc::xmlrpc, words: xmlrpc::XMLRPC },
    Target { name: "listener", check: listener::listener, words: listener::LISTENER },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
