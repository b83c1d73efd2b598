//! What stands beside the list: the log of the row that is chosen, or the live terminal of a worker.
//!
//! The rules. Logs are shown at first: they can be searched and have no end. Who asks for the terminal of one worker sees
//! that of each worker that he chooses from then on, where it has one. Only what is shown is asked of the app.

use ganger_api::FromWorker;

use crate::keys::Command;
use crate::live::Lack;
use crate::log::Space;
use crate::message::Effect;
use crate::roster::Row;
use crate::screen::Screen;

impl Screen {
    /// Shows what belongs to the row that is selected.
    pub(crate) fn show_selected(&mut self) -> Vec<Effect> {
        let row = self.roster.selected().cloned();
        if row == self.shown {
            return Vec::new();
        }
        self.shown = row;
        self.show()
    }

    fn show(&mut self) -> Vec<Effect> {
        match &self.shown {
            None => Vec::new(),
            Some(Row::Worker(name)) if self.wants_terminal => {
                let worker = name.to_string();
                let window = self.live.begin(worker.clone());
                vec![Effect::Unfollow, Effect::View { window, worker }]
            }
            Some(_) => {
                let unview = self.live.end().then_some(Effect::Unview);
                unview.into_iter().chain(self.open_log()).collect()
            }
        }
    }

    fn open_log(&mut self) -> Option<Effect> {
        let (names, merged) = match self.shown.as_ref()? {
            // Also of workers that are no more.
            Row::All => (Vec::new(), true),
            Row::Group(group) => (vec![group.clone()], true),
            Row::Worker(name) => (vec![name.to_string()], false),
        };
        Some(self.log.open(names, merged))
    }

    /// The worker that is chosen, for what only one can have.
    fn one_worker(&mut self, what: &str) -> Option<String> {
        if let Some(Row::Worker(name)) = self.roster.selected() {
            return Some(name.to_string());
        }
        self.say(format!("choose one worker to {what}"), true);
        None
    }

    /// Whether what is chosen is a worker that has a terminal.
    pub(crate) fn has_terminal(&self) -> bool {
        let Some(row @ Row::Worker(_)) = &self.shown else { return false };
        self.roster.workers_of(row).any(|worker| worker.terminal)
    }

    /// From the log to the terminal and back.
    pub(crate) fn turn_over(&mut self) -> Vec<Effect> {
        if let Some(why) = &self.ended {
            let text = format!("nothing else can be shown: {why}");
            self.say(text, true);
            return Vec::new();
        }
        if self.one_worker("see its terminal").is_none() {
            return Vec::new();
        }
        self.wants_terminal = !self.wants_terminal;
        self.notice = None;
        self.show()
    }

    /// Gives the whole terminal to the worker that is chosen.
    pub(crate) fn attach(&mut self) -> Vec<Effect> {
        if let Some(why) = &self.ended {
            let text = format!("nobody can be attached to: {why}");
            self.say(text, true);
            return Vec::new();
        }
        let Some(worker) = self.one_worker("attach to it") else { return Vec::new() };
        self.notice = None;
        // What it shows meanwhile is seen anew afterwards.
        let unview = self.live.end().then_some(Effect::Unview);
        unview.into_iter().chain([Effect::Attach(worker)]).collect()
    }

    /// The terminal is ours again.
    pub(crate) fn attached(&mut self, why_not: Option<String>) -> Vec<Effect> {
        if let Some(why) = why_not {
            self.say(why, true);
        }
        let mut effects = vec![Effect::Look];
        if self.has_mouse {
            effects.push(Effect::Mouse(true));
        }
        if self.wants_terminal {
            effects.extend(self.show());
        }
        effects
    }

    /// Takes what the app tells of the terminal that is looked at.
    pub(crate) fn viewed(&mut self, window: u64, told: Result<FromWorker, String>) -> Vec<Effect> {
        if !self.live.is_wanted(window) {
            return Vec::new();
        }
        let was_shown = self.live.is_shown();
        match told {
            Ok(frame) => self.live.take(frame),
            Err(why) => self.live.failed(why),
        }
        let mut effects = Vec::new();
        if was_shown && !self.live.is_shown() {
            effects.extend(self.open_log());
            if self.live.lack() == Some(Lack::NoTerminal) {
                effects.push(Effect::Unview);
            }
        } else if !was_shown && self.live.is_shown() {
            effects.push(Effect::Unfollow);
        }
        effects
    }

    /// What a key does to a terminal that is shown; none if it does the same everywhere.
    pub(crate) fn in_terminal(&mut self, command: Command, space: Space) -> Option<Vec<Effect>> {
        if !self.live.is_shown() {
            return None;
        }
        match command {
            Command::First => self.live.go_to_first(space),
            Command::Last => drop(self.live.follow()),
            Command::Hold if !self.live.follow() => self.live.hold(),
            Command::Hold => {}
            Command::Left | Command::Right => self.live.turn_aside(command == Command::Right, space),
            // What only logs have.
            Command::Search
            | Command::Filter
            | Command::Older
            | Command::Newer
            | Command::Stamps
            | Command::Wrap => {
                let mut effects = self.turn_over();
                effects.extend(self.command(command, space));
                return Some(effects);
            }
            Command::Back if !self.zoomed && self.live.follow() => {}
            Command::Back if !self.zoomed => {
                self.log_has_focus = false;
                self.notice = None;
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}
