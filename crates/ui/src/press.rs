//! What keys do.

use ganger_spec::Signal;

use crate::Press;
use crate::ask::{self, Asked};
use crate::draw::Layout;
use crate::keys::{Command, command};
use crate::log::Space;
use crate::message::Effect;
use crate::mode::{Mode, Purpose, Question, SIGNALS, Typing, signal};
use crate::screen::{Screen, UNDER_WAY_MAX};

/// The wheel moves by so many rows.
const WHEEL_ROWS: isize = 3;

impl Screen {
    pub(crate) fn press(&mut self, press: Press) -> Vec<Effect> {
        match std::mem::replace(&mut self.mode, Mode::Keys) {
            Mode::Keys => self.key(press),
            Mode::Typing(typing) => self.typed(typing, press),
            Mode::Help(scrolled) => self.in_help(scrolled, press),
            Mode::Signals { chosen, pattern } => self.in_signals(chosen, pattern, press),
            Mode::Question(question) => self.in_question(question, press),
        }
    }

    fn key(&mut self, press: Press) -> Vec<Effect> {
        let space = self.space();
        match press {
            Press::WheelUp(column, row) => return self.wheel((column, row), -WHEEL_ROWS, space),
            Press::WheelDown(column, row) => return self.wheel((column, row), WHEEL_ROWS, space),
            Press::Click(column, row) => return self.click(column, row),
            _ => {}
        }
        match command(press) {
            Some(command) => self.command(command, space),
            None => Vec::new(),
        }
    }

    pub(crate) fn command(&mut self, command: Command, space: Space) -> Vec<Effect> {
        if let Some(effects) = self.in_terminal(command, space) {
            return effects;
        }
        match command {
            Command::Up | Command::Down => return self.step(command == Command::Up, space),
            Command::PageUp | Command::PageDown => {
                let half = isize::try_from(space.rows / 2).unwrap_or(1).max(1);
                return self.scroll(if command == Command::PageUp { -half } else { half }, space);
            }
            Command::Start | Command::Stop | Command::Restart | Command::More | Command::Fewer => {
                return self.on_selected(command);
            }
            Command::First => return self.log.go_to_first(space),
            Command::Older => return self.log.seek_older(space),
            Command::Newer => return self.log.seek_newer(space),
            Command::Back => return self.back(),
            Command::Leave => return self.leave(),
            Command::Terminal => return self.turn_over(),
            Command::Attach => return self.attach(),
            Command::Mouse => {
                self.has_mouse = !self.has_mouse;
                return vec![Effect::Mouse(self.has_mouse)];
            }
            Command::Hold if self.log.follows() => self.log.hold(space),
            Command::Hold | Command::Last => return self.log.go_to_last(),
            Command::Focus => self.log_has_focus = !self.log_has_focus,
            Command::Zoom => self.zoomed = !self.zoomed,
            Command::Left | Command::Right => self.log.shift(command == Command::Right),
            Command::Search => self.type_for(Purpose::Search),
            Command::Filter => self.type_for(Purpose::Filter),
            Command::Stamps => self.log.stamps = !self.log.stamps,
            Command::Wrap => {
                self.log.wrap = !self.log.wrap;
                self.log.shift = 0;
            }
            Command::Help => self.mode = Mode::Help(0),
            Command::Signal => self.choose_signal(),
            Command::QuitApp => self.ask_to_quit(),
        }
        Vec::new()
    }

    /// To the row above or below, or a line up or down.
    fn step(&mut self, up: bool, space: Space) -> Vec<Effect> {
        if self.log_has_focus || self.zoomed {
            return self.scroll(if up { -1 } else { 1 }, space);
        }
        self.step_list(up)
    }

    fn scroll(&mut self, rows: isize, space: Space) -> Vec<Effect> {
        if self.live.is_shown() {
            self.live.scroll(rows, space);
            return Vec::new();
        }
        self.log.scroll(rows, space);
        self.log.prefetch(space)
    }

    fn wheel(&mut self, at: (u16, u16), rows: isize, space: Space) -> Vec<Effect> {
        if Layout::of(self).list.is_some_and(|list| list.contains(at.into())) {
            return self.step_list(rows < 0);
        }
        self.scroll(rows, space)
    }

    fn step_list(&mut self, up: bool) -> Vec<Effect> {
        let place = self.roster.place();
        self.roster.select(if up { place.saturating_sub(1) } else { place + 1 });
        self.show_selected()
    }

    fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        let layout = Layout::of(self);
        self.log_has_focus = layout.log.contains((column, row).into());
        match layout.row_at(self, column, row) {
            Some(place) => {
                self.roster.select(place);
                self.show_selected()
            }
            None => Vec::new(),
        }
    }

    fn type_for(&mut self, purpose: Purpose) {
        let text = match purpose {
            Purpose::Filter => self.log.filter.as_ref().map(|filter| filter.text.clone()).unwrap_or_default(),
            Purpose::Search => String::new(),
        };
        self.notice = None;
        self.mode = Mode::Typing(Typing { purpose, text });
    }

    fn typed(&mut self, mut typing: Typing, press: Press) -> Vec<Effect> {
        match press {
            Press::Char(letter) => typing.push(letter),
            Press::Backspace if typing.text.is_empty() => return Vec::new(),
            Press::Backspace => drop(typing.text.pop()),
            Press::Ctrl('u') => typing.text.clear(),
            Press::Escape | Press::Ctrl('c') => return Vec::new(),
            Press::Enter => return self.accept(typing),
            _ => {}
        }
        self.mode = Mode::Typing(typing);
        Vec::new()
    }

    fn accept(&mut self, typing: Typing) -> Vec<Effect> {
        let pattern = match typing.pattern() {
            Ok(pattern) => pattern,
            Err(why) => {
                self.say(why, true);
                self.mode = Mode::Typing(typing);
                return Vec::new();
            }
        };
        self.notice = None;
        match typing.purpose {
            Purpose::Search => {
                let space = self.space();
                self.log.search_for(pattern, space)
            }
            Purpose::Filter => vec![self.log.set_filter(pattern)],
        }
    }

    fn in_help(&mut self, scrolled: usize, press: Press) -> Vec<Effect> {
        let page = usize::from(self.setup.size.1 / 2).max(1);
        let scrolled = match press {
            Press::Up | Press::Char('k') | Press::WheelUp(..) => scrolled.saturating_sub(1),
            Press::Down | Press::Char('j') | Press::WheelDown(..) => scrolled + 1,
            Press::PageUp => scrolled.saturating_sub(page),
            Press::PageDown | Press::Char(' ') => scrolled + page,
            _ => return Vec::new(),
        };
        self.mode = Mode::Help(scrolled.min(crate::draw::help_scroll_max(self.setup.size)));
        Vec::new()
    }

    fn choose_signal(&mut self) {
        match self.roster.selected() {
            Some(row) => self.mode = Mode::Signals { chosen: 0, pattern: row.pattern() },
            None => self.say("there is no worker".to_owned(), true),
        }
    }

    fn in_signals(&mut self, chosen: usize, pattern: String, press: Press) -> Vec<Effect> {
        let chosen = match press {
            Press::Up | Press::Char('k') => chosen.saturating_sub(1),
            Press::Down | Press::Char('j') => (chosen + 1).min(SIGNALS.len() - 1),
            Press::Home => 0,
            Press::End => SIGNALS.len() - 1,
            Press::Enter => {
                return signal(chosen).map(|signal| self.signal(signal, &pattern)).unwrap_or_default();
            }
            Press::Escape | Press::Char('q') | Press::Ctrl('c') => return Vec::new(),
            _ => chosen,
        };
        self.mode = Mode::Signals { chosen, pattern };
        Vec::new()
    }

    fn signal(&mut self, signal: Signal, pattern: &str) -> Vec<Effect> {
        let row = self.roster.rows.iter().find(|row| row.pattern() == *pattern);
        let workers = row.map_or(0, |row| self.roster.workers_of(row).count());
        self.ask(ask::send(signal, pattern, workers))
    }

    fn on_selected(&mut self, command: Command) -> Vec<Effect> {
        let asked = match self.roster.selected() {
            Some(row) => ask::on(command, row, &self.roster),
            None => Asked::Never("there is no worker".to_owned()),
        };
        self.ask(asked)
    }

    fn ask(&mut self, asked: Asked) -> Vec<Effect> {
        match asked {
            Asked::Now { request, words } => self.begin(Question { text: String::new(), request, words }),
            Asked::First(question) => {
                self.mode = Mode::Question(question);
                Vec::new()
            }
            Asked::Never(why) => {
                self.say(why, true);
                Vec::new()
            }
        }
    }

    fn begin(&mut self, Question { request, words, .. }: Question) -> Vec<Effect> {
        if let Some(why) = &self.ended {
            let text = format!("{words}: {why}");
            self.say(text, true);
            return Vec::new();
        }
        if self.under_way >= UNDER_WAY_MAX {
            self.say(format!("{words}: {UNDER_WAY_MAX} commands are under way, wait for one"), true);
            return Vec::new();
        }
        self.under_way += 1;
        self.say(format!("{words} …"), false);
        vec![Effect::Ask { request, words }]
    }

    fn in_question(&mut self, question: Question, press: Press) -> Vec<Effect> {
        let is_end = matches!(question.request, ganger_api::Request::Quit { .. });
        match press {
            Press::Char('y' | 'Y') | Press::Enter => self.begin(question),
            // The same key twice, for who knows what it does.
            Press::Char('q' | 'Q') | Press::Ctrl('c') if is_end && self.setup.owns_app => {
                self.begin(question)
            }
            Press::Char('n' | 'N' | 'q') | Press::Escape | Press::Ctrl('c') => Vec::new(),
            _ => {
                self.mode = Mode::Question(question);
                Vec::new()
            }
        }
    }

    fn ask_to_quit(&mut self) {
        let workers = self.roster.workers.iter().filter(|worker| worker.pid.is_some()).count();
        self.mode = Mode::Question(ask::quit(&self.setup.app, workers));
    }

    fn leave(&mut self) -> Vec<Effect> {
        if self.setup.owns_app && self.ended.is_none() {
            self.ask_to_quit();
            return Vec::new();
        }
        vec![Effect::Leave]
    }

    /// Out of the zoom, the focus, the search, the filter: one at a time.
    fn back(&mut self) -> Vec<Effect> {
        if self.zoomed {
            self.zoomed = false;
        } else if self.log.search.is_some() {
            self.log.search = None;
            self.log.found = None;
        } else if self.log.filter.is_some() {
            return vec![self.log.set_filter(None)];
        } else if self.log_has_focus {
            self.log_has_focus = false;
        } else {
            self.notice = None;
        }
        Vec::new()
    }
}
