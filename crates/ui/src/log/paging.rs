//! Stored lines above and below those that are kept.

use ganger_api::{LogLine, LogQuery, Time};

use super::{Anchor, LINES_AT_FIRST, Log, PAGE_LINES, Space, View};
use crate::message::{Effect, Page, Place};
use crate::window::Giving;

impl Log {
    /// Asks for what a view that is held will need next.
    pub(crate) fn prefetch(&mut self, space: Space) -> Vec<Effect> {
        if self.waiting.is_some() || self.window.is_empty() || self.view == View::End {
            return Vec::new();
        }
        let (above, below) = self.nears(space);
        if above && !self.at_start {
            return vec![self.ask_older()];
        }
        if below && !self.at_end {
            return vec![self.ask_newer()];
        }
        Vec::new()
    }

    fn ask_older(&mut self) -> Effect {
        let query = self.above(PAGE_LINES);
        self.ask(Place::Older, query, usize::MAX)
    }

    fn ask_newer(&mut self) -> Effect {
        let query = self.behind();
        self.ask(Place::Newer, query, PAGE_LINES as usize)
    }

    pub(super) fn ask(&mut self, place: Place, query: LogQuery, take: usize) -> Effect {
        self.waiting = Some(place);
        Effect::Page(Page { window: self.number, place, query: Box::new(query), take })
    }

    /// The last so many lines above those that are kept. Lines of the same time as the oldest one may be among those
    /// that are kept: so many more are asked for.
    pub(super) fn above(&self, lines: u32) -> LogQuery {
        let (until, same) = self.window.oldest().unzip();
        let same = u32::try_from(same.unwrap_or(0)).unwrap_or(u32::MAX);
        LogQuery {
            until: until.and_then(just_after),
            lines: Some(lines.saturating_add(same)),
            ..self.query()
        }
    }

    /// The lines below those that are kept.
    pub(super) fn behind(&self) -> LogQuery {
        LogQuery { after: Some(self.window.cursor()), since: self.window.latest(), ..self.query() }
    }

    /// To the oldest line that is stored.
    pub(crate) fn go_to_first(&mut self, space: Space) -> Vec<Effect> {
        if self.at_start {
            self.hold(space);
            self.view = View::Held(Anchor { line: self.window.first(), row: 0 });
            return self.prefetch(space);
        }
        self.begin();
        self.at_end = false;
        let ask = self.ask(Place::Around, self.query(), LINES_AT_FIRST as usize);
        vec![Effect::Unfollow, ask]
    }

    /// To the end of the log, which is followed.
    pub(crate) fn go_to_last(&mut self) -> Vec<Effect> {
        if self.at_end {
            self.view = View::End;
            self.unseen = 0;
            return Vec::new();
        }
        vec![self.reopen()]
    }

    /// Takes stored lines.
    pub(crate) fn paged(
        &mut self,
        page: &Page,
        lines: Vec<LogLine>,
        complete: bool,
        space: Space,
    ) -> Vec<Effect> {
        if !self.is_wanted(page.window) || self.waiting != Some(page.place) {
            return Vec::new();
        }
        self.waiting = None;
        self.learn_names(&lines);
        let mut effects = match page.place {
            Place::Older => self.put_before(page, lines),
            Place::Newer => self.put_behind(lines, complete, space),
            Place::Around => {
                self.put_around(page, lines, complete);
                Vec::new()
            }
            Place::OlderMatch | Place::NewerMatch => self.match_came(page, lines),
        };
        effects.extend(self.show_goal(space));
        effects.extend(self.prefetch(space));
        effects
    }

    /// Shows the line that is gone to. Many lines may have its time: it can be further above than the page reaches.
    fn show_goal(&mut self, space: Space) -> Option<Effect> {
        let goal = self.goal.as_ref().filter(|_| self.waiting.is_none())?;
        if let Some(line) = self.window.find(goal) {
            self.goal = None;
            self.found = Some(line);
            self.reveal(line, space);
            return None;
        }
        if !self.at_start && !self.window.is_full() {
            return Some(self.ask_older());
        }
        self.goal = None;
        self.remark = Some("there is a match, but too many lines have its time".to_owned());
        None
    }

    fn put_before(&mut self, page: &Page, lines: Vec<LogLine>) -> Vec<Effect> {
        let is_last = is_last(page, &lines);
        let came = self.window.prepend(lines);
        self.at_start = is_last || came == 0;
        if self.window.trim(Giving::Newest) && self.at_end {
            self.at_end = false;
            return vec![Effect::Unfollow];
        }
        Vec::new()
    }

    fn put_behind(&mut self, lines: Vec<LogLine>, complete: bool, space: Space) -> Vec<Effect> {
        let was_at_last = self.is_at_last(space);
        self.window.append(lines);
        if self.window.trim(Giving::Oldest) {
            self.at_start = false;
        }
        if !complete {
            return Vec::new();
        }
        self.at_end = true;
        if was_at_last && self.is_at_last(space) {
            self.view = View::End;
        }
        let query = Box::new(LogQuery { follow: true, sse: true, ..self.behind() });
        vec![Effect::Follow { window: self.number, query }]
    }

    fn put_around(&mut self, page: &Page, lines: Vec<LogLine>, complete: bool) {
        self.window.clear();
        // From the beginning, or up to a place.
        self.at_start = page.query.until.is_none() || is_last(page, &lines);
        self.at_end = false;
        self.window.append(lines);
        self.view = View::Held(Anchor { line: self.window.first(), row: 0 });
        if complete && self.window.is_empty() {
            // An empty log: what is written now is its beginning.
            self.view = View::End;
        }
    }

    /// Reads the lines around this one.
    pub(super) fn go_to(&mut self, line: LogLine) -> Vec<Effect> {
        self.begin();
        self.at_end = false;
        let query = LogQuery { until: just_after(line.time), lines: Some(PAGE_LINES), ..self.query() };
        self.goal = Some(line);
        vec![Effect::Unfollow, self.ask(Place::Around, query, usize::MAX)]
    }
}

/// The next moment: lines are asked for that were written before one.
fn just_after(time: Time) -> Option<Time> {
    Time::from_unix_nanos(time.unix_nanos() + 1)
}

/// Whether fewer lines came than were asked for: there are no more.
fn is_last(page: &Page, lines: &[LogLine]) -> bool {
    page.query.lines.is_some_and(|asked| lines.len() < asked as usize)
}
