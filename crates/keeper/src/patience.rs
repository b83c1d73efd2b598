//! How long the keeper waits for others before it acts by itself.

use std::time::Duration;

/// The bounds of its waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// An overseer that was told of a signal says that it acts on it, before the keeper stops the runs itself.
    pub taken: Duration,
    /// The same after a second INT; then they are killed.
    pub hurried: Duration,
    /// Runs end after TERM when the keeper itself stops them.
    pub stop: Duration,
    /// An overseer ends after it said `Quit`.
    pub quit: Duration,
    /// An overseer ends after the conversation with it is over.
    pub farewell: Duration,
    /// An overseer that was stopped goes on, before it is killed and another one started.
    pub stopped: Duration,
    /// An overseer reads something while its socket is full, before it is killed and another one started.
    pub unread: Duration,
    /// A program that is tried out says that it can take the keeper's place.
    pub attempt: Duration,
    /// The overseer of a program that took the keeper's place has taken up all, before the program before it is executed
    /// again.
    pub trial: Duration,
    /// The keeper shows that it lives, while another process stands by to take its place.
    pub stand_by: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            taken: Duration::from_secs(10),
            hurried: Duration::from_secs(1),
            stop: Duration::from_secs(5),
            quit: Duration::from_secs(5),
            farewell: Duration::from_secs(2),
            stopped: Duration::from_secs(2),
            unread: Duration::from_secs(10),
            attempt: Duration::from_secs(10),
            trial: Duration::from_secs(30),
            stand_by: Duration::from_secs(90),
        }
    }
}
