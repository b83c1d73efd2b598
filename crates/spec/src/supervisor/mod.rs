//! supervisord's configuration file, as its own parser takes it.

mod each;
mod expand;
mod group;
mod words;

pub use each::Each;
pub use group::{Autorestart, FcgiSocket, Listener, SupervisorGroup, SupervisorStream};

/// A path whose `~` is the home directory of ganger's user.
fn home(text: &str) -> String {
    text.to_owned()
}
