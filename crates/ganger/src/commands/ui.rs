//! `ganger ui`: the app on the whole terminal, by a client of the API. What is shown, and what keys do, is `ganger_ui`'s
//! to know; here it is told what happens, and what it asks for is done.

mod errands;
mod pace;

use std::io::IsTerminal;
use std::process::ExitCode;

use ganger_api::{Place, Request, Time};
use ganger_spec::Signal;
use ganger_ui::{Buffer, Decoder, Effect, Message, Press, Setup, paint};
use jiff::tz::TimeZone;
use tokio::time::sleep_until;

use super::attach::{self, Within};
use crate::ask::{ask_at, block_on, find};
use crate::cli::{UiArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::style::Style;
use crate::terminal::{Told, Tty, mouse};
use errands::Errands;
use pace::Pace;

/// So many messages are taken before the screen is drawn and keys are looked for.
const MESSAGES_AT_ONCE: usize = 16;

/// Shows the running app.
pub(crate) fn run(place: &Where, _: &UiArgs) -> Outcome {
    demand_terminal()?;
    let (running, app) = find(place)?;
    show(&running, &app.name, false)
}

/// There is no screen without a terminal.
pub(crate) fn demand_terminal() -> Result<(), Failure> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    let failure = Failure::usage("the screen needs a terminal as stdin and stdout");
    Err(failure.hinted("`ganger ps` and `ganger logs -f` print the same anywhere"))
}

/// Shows the app in this place until the user leaves; one that belongs to the screen ends with it.
pub(crate) fn show(place: &Place, app: &str, owns_app: bool) -> Outcome {
    let left = block_on(async {
        let tty = Tty::open()?;
        tty.enter().await?;
        let left = Stage::set(&tty, place, app, owns_app).play().await;
        tty.exit().await;
        left
    })?;
    match left {
        Left::ByUser => Ok(ExitCode::SUCCESS),
        Left::BySignal(signal) => {
            if owns_app {
                // One that is gone has ended.
                let _ = ask_at(place, &Request::Quit { now: false });
            }
            Ok(ExitCode::from(u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)))
        }
    }
}

/// Why the screen is left.
#[derive(Clone, Copy, Debug)]
enum Left {
    ByUser,
    BySignal(Signal),
}

/// The screen, and what it acts on.
struct Stage<'a> {
    tty: &'a Tty,
    screen: ganger_ui::Screen,
    /// What the terminal shows when it has taken all that is on its way.
    shown: Option<Buffer>,
    /// What is on its way to the terminal, and how much of it is there.
    out: Vec<u8>,
    sent: usize,
    decoder: Decoder,
    errands: Errands,
    pace: Pace,
    place: &'a Place,
    /// The worker that the whole terminal is given to.
    guest: Option<String>,
    left: Option<Left>,
}

impl<'a> Stage<'a> {
    fn set(tty: &'a Tty, place: &'a Place, app: &str, owns_app: bool) -> Self {
        let setup = Setup {
            app: app.to_owned(),
            owns_app,
            now: Time(jiff::Timestamp::now()),
            zone: TimeZone::system(),
            size: size_of(tty),
            coloured: Style::of_stdout().coloured,
        };
        let errands = Errands::new(place.clone(), setup.now);
        let (screen, effects) = ganger_ui::Screen::new(setup);
        let mut stage = Self {
            tty,
            screen,
            shown: None,
            out: Vec::new(),
            sent: 0,
            decoder: Decoder::default(),
            errands,
            pace: Pace::new(),
            place,
            guest: None,
            left: None,
        };
        stage.carry_out(effects);
        stage
    }

