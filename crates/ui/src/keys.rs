//! The keys: the one table from which the keyboard, the last line of the screen, the help and the page of
//! documentation come.

use std::fmt::Write as _;

use crate::Press;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Up,
    Down,
    Focus,
    Zoom,
    Start,
    Stop,
    Restart,
    More,
    Fewer,
    Signal,
    QuitApp,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Search,
    Older,
    Newer,
    Filter,
    Hold,
    Stamps,
    Wrap,
    Terminal,
    Attach,
    Mouse,
    Help,
    Back,
    Leave,
}

/// What a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    List,
    Workers,
    Log,
    Terminal,
    Screen,
}

impl Topic {
    pub(crate) const ALL: [Self; 5] = [Self::List, Self::Workers, Self::Log, Self::Terminal, Self::Screen];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::List => "Moving",
            Self::Workers => "Workers",
            Self::Log => "The log",
            Self::Terminal => "The terminal of a worker",
            Self::Screen => "The screen",
        }
    }
}

/// A command and the keys that ask for it.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) command: Command,
    pub(crate) topic: Topic,
    presses: &'static [Press],
    /// The keys, for people.
    pub(crate) label: &'static str,
    /// For the last line of the screen; empty if it is not there.
    pub(crate) short: &'static str,
    /// What it does.
    pub(crate) does: &'static str,
}

const fn key(
    topic: Topic,
    command: Command,
    presses: &'static [Press],
    label: &'static str,
    short: &'static str,
    does: &'static str,
) -> Binding {
    Binding { command, topic, presses, label, short, does }
}

/// All keys.
pub(crate) const KEYS: &[Binding] = {
    use Command as C;
    use Press::{Char, Ctrl};
    use Topic::{List, Log, Screen, Terminal, Workers};
    &[
        key(List, C::Up, &[Press::Up, Char('k')], "↑ k", "", "the row above; the line above, in the log"),
        key(List, C::Down, &[Press::Down, Char('j')], "↓ j", "", "the row below; the line below, in the log"),
        key(List, C::Focus, &[Press::Tab], "Tab", "", "from the list to the log or the terminal, and back"),
        key(
            List,
            C::Zoom,
            &[Char('z')],
            "z",
            "zoom",
            "the log or the terminal alone, as large as the screen, and back",
        ),
        key(Workers, C::Start, &[Char('s')], "s", "start", "start"),
        key(Workers, C::Stop, &[Char('x')], "x", "stop", "stop, and keep down"),
        key(Workers, C::Restart, &[Char('r')], "r", "restart", "restart"),
        key(Workers, C::More, &[Char('+'), Char('=')], "+", "+/- scale", "one more worker of the group"),
        key(Workers, C::Fewer, &[Char('-'), Char('_')], "-", "", "one worker of the group less"),
        key(Workers, C::Signal, &[Char('S')], "S", "signal", "send a signal: choose one"),
        key(Workers, C::QuitApp, &[Char('Q')], "Q", "", "stop all workers and end the app"),
        key(
            Log,
            C::PageUp,
            &[Press::PageUp, Ctrl('b')],
            "PgUp",
            "",
            "back by half a screen, through all that is stored",
        ),
        key(Log, C::PageDown, &[Press::PageDown, Ctrl('f')], "PgDn", "", "on by half a screen"),
        key(Log, C::First, &[Press::Home, Char('g')], "Home g", "", "to the oldest line that is stored"),
        key(Log, C::Last, &[Press::End, Char('G')], "End G", "", "to the end, and follow"),
        key(Log, C::Left, &[Press::Left, Char('h')], "← h", "", "to the left, where lines are cut"),
        key(Log, C::Right, &[Press::Right, Char('l')], "→ l", "", "to the right, where lines are cut"),
        key(
            Log,
            C::Search,
            &[Char('/')],
            "/",
            "search",
            "search: a regular expression; small letters mean both",
        ),
        key(Log, C::Older, &[Char('n')], "n", "", "the next match above"),
        key(Log, C::Newer, &[Char('N')], "N", "", "the next match below"),
        key(
            Log,
            C::Filter,
            &[Char('f')],
            "f",
            "filter",
            "show only lines in which this is found; nothing shows all",
        ),
        key(Log, C::Hold, &[Char('p'), Char(' ')], "p Space", "pause", "hold the log still; again: follow"),
        key(Log, C::Stamps, &[Char('t')], "t", "times", "show when each line was written"),
        key(Log, C::Wrap, &[Char('w')], "w", "wrap", "break long lines, or cut them"),
        key(
            Terminal,
            C::Terminal,
            &[Char('v')],
            "v",
            "terminal",
            "from the log to the live terminal, and back",
        ),
        key(
            Terminal,
            C::Attach,
            &[Char('a')],
            "a",
            "attach",
            "type into it, on the whole screen; Ctrl-] comes back",
        ),
        key(
            Screen,
            C::Mouse,
            &[Char('m')],
            "m",
            "mouse",
            "take the mouse for scrolling and choosing; free, it selects text",
        ),
        key(Screen, C::Help, &[Char('?')], "?", "help", "this help"),
        key(
            Screen,
            C::Back,
            &[Press::Escape],
            "Esc",
            "",
            "back: out of a question, a search, a filter, the zoom",
        ),
        key(
            Screen,
            C::Leave,
            &[Char('q'), Ctrl('c')],
            "q",
            "quit",
            "leave; the app goes on, but ends where `start --ui` shows it",
        ),
    ]
};

