//! A session: actions that are typed one after the other.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::Stop;
use super::actions::{self, Next};
use super::editor::{Editor, Typed};
use super::session::{Session, Trouble};
use crate::failure::Outcome;

/// Shows the state of everything, then does what is typed. Its exit status says nothing.
pub(super) fn run(session: &mut Session) -> Outcome {
    match talk(session) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stop::Interrupted) => {
            println!();
            Ok(ExitCode::SUCCESS)
        }
        Err(stop) => stop.outcome(),
    }
}

fn talk(session: &mut Session) -> Result<(), Stop> {
    let mut editor =
        if has_keyboard() { Some(Editor::open(session.settings.history_file.clone())?) } else { None };
    let prompt = format!("{}> ", session.settings.prompt);
    let mut line = Some("status".to_owned());
    while let Some(action) = line {
        if actions::line(session, &action)? == Next::Leave {
            return Ok(());
        }
        line = match &mut editor {
            Some(editor) => match editor.line(&prompt, session.client().ok())? {
                Typed::Line(line) => Some(line),
                Typed::End => None,
                Typed::Interrupted => return Err(Stop::Interrupted),
            },
            None => plain_line(session, &prompt)?,
        };
    }
    actions::line(session, "EOF")?;
    Ok(())
}

/// Whether a person sits at a terminal that can move its cursor.
fn has_keyboard() -> bool {
    let can_move = std::env::var_os("TERM").is_some_and(|term| term != "dumb" && !term.is_empty());
    can_move && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A line as it comes; none at the end.
fn plain_line(session: &mut Session, prompt: &str) -> Result<Option<String>, Stop> {
    session.line(prompt).map_err(|trouble| match trouble {
        Trouble::Stop(stop) => stop,
        Trouble::Client(_) | Trouble::Exception(_) => Stop::Interrupted,
    })
}
