//! One client of Overmind's: its lines, and what they come to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ganger_api::limits::MAX_OVERMIND_LINE;
use ganger_api::overmind::{self, ANSWERED, Ask, Asked, DONE, FAILED, HINT, NO_TMUX, Row};
use ganger_api::{ApiError, Data, ErrorCode, Request, WorkerInfo, WorkerState};
use ganger_spec::{Overmind, Signal, WorkerName, matches, suggest};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};

use super::echo;
use crate::server::Server;

/// Who connects, or has been answered, asks within this.
const ASKED_WITHIN: Duration = Duration::from_mins(10);

/// What clients of one app have in common.
pub(super) struct Session {
    pub(super) server: Arc<Server>,
    pub(super) overmind: Overmind,
    app_id: String,
}

/// Which names a client may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Any: one that is nobody's means nobody, as it does to Overmind.
    AsFarAsKnown,
    /// One that is nobody's is a mistake, which is told.
    AllKnown,
}

/// A worker under Overmind's name.
struct Process {
    name: String,
    info: WorkerInfo,
}

impl Session {
    pub(super) fn new(server: Arc<Server>, overmind: Overmind, app_id: String) -> Self {
        Self { server, overmind, app_id }
    }

    /// Whether a user may ask.
    pub(super) fn admits(&self, uid: u32) -> bool {
        self.server.is_owner(uid)
    }

    /// Answers line by line until the client has no more to ask.
    pub(super) async fn attend(&self, client: impl AsyncRead + AsyncWrite + Send + Unpin) -> io::Result<()> {
        let (reader, mut writer) = tokio::io::split(client);
        let mut reader = BufReader::new(reader);
        loop {
            let line = tokio::select! {
                line = tokio::time::timeout(ASKED_WITHIN, next_line(&mut reader)) => line,
                () = self.server.engine.closed() => return Ok(()),
            };
            let Ok(Some(line)) = line.unwrap_or(Ok(None)) else { return Ok(()) };
            let Some(Asked { ask, answered }) = overmind::read(&line) else { continue };
            match ask {
                Ask::Echo => return echo::run(self, &mut writer).await,
                Ask::Status => {
                    let table = self.status().await.unwrap_or_else(|error| format!("{error}\n"));
                    writer.write_all(table.as_bytes()).await?;
                    return writer.shutdown().await;
                }
                Ask::Connection(name) if !answered => {
                    // Their client begins tmux with this, which tells what there is instead.
                    let found = self.one(name.as_deref()).await;
                    let place = found.map(|worker| format!("{NO_TMUX} {worker}")).unwrap_or_default();
                    writer.write_all(format!("{place}\n").as_bytes()).await?;
                }
                // Who is not answered is not told either that it failed: it is in the events.
                ask if !answered => drop(self.act(ask, Names::AsFarAsKnown).await),
                ask => {
                    writer.write_all(format!("{ANSWERED}\n").as_bytes()).await?;
                    let answer = answer(&self.act(ask, Names::AllKnown).await);
                    writer.write_all(answer.as_bytes()).await?;
                    return writer.shutdown().await;
                }
            }
        }
    }

    /// Does it; gives what was asked for.
    async fn act(&self, ask: Ask, names: Names) -> Result<String, ApiError> {
        match ask {
            Ask::Restart(patterns) => {
                let chosen = self.chosen(&patterns, names).await?;
                self.kill_stopping(&chosen).await?;
                self.ask(Request::Restart { names: listed(&chosen) }, &chosen).await?;
            }
            Ask::Stop(patterns) => {
                let chosen = self.chosen(&patterns, names).await?;
                self.kill_stopping(&chosen).await?;
                self.ask(Request::Stop { names: listed(&chosen) }, &chosen).await?;
            }
            Ask::Quit => self.end(false).await?,
            Ask::Kill => self.end(true).await?,
            Ask::Connection(name) => {
                let worker = self.one(name.as_deref()).await?;
                return Ok(format!("{} {worker}", self.app_id));
            }
            Ask::Echo | Ask::Status => {}
        }
        Ok(String::new())
    }

    /// Ends the app: when this is done, another may start.
    async fn end(&self, now: bool) -> Result<(), ApiError> {
        self.server.ask(Request::Quit { now }).await?;
        self.server.engine.closed().await;
        Ok(())
    }

    /// Asks for something of workers; of none it is done already.
    async fn ask(&self, request: Request, chosen: &[Process]) -> Result<(), ApiError> {
        if !chosen.is_empty() {
            self.server.ask(request).await?;
        }
        Ok(())
    }