/// What the last line of the screen tells of, as far as there is room; help and the way out always.
pub(crate) fn footer(has_worker: bool, has_terminal: bool, may_turn: bool) -> Vec<Command> {
    use Command as C;
    let mut commands = vec![C::Start, C::Stop, C::Restart];
    if has_worker {
        commands.extend(may_turn.then_some(C::Terminal));
        commands.push(C::Attach);
    } else {
        commands.push(C::More);
    }
    if !has_terminal {
        commands.extend([C::Search, C::Filter]);
    }
    commands.extend([C::Zoom, C::Hold]);
    if !has_terminal {
        commands.extend([C::Stamps, C::Wrap]);
    }
    if has_worker {
        commands.push(C::More);
    }
    commands.extend([C::Signal, C::Mouse]);
    commands
}

/// The row of the table of this command.
pub(crate) fn binding(command: Command) -> Option<&'static Binding> {
    KEYS.iter().find(|binding| binding.command == command)
}

/// What this key asks for.
pub(crate) fn command(press: Press) -> Option<Command> {
    KEYS.iter().find(|binding| binding.presses.contains(&press)).map(|binding| binding.command)
}

/// The keys of one topic.
pub(crate) fn of_topic(topic: Topic) -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().filter(move |binding| binding.topic == topic)
}

/// All keys as tables in Markdown.
pub fn document() -> String {
    let mut text = String::new();
    for topic in Topic::ALL {
        // What is written into a text never fails.
        let _ = writeln!(text, "**{}**\n\n| key | what it does |\n| --- | --- |", topic.title());
        for binding in of_topic(topic) {
            let keys: Vec<String> = binding.label.split(' ').map(|label| format!("`{label}`")).collect();
            let _ = writeln!(text, "| {} | {} |", keys.join(" "), binding.does);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let all: Vec<Press> = KEYS.iter().flat_map(|binding| binding.presses).copied().collect();
        for (index, press) in all.iter().enumerate() {
            assert!(!all[..index].contains(press), "{press:?} twice");
        }
    }

    #[test]
    fn the_page_of_documentation_has_all_keys() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ui.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (head, rest) = page.split_once("<!-- keys -->\n").unwrap();
        let (_, tail) = rest.split_once("<!-- end of keys -->\n").unwrap();
        let wanted = format!("{head}<!-- keys -->\n{}<!-- end of keys -->\n{tail}", document());
        if std::env::var_os("GANGER_BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        } else {
            assert_eq!(page, wanted, "GANGER_BLESS=1 rewrites it");
        }
    }
}
