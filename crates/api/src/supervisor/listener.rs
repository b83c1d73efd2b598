//! What passes between supervisord and an event listener: envelopes go to its stdin, its answers come from its stdout.
//!
//! A listener says `READY\n`, gets one event, and answers `RESULT n\n` and n bytes; then it says `READY\n` again. What it
//! says at a time when it has nothing to say makes it unknown, for as long as it runs.

/// The longest first line of an answer.
pub const MAX_RESULT_LINE_BYTES: usize = 64;
/// The longest answer to an event. It fits into a pipe with its first line, so it can be taken whole or not at all.
pub const MAX_RESULT_BYTES: usize = 32 << 10;

const READY: &[u8] = b"READY\n";
const RESULT: &[u8] = b"RESULT ";
/// The answer that accepts an event.
const ACCEPTED: &[u8] = b"OK";

/// What a listener may say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// That it is ready.
    Ready,
    /// Nothing: it waits for an event.
    Nothing,
    /// The result of the event that it has.
    Result,
}

/// What a listener said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing whole yet.
    More,
    /// It is ready for an event.
    Ready {
        /// So many bytes said it.
        length: usize,
    },
    /// It is done with its event.
    Result {
        /// So many bytes said it.
        length: usize,
        /// Whether it accepts the event: anything but `OK` sends it back.
        accepted: bool,
    },
    /// What is not to be said now, and why.
    Nonsense(&'static str),
}

/// The first thing that a listener says in these bytes, all that is there of its output.
pub fn hear(expected: Expected, bytes: &[u8]) -> Heard {
    match expected {
        _ if bytes.is_empty() => Heard::More,
        Expected::Nothing => Heard::Nonsense("it spoke while it was to wait for an event"),
        Expected::Ready if bytes.starts_with(READY) => Heard::Ready { length: READY.len() },
        Expected::Ready if READY.starts_with(bytes) => Heard::More,
        Expected::Ready => Heard::Nonsense("it did not say READY"),
        Expected::Result => result(bytes),
    }
}

fn result(bytes: &[u8]) -> Heard {
    let start = &bytes[..bytes.len().min(RESULT.len())];
    if !RESULT.starts_with(start) {
        return Heard::Nonsense("it did not say RESULT");
    }
    let line = &bytes[..bytes.len().min(MAX_RESULT_LINE_BYTES)];
    let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
        let is_long = bytes.len() >= MAX_RESULT_LINE_BYTES;
        return if is_long { Heard::Nonsense("its line of result does not end") } else { Heard::More };
    };
    let number = line.get(RESULT.len()..end).and_then(|number| std::str::from_utf8(number).ok());
    let Some(count) = number.and_then(|number| number.trim().parse::<usize>().ok()) else {
        return Heard::Nonsense("its line of result has no length");
    };
    if count > MAX_RESULT_BYTES {
        return Heard::Nonsense("its result is too long");
    }
    let body = end + 1;
    match bytes.get(body..body + count) {
        Some(answer) => Heard::Result { length: body + count, accepted: answer == ACCEPTED },
        None => Heard::More,
    }
}

/// Whether who subscribed to this type of event gets events of that one.
pub fn covers(subscribed: &str, event: &str) -> bool {
    let of_kind = |rest: &str| rest.is_empty() || rest.starts_with('_');
    subscribed == "EVENT" || event.strip_prefix(subscribed).is_some_and(of_kind)
}

/// Where an event stands in the order of all and in that of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serials {
    /// Among all events that a pool took.
    pub serial: u64,
    /// Among those that this pool took.
    pub pool_serial: u64,
}