    /// Who was told to stop before, and still does, has had its time.
    async fn kill_stopping(&self, chosen: &[Process]) -> Result<(), ApiError> {
        let stopping = chosen.iter().filter(|process| process.info.state == WorkerState::Stopping);
        let names: Vec<String> = stopping.map(|process| process.info.name.to_string()).collect();
        if names.is_empty() {
            return Ok(());
        }
        match self.server.ask(Request::Signal { names, signal: Signal::KILL }).await {
            Err(error) if error.code == ErrorCode::ShuttingDown => Err(error),
            // Where that failed, it has ended meanwhile.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn processes(&self) -> Result<Vec<Process>, ApiError> {
        let Data::Workers(info) = self.server.ask(Request::Workers { names: Vec::new() }).await? else {
            return Err(ApiError::new(ErrorCode::Internal, "the engine answered something else"));
        };
        let named = |info: WorkerInfo| Process { name: self.overmind.name(&info.name), info };
        Ok(info.workers.into_iter().map(named).collect())
    }

    /// The processes that these patterns name, all if there are none. Ganger's names are understood too.
    async fn chosen(&self, patterns: &[String], names: Names) -> Result<Vec<Process>, ApiError> {
        let mut processes = self.processes().await?;
        if patterns.is_empty() {
            return Ok(processes);
        }
        let fits = |pattern: &str, process: &Process| {
            let Process { name, info } = process;
            [name, &info.group, &info.name.to_string()].iter().any(|known| matches(pattern, known))
        };
        for pattern in patterns {
            if names == Names::AllKnown && !processes.iter().any(|process| fits(pattern, process)) {
                return Err(unknown(pattern, &processes));
            }
        }
        processes.retain(|process| patterns.iter().any(|pattern| fits(pattern, process)));
        Ok(processes)
    }

    /// The process of this name; the first one if none is named.
    async fn one(&self, name: Option<&str>) -> Result<WorkerName, ApiError> {
        let processes = self.processes().await?;
        let found = match name {
            None => processes.first(),
            Some(name) => processes
                .iter()
                .find(|process| process.name == name || process.info.name.to_string() == name)
                .or_else(|| processes.iter().find(|process| process.info.group == name)),
        };
        match found {
            Some(process) => Ok(process.info.name.clone()),
            None => Err(unknown(name.unwrap_or_default(), &processes)),
        }
    }

    async fn status(&self) -> Result<String, ApiError> {
        let rows = self.processes().await?.into_iter();
        let rows: Vec<Row> =
            rows.map(|Process { name, info }| Row { name, pid: info.pid.unwrap_or(0) }).collect();
        Ok(overmind::status(&rows))
    }
}

fn listed(chosen: &[Process]) -> Vec<String> {
    chosen.iter().map(|process| process.info.name.to_string()).collect()
}

fn unknown(pattern: &str, processes: &[Process]) -> ApiError {
    let names = || processes.iter().map(|process| process.name.as_str());
    let hint = match suggest(pattern, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
    };
    ApiError::new(ErrorCode::UnknownName, format!("no process `{pattern}`")).with_hint(hint)
}

/// The lines of an answer.
fn answer(result: &Result<String, ApiError>) -> String {
    let flat = |text: &str| text.lines().collect::<Vec<_>>().join("; ");
    match result {
        Ok(text) => format!("{DONE} {text}\n"),
        Err(error) => {
            let hint = error.hint.as_ref().map(|hint| format!("{HINT} {}\n", flat(hint))).unwrap_or_default();
            format!("{FAILED} {}\n{hint}", flat(&error.message))
        }
    }
}

/// The next line; the last one may end with the connection. None at its end, or if it is longer than any.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let bound = u64::try_from(MAX_OVERMIND_LINE).unwrap_or(u64::MAX);
    let read = reader.take(bound).read_until(b'\n', &mut line).await?;
    let is_whole = line.ends_with(b"\n") || line.len() < MAX_OVERMIND_LINE;
    Ok((read > 0 && is_whole).then(|| String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_line_has_a_bound_and_may_end_with_the_connection() {
        let mut two: &[u8] = b"status\nquit";
        assert_eq!(next_line(&mut two).await.unwrap().as_deref(), Some("status\n"));
        assert_eq!(next_line(&mut two).await.unwrap().as_deref(), Some("quit"));
        assert_eq!(next_line(&mut two).await.unwrap(), None);
        let longest = [&b"x".repeat(MAX_OVERMIND_LINE - 1)[..], b"\n"].concat();
        assert!(next_line(&mut longest.as_slice()).await.unwrap().is_some());
        let longer = b"x".repeat(MAX_OVERMIND_LINE);
        assert_eq!(next_line(&mut longer.as_slice()).await.unwrap(), None);
    }

    #[test]
    fn an_answer_is_a_line_and_perhaps_a_hint() {
        assert_eq!(answer(&Ok("app web.1".to_owned())), "done app web.1\n");
        let error = ApiError::new(ErrorCode::UnknownName, "a\nb").with_hint("c");
        assert_eq!(answer(&Err(error)), "failed a; b\nhint c\n");
    }
}
