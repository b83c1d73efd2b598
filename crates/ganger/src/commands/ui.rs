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

use crate::ask::{ask_at, block_on, find};
use crate::cli::{UiArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::style::Style;
use crate::terminal::{Screen as Terminal, Told};
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
        let terminal = Terminal::enter()?;
        let size = size_of(&terminal);
        let setup = Setup {
            app: app.to_owned(),
            owns_app,
            now: Time(jiff::Timestamp::now()),
            zone: TimeZone::system(),
            size,
            coloured: Style::of_stdout().coloured,
        };
        let errands = Errands::new(place.clone(), setup.now);
        let (screen, effects) = ganger_ui::Screen::new(setup);
        let mut stage = Stage {
            terminal,
            screen,
            shown: None,
            decoder: Decoder::default(),
            errands,
            pace: Pace::new(),
            left: None,
        };
        stage.carry_out(effects)?;
        stage.play().await
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
struct Stage {
    terminal: Terminal,
    screen: ganger_ui::Screen,
    /// What the terminal shows.
    shown: Option<Buffer>,
    decoder: Decoder,
    errands: Errands,
    pace: Pace,
    left: Option<Left>,
}

impl Stage {
    /// Until it is left. Nothing wakes it but news: keys, signals, messages, and while there was one lately the next
    /// look.
    async fn play(&mut self) -> Result<Left, Failure> {
        self.draw()?;
        loop {
            let mut is_urgent = false;
            tokio::select! {
                biased;
                told = self.terminal.told() => {
                    is_urgent = true;
                    self.told(told?)?;
                }
                () = sleep_until(self.pace.frame), if self.pace.is_dirty => self.draw()?,
                message = self.errands.next() => self.messages(message)?,
                () = sleep_until(self.pace.look), if self.pace.is_awake => self.look()?,
            }
            if let Some(left) = self.left {
                return Ok(left);
            }
            if is_urgent || self.pace.may_draw() {
                self.draw()?;
            }
        }
    }

    fn told(&mut self, told: Told) -> Result<(), Failure> {
        match told {
            Told::Typed(bytes) => {
                for press in self.decoder.feed(&bytes) {
                    self.update(Message::Press(press))?;
                }
                self.awake();
                Ok(())
            }
            Told::Resized => {
                let (columns, rows) = size_of(&self.terminal);
                self.update(Message::Resized(columns, rows))
            }
            Told::End(Signal::INT) => self.update(Message::Press(Press::Ctrl('c'))),
            Told::End(signal) => {
                self.left = Some(Left::BySignal(signal));
                Ok(())
            }
        }
    }

    /// Takes this message, and those that wait behind it.
    fn messages(&mut self, first: Message) -> Result<(), Failure> {
        let mut next = Some(first);
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = next else { break };
            if matches!(message, Message::Happened(_)) {
                self.awake();
            }
            if matches!(message, Message::Ended(_)) {
                self.pace.rest();
            }
            self.update(message)?;
            next = self.errands.ready();
        }
        Ok(())
    }

    /// Somebody is there, or something happens: figures are looked at again for a while.
    fn awake(&mut self) {
        if self.pace.awake() {
            self.errands.look();
        }
    }

    /// It is time for another look, or for none any more.
    fn look(&mut self) -> Result<(), Failure> {
        if self.pace.tick() {
            self.errands.look();
            return Ok(());
        }
        self.update(Message::Rested)
    }

    fn update(&mut self, message: Message) -> Result<(), Failure> {
        let effects = self.screen.update(message);
        self.pace.is_dirty = true;
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        for effect in effects {
            match effect {
                Effect::Look => self.errands.look(),
                Effect::Follow { window, query } => self.errands.follow(window, *query),
                Effect::Unfollow => self.errands.unfollow(),
                Effect::Page(page) => self.errands.page(page),
                Effect::Ask { request, words } => self.errands.ask(request, words),
                Effect::Mouse(take) => self.terminal.take_mouse(take)?,
                Effect::Leave => self.left = Some(Left::ByUser),
            }
        }
        Ok(())
    }

    /// Shows what changed since the last picture.
    fn draw(&mut self) -> Result<(), Failure> {
        let picture = self.screen.picture();
        let bytes = paint(self.shown.as_ref(), &picture);
        if !bytes.is_empty() {
            self.terminal.write(&bytes)?;
        }
        self.shown = Some(picture);
        self.pace.drawn();
        Ok(())
    }
}

fn size_of(terminal: &Terminal) -> (u16, u16) {
    let (columns, rows) = terminal.size();
    (u16::try_from(columns).unwrap_or(u16::MAX), u16::try_from(rows).unwrap_or(u16::MAX))
}
