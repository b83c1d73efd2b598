//! What the printer is told.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use ganger_logs::Reader;

use super::System;

/// So many system lines may wait for a terminal that does not take them; what comes after them is counted only.
pub(super) const WAITING: usize = 4096;

#[derive(Debug)]
pub(super) enum Message {
    Add(Box<Reader>),
    System(System),
    Finish,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    lines: usize,
    dropped: usize,
}

impl Inbox {
    pub(super) fn put(&self, message: Message) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(message, Message::System(_)) {
            if queue.lines == WAITING {
                queue.dropped += 1;
                return;
            }
            queue.lines += 1;
        }
        queue.messages.push_back(message);
    }

    /// The next message; after the last one, a line that says how many could not be kept.
    pub(super) fn take(&self) -> Option<Message> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let message = queue.messages.pop_front();
        if matches!(message, Some(Message::System(_))) {
            queue.lines -= 1;
        }
        if message.is_none() && queue.dropped > 0 {
            let dropped = std::mem::take(&mut queue.dropped);
            let text = format!("{dropped} messages were not shown: the terminal did not take them");
            return Some(Message::System(System { log: "system".to_owned(), at: 0, text, ends_run: false }));
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_bound_is_counted_and_the_count_is_shown() {
        let inbox = Inbox::default();
        let line =
            || Message::System(System { log: "a".to_owned(), at: 0, text: String::new(), ends_run: false });
        for _ in 0..WAITING + 2 {
            inbox.put(line());
        }
        inbox.put(Message::Finish);
        for _ in 0..WAITING {
            assert!(matches!(inbox.take(), Some(Message::System(line)) if line.log == "a"));
        }
        assert!(matches!(inbox.take(), Some(Message::Finish)), "only lines are bounded");
        let Some(Message::System(notice)) = inbox.take() else { panic!() };
        assert!(notice.text.starts_with("2 messages"), "{}", notice.text);
        assert!(inbox.take().is_none());
    }
}
