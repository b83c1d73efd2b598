//! `ganger top`: what workers use, looked at again and again, by a client that does nothing else.

mod keys;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use ganger_api::{Client, Data, Request, WorkersInfo};
use ganger_spec::Signal;
use jiff::Zoned;
use tokio::time::{Instant, sleep_until};

use crate::ask::{ask_at, block_on, find, unexpected};
use crate::cli::{TopArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::output::{show, terminal_width};
use crate::render::{View, top, top_frame, top_title};
use crate::style::Style;
use crate::terminal::{Told, Tty};
use keys::Wish;

/// Shows what workers use: in a terminal until it is told to end, elsewhere once.
pub(crate) fn run(place: &Where, args: TopArgs) -> Outcome {
    let (running, app) = find(place)?;
    let request = Request::Workers { names: args.names };
    let view = View { sort: args.sort, reversed: false, folded: false, scrolled: 0 };
    if args.once || args.json || !std::io::stdout().is_terminal() {
        let Data::Workers(info) = ask_at(&running, &request)? else { return Err(unexpected()) };
        show(args.json, &info, |info| top(info, view, Style::of_stdout(), terminal_width()))?;
        return Ok(ExitCode::SUCCESS);
    }
    block_on(async {
        let looker = Looker { client: Client::connect(&running).await?, request, interval: args.interval };
        live(looker, &app.name, view).await
    })
}

/// Asks again and again.
struct Looker {
    client: Client,
    request: Request,
    interval: Duration,
}

impl Looker {
    /// The next answer, not before that moment, and when it was asked for.
    async fn look(mut self, at: Instant) -> Result<(Self, WorkersInfo, Instant), Failure> {
        sleep_until(at).await;
        let asked = Instant::now();
        let Data::Workers(info) = self.client.request(&self.request).await? else { return Err(unexpected()) };
        Ok((self, info, asked))
    }
}

/// Shows the answers on a screen of their own.
async fn live(looker: Looker, app: &str, view: View) -> Outcome {
    let first = looker.look(Instant::now()).await?;
    let tty = Tty::open()?;
    tty.enter().await?;
    let outcome = follow(&tty, first, app, view).await;
    tty.exit().await;
    outcome
}

/// Shows each answer, and does what the keys say, until one or a signal says to end.
async fn follow(
    tty: &Tty,
    (looker, mut info, asked): (Looker, WorkersInfo, Instant),
    app: &str,
    mut view: View,
) -> Outcome {
    let interval = looker.interval;
    let style = Style::of_stdout();
    let mut next = Box::pin(looker.look(asked + interval));
    // What is on its way to the terminal: one that is slow gets the latest when it has taken that.
    let (mut frame, mut shown, mut is_new) = (String::new(), 0, true);
    loop {
        let size = tty.size();
        let (columns, rows) = (usize::from(size.columns), usize::from(size.rows));
        if is_new && shown == frame.len() {
            let clock = Zoned::now().strftime("%H:%M:%S").to_string();
            let title = top_title(app, &clock, &info, style);
            // In one write: nothing flickers. Each line is cleared behind its text, then all below the last.
            let lines = top_frame(&info, &mut view, &title, style, (columns, rows)).join("\x1b[K\r\n");
            (frame, shown, is_new) = (format!("\x1b[H{lines}\x1b[K\x1b[J"), 0, false);
        }
        tokio::select! {
            more = tty.show(&frame.as_bytes()[shown..]), if shown < frame.len() => {
                shown += more?;
                continue;
            }
            answer = &mut next => {
                let (looker, fresh, asked) = answer?;
                info = fresh;
                next = Box::pin(looker.look(asked + interval));
            }
            told = tty.told() => match told? {
                // The terminal is gone.
                Told::Typed(bytes) if bytes.is_empty() => return Ok(status_of(Signal::HUP)),
                Told::Typed(bytes) => {
                    if keys::parse(&bytes).into_iter().any(|key| keys::press(key, &mut view, rows) == Wish::Leave) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Told::Resized => {}
                Told::End(signal) => return Ok(status_of(signal)),
            },
        }
        is_new = true;
    }
}

/// The status of a process that this signal ended; Ctrl-C is the usual way to leave.
fn status_of(signal: Signal) -> ExitCode {
    match signal {
        Signal::INT => ExitCode::SUCCESS,
        other => ExitCode::from(u8::try_from(128 + other.number()).unwrap_or(u8::MAX)),
    }
}