    /// Until it is left. Nothing wakes it but news: keys, signals, messages, and while there was one lately the next
    /// look. A terminal that is slow gets the latest picture when it has taken the one before.
    async fn play(mut self) -> Result<Left, Failure> {
        self.draw();
        loop {
            let mut is_urgent = false;
            let is_through = self.out.is_empty();
            tokio::select! {
                biased;
                told = self.tty.told() => {
                    is_urgent = true;
                    self.told(told?);
                }
                shown = self.tty.show(&self.out[self.sent..]), if !is_through => match shown {
                    Ok(length) => self.was_shown(length),
                    // There is no terminal any more.
                    Err(_) => self.left = Some(Left::BySignal(Signal::HUP)),
                },
                () = sleep_until(self.pace.frame), if self.pace.is_dirty && is_through => self.draw(),
                message = self.errands.next() => self.messages(message),
                () = sleep_until(self.pace.look), if self.pace.is_awake => self.look(),
            }
            if let Some(worker) = self.guest.take() {
                self.give_way(&worker).await?;
            }
            if let Some(left) = self.left {
                return Ok(left);
            }
            if self.out.is_empty() && (is_urgent || self.pace.may_draw()) {
                self.draw();
            }
        }
    }

    /// Gives the whole terminal to a worker until it is let go.
    async fn give_way(&mut self, worker: &str) -> Result<(), Failure> {
        let why_not = match attach::within(self.tty, self.place, worker).await {
            Within::LetGo => None,
            Within::Failed(why) => Some(why),
            Within::Signalled(signal) => {
                self.left = Some(Left::BySignal(signal));
                return Ok(());
            }
        };
        // What was on its way, or shown, is gone.
        (self.out, self.sent, self.shown) = (Vec::new(), 0, None);
        self.tty.enter().await?;
        self.update(Message::Attached(why_not));
        let (columns, rows) = size_of(self.tty);
        self.update(Message::Resized(columns, rows));
        self.draw();
        Ok(())
    }

    fn was_shown(&mut self, length: usize) {
        self.sent += length;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            // The terminal is gone.
            Told::Typed(bytes) if bytes.is_empty() => self.left = Some(Left::BySignal(Signal::HUP)),
            Told::Typed(bytes) => {
                for press in self.decoder.feed(&bytes) {
                    self.update(Message::Press(press));
                }
                self.awake();
            }
            Told::Resized => {
                let (columns, rows) = size_of(self.tty);
                self.update(Message::Resized(columns, rows));
            }
            Told::End(Signal::INT) => self.update(Message::Press(Press::Ctrl('c'))),
            Told::End(signal) => self.left = Some(Left::BySignal(signal)),
        }
    }

    /// Takes this message, and those that wait behind it.
    fn messages(&mut self, first: Message) {
        let mut next = Some(first);
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = next else { break };
            if matches!(message, Message::Happened(_)) {
                self.awake();
            }
            if matches!(message, Message::Ended(_)) {
                self.pace.rest();
            }
            self.update(message);
            next = self.errands.ready();
        }
    }

    /// Somebody is there, or something happens: figures are looked at again for a while.
    fn awake(&mut self) {
        if self.pace.awake() {
            self.errands.look();
        }
    }

    /// It is time for another look, or for none any more.
    fn look(&mut self) {
        if self.pace.tick() {
            return self.errands.look();
        }
        self.update(Message::Rested);
    }

    fn update(&mut self, message: Message) {
        let effects = self.screen.update(message);
        self.pace.is_dirty = true;
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Look => self.errands.look(),
                Effect::Follow { window, query } => self.errands.follow(window, *query),
                Effect::Unfollow => self.errands.unfollow(),
                Effect::Page(page) => self.errands.page(page),
                Effect::View { window, worker } => self.errands.view(window, worker),
                Effect::Unview => self.errands.unview(),
                Effect::Fit(size) => self.errands.fit(size),
                Effect::Attach(worker) => self.guest = Some(worker),
                Effect::Ask { request, words } => self.errands.ask(request, words),
                Effect::Mouse(take) => self.out.extend_from_slice(mouse(take)),
                Effect::Leave => self.left = Some(Left::ByUser),
            }
        }
    }

    /// Shows what changed since the last picture.
    fn draw(&mut self) {
        let picture = self.screen.picture();
        self.out.extend_from_slice(&paint(self.shown.as_ref(), &picture));
        self.shown = Some(picture);
        self.pace.drawn();
    }
}

fn size_of(tty: &Tty) -> (u16, u16) {
    let size = tty.size();
    (size.columns, size.rows)
}
