//! `ganger attach`: a worker's terminal in this one.

mod keys;
mod plain;
mod view;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ganger_api::{AttachQuery, Attachment, ClientError, FromWorker, Place};
use ganger_spec::Signal;
use rustix::termios::isatty;

use crate::ask::{block_on, find};
use crate::cli::{AttachArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Told, Tty};
pub(crate) use keys::DetachKeys;
use keys::Detector;
use view::{Step, View, Words};

/// So many bytes wait for the viewer's terminal before no more are taken.
const WAITING_MAX: usize = 64 * 1024;
/// What was typed before the keys that detach is sent within this.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// Attaches this terminal; without one, stdin and stdout.
pub(crate) fn run(place: &Where, args: &AttachArgs) -> Outcome {
    let (running, _) = find(place)?;
    block_on(async {
        if isatty(io::stdin()) && isatty(io::stdout()) {
            let tty = Tty::open()?;
            Attached::begin(&tty, &running, args).await?.show().await.into_outcome()
        } else {
            plain::run(&running, args).await
        }
    })
}

/// How a worker was let go that had the terminal of a screen.
pub(super) enum Within {
    /// The screen goes on.
    LetGo,
    /// It could not be attached to, or not for longer: why.
    Failed(String),
    /// The screen is to end, too.
    Signalled(Signal),
}

/// Gives the terminal of a screen to a worker until that is let go. The screen enters again afterwards.
pub(super) async fn within(tty: &Tty, place: &Place, worker: &str) -> Within {
    let args = AttachArgs { name: worker.to_owned(), no_history: true, ..AttachArgs::default() };
    let attached = match Attached::begin(tty, place, &args).await {
        Ok(attached) => attached,
        Err(failure) => return Within::Failed(failure.message),
    };
    tty.exit().await;
    match attached.show().await {
        End::Detached | End::RunEnded | End::AppEnded | End::Signalled(Signal::INT) => Within::LetGo,
        End::Signalled(signal) => Within::Signalled(signal),
        End::Failed(failure) => Within::Failed(failure.message),
    }
}

/// A terminal that shows a worker's.
struct Attached<'a> {
    tty: &'a Tty,
    attachment: Attachment,
    view: View,
    detector: Detector,
    once: bool,
    /// What is still to be shown, and how much of it is.
    waiting: Vec<u8>,
    shown: usize,
}

/// Why it is left.
enum End {
    Detached,
    RunEnded,
    AppEnded,
    Signalled(Signal),
    Failed(Failure),
}

impl End {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Detached | Self::RunEnded | Self::AppEnded | Self::Signalled(Signal::INT) => {
                Ok(ExitCode::SUCCESS)
            }
            Self::Signalled(signal) => {
                Ok(ExitCode::from(u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)))
            }
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl<'a> Attached<'a> {
    async fn begin(tty: &'a Tty, place: &Place, args: &AttachArgs) -> Result<Self, Failure> {
        let (name, size) = (args.name.clone(), Some(tty.size()));
        let query = AttachQuery { name, size, read_only: args.read_only, after: None };
        let attachment = Attachment::open(place, query).await?;
        let keys = args.detach_keys.clone();
        let words = Words {
            keys: keys.spoken(),
            last_key: keys.last(),
            read_only: args.read_only,
            history: !args.no_history,
        };
        let (view, detector) = (View::new(tty.size(), words), Detector::new(keys));
        Ok(Self { tty, attachment, view, detector, once: args.once, waiting: Vec::new(), shown: 0 })
    }

    /// Shows it until it is left, and gives the terminal back.
    async fn show(mut self) -> End {
        let end = loop {
            if let Some(end) = self.turn().await {
                break end;
            }
        };
        let text = match &end {
            End::Detached | End::Signalled(Signal::INT) => "detached from {worker}, which goes on",
            End::RunEnded | End::Signalled(_) => "detached from {worker}",
            End::AppEnded => "detached from {worker}: the app has ended",
            End::Failed(_) => "the connection is lost",
        };
        let mut last = self.waiting.split_off(self.shown);
        if !matches!(end, End::RunEnded | End::AppEnded) {
            // Nobody waits for what is still to be shown. It may have been cut in the middle of something.
            last = b"\x18".to_vec();
        }
        last.extend(self.view.take_out());
        last.extend(self.view.farewell(text));
        self.tty.leave(&last).await;
        if matches!(end, End::Detached) {
            // Who does not read it within the bound has it not.
            let _ = tokio::time::timeout(SENT_WITHIN, self.attachment.send_all()).await;
        }
        end
    }

    /// Waits for one thing, and does what follows from it.
    async fn turn(&mut self) -> Option<End> {
        if self.waiting.is_empty() {
            self.waiting = self.view.take_out();
        }
        let has_room = self.waiting.len() < WAITING_MAX && !self.view.has_news() || self.waiting.is_empty();
        tokio::select! {
            frame = heard(&mut self.attachment, has_room) => self.frame(frame),
            told = self.tty.told() => match told {
                Ok(Told::Typed(bytes)) => self.typed(&bytes),
                Ok(Told::Resized) => {
                    let size = self.tty.size();
                    self.attachment.resize(size);
                    self.view.resized(size);
                    None
                }
                Ok(Told::End(signal)) => Some(End::Signalled(signal)),
                Err(failure) => Some(End::Failed(failure)),
            },
            shown = self.tty.show(&self.waiting[self.shown..]), if !self.waiting.is_empty() => {
                match shown {
                    Ok(length) => self.was_shown(length),
                    Err(_) => return Some(End::Signalled(Signal::HUP)),
                }
                None
            }
        }
    }

    fn frame(&mut self, frame: Result<FromWorker, ClientError>) -> Option<End> {
        match frame {
            Ok(frame) => match self.view.take(frame) {
                Step::GoOn => None,
                Step::Keyboard(keyboard) => self.tty.set(keyboard).err().map(End::Failed),
                Step::Ended => self.once.then_some(End::RunEnded),
            },
            Err(ClientError::NotRunning { .. } | ClientError::Ended) => Some(End::AppEnded),
            Err(error) => Some(End::Failed(error.into())),
        }
    }

    /// Nothing is typed when the terminal is gone, or the end of input is.
    fn typed(&mut self, bytes: &[u8]) -> Option<End> {
        let (passed, detached) = self.detector.typed(bytes);
        self.view.typed();
        self.attachment.input(&passed);
        (detached || bytes.is_empty()).then_some(End::Detached)
    }

    fn was_shown(&mut self, length: usize) {
        self.shown += length;
        if self.shown == self.waiting.len() {
            self.waiting.clear();
            self.shown = 0;
        }
    }
}

/// What the server says next. Where there is no room for it, what is typed is sent all the same.
async fn heard(attachment: &mut Attachment, has_room: bool) -> Result<FromWorker, ClientError> {
    if has_room {
        return attachment.next().await;
    }
    attachment.send_all().await;
    std::future::pending().await
}