/// An event as a listener reads it. `len` counts characters, as listeners in Python need it.
pub fn envelope(server: &str, pool: &str, serials: Serials, event: &str, payload: &str) -> String {
    let Serials { serial, pool_serial } = serials;
    let length = payload.chars().count();
    format!(
        "ver:3.0 server:{server} serial:{serial} pool:{pool} poolserial:{pool_serial} eventname:{event} \
         len:{length}\n{payload}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_heard_once_it_is_whole() {
        for (expected, whole, heard) in [
            (Expected::Ready, "READY\n", Heard::Ready { length: 6 }),
            (Expected::Result, "RESULT 2\nOK", Heard::Result { length: 11, accepted: true }),
            (Expected::Result, "RESULT 4\nFAIL", Heard::Result { length: 13, accepted: false }),
            (Expected::Result, "RESULT 0\n", Heard::Result { length: 9, accepted: false }),
        ] {
            for end in 0..whole.len() {
                assert_eq!(hear(expected, &whole.as_bytes()[..end]), Heard::More, "{whole:?} up to {end}");
            }
            assert_eq!(hear(expected, whole.as_bytes()), heard);
            assert_eq!(
                hear(expected, format!("{whole}READY\n").as_bytes()),
                heard,
                "what follows is its own"
            );
        }
    }

    #[test]
    fn what_is_not_to_be_said_is_nonsense() {
        for (expected, said) in [
            (Expected::Nothing, "R"),
            (Expected::Ready, "REDAY"),
            (Expected::Ready, "hi\n"),
            (Expected::Ready, "READY\r\n"),
            (Expected::Result, "READY\n"),
            (Expected::Result, "RESULT two\nOK"),
            (Expected::Result, "RESULT -1\n"),
            (Expected::Result, "RESULT 32769\n"),
            (Expected::Result, "RESULT \n"),
        ] {
            assert!(matches!(hear(expected, said.as_bytes()), Heard::Nonsense(_)), "{said:?}");
        }
        let spaces = |count: usize| format!("RESULT {}", " ".repeat(count));
        assert_eq!(hear(Expected::Result, spaces(MAX_RESULT_LINE_BYTES - 8).as_bytes()), Heard::More);
        let long = spaces(MAX_RESULT_LINE_BYTES - 7);
        assert!(matches!(hear(Expected::Result, long.as_bytes()), Heard::Nonsense(_)));
    }

    #[test]
    fn the_longest_result_is_heard() {
        let said = format!("RESULT {MAX_RESULT_BYTES}\n{}", "x".repeat(MAX_RESULT_BYTES));
        assert_eq!(
            hear(Expected::Result, said.as_bytes()),
            Heard::Result { length: said.len(), accepted: false }
        );
    }

    #[test]
    fn a_subscription_covers_its_type_and_those_below_it() {
        for (subscribed, event, is_covered) in [
            ("EVENT", "TICK_5", true),
            ("TICK", "TICK_5", true),
            ("TICK_5", "TICK_5", true),
            ("TICK_5", "TICK_60", false),
            ("PROCESS_STATE", "PROCESS_STATE_EXITED", true),
            ("PROCESS_STATE_EXITED", "PROCESS_STATE", false),
            ("PROCESS_LOG", "PROCESS_LOG_STDERR", true),
            ("PROCESS_GROUP", "PROCESS_GROUP_ADDED", true),
            ("PROCESS_STATE", "SUPERVISOR_STATE_CHANGE_RUNNING", false),
            ("SUPERVISOR_STATE_CHANGE", "SUPERVISOR_STATE_CHANGE_STOPPING", true),
            ("REMOTE_COMMUNICATION", "PROCESS_COMMUNICATION_STDOUT", false),
        ] {
            assert_eq!(covers(subscribed, event), is_covered, "{subscribed} {event}");
        }
    }

    #[test]
    fn the_length_of_an_envelope_is_in_characters() {
        let serials = Serials { serial: 3, pool_serial: 1 };
        assert_eq!(
            envelope("supervisor", "mail", serials, "REMOTE_COMMUNICATION", "type:a\nhéllo"),
            "ver:3.0 server:supervisor serial:3 pool:mail poolserial:1 eventname:REMOTE_COMMUNICATION len:12\n\
             type:a\nhéllo"
        );
    }
}
