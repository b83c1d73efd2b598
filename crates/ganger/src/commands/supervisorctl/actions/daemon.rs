//! Actions on the daemon: version, shutdown, reload, open.

use std::io::ErrorKind;

use ganger_api::supervisor::{ClientError, Fault};

use super::{Done, bare, exit, is_up, raised, status, tried};
use crate::commands::supervisorctl::session::{Session, Trouble};

pub(super) fn version(session: &mut Session, argument: &str) -> Done {
    if !bare(session, "version", argument)? || !is_up(session)? {
        return Ok(());
    }
    let version = session.text("getSupervisorVersion", &[])?;
    session.say(&version)
}

/// Asks whether it is meant, where there is somebody to ask.
fn sure(session: &mut Session, question: &str) -> Result<bool, Trouble> {
    if !session.interactive {
        return Ok(true);
    }
    Ok(session.ask(question)?.to_lowercase().starts_with('y'))
}

pub(super) fn shutdown(session: &mut Session, argument: &str) -> Done {
    if !bare(session, "shutdown", argument)?
        || !sure(session, "Really shut the remote supervisord process down y/N? ")?
    {
        return Ok(());
    }
    let url = session.settings.server_url.clone();
    let message = match tried(session.call("shutdown", &[])) {
        Ok(Ok(_)) => return session.say("Shut down"),
        Ok(Err(fault)) if fault.code == Fault::ShutdownState.code() => {
            return session.say("ERROR: already shutting down");
        }
        Ok(Err(fault)) => return Err(raised(fault)),
        Err(Trouble::Client(ClientError::Connect(error))) => match error.kind() {
            ErrorKind::ConnectionRefused => format!("ERROR: {url} refused connection (already shut down?)"),
            ErrorKind::NotFound => format!("ERROR: {url} no such file (already shut down?)"),
            _ => return Err(ClientError::Connect(error).into()),
        },
        Err(other) => return Err(other),
    };
    session.status = exit::GENERIC;
    session.say(&message)
}

pub(super) fn reload(session: &mut Session, argument: &str) -> Done {
    if !bare(session, "reload", argument)?
        || !sure(session, "Really restart the remote supervisord process y/N? ")?
    {
        return Ok(());
    }
    match tried(session.call("restart", &[]))? {
        Ok(_) => session.say("Restarted supervisord"),
        Err(fault) => {
            session.status = exit::GENERIC;
            if fault.code == Fault::ShutdownState.code() {
                return session.say("ERROR: already shutting down");
            }
            Err(raised(fault))
        }
    }
}

/// Talks to another server from now on, and shows how it is there.
pub(super) fn open(session: &mut Session, argument: &str) -> Done {
    let scheme = argument.split_once(':').map(|(scheme, _)| scheme.to_lowercase());
    if !matches!(scheme.as_deref(), Some("unix" | "http")) {
        session.status = exit::GENERIC;
        return session.say("ERROR: url must be http:// or unix://");
    }
    argument.clone_into(&mut session.settings.server_url);
    session.disconnect();
    let before = session.status;
    status::status(session, "")?;
    session.status = before;
    Ok(())
}
