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
        match &message {
            Some(Message::System(_)) => queue.lines -= 1,
            Some(Message::Add(_) | Message::Finish) => {}
            None if queue.dropped > 0 => {
                let text =
                    format!("{} messages were not shown: the terminal did not take them", queue.dropped);
                queue.dropped = 0;
                return Some(Message::System(System {
                    log: "system".to_owned(),
                    at: 0,
                    text,
                    ends_run: false,
                }));
            }
            None => {}
        }
        message
    }
}
