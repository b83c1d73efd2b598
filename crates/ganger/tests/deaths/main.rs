//! The death matrix: who dies × when × what the workers do, with 20 workers, on a real kernel.
//!
//! After each death nobody who should live has died, no worker has two runs, and at the end the books balance: every
//! line that a worker wrote is in its log once, whole and in order, and every run that started ended once.
//!
//! A death comes at an event, such as the third worker of a start or the tenth line of a worker, and never after a time.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod app;
mod books;
mod moments;

use crate::app::{App, Life};
use crate::moments::Moment;

/// Deaths in each cell of the matrix, at a later event each time.
const DEATHS: usize = 3;

/// The cells of a moment: workers of each kind, in an app of their own.
fn overseer_dies(moment: Moment) {
    for life in [Life::Writing, Life::Quiet, Life::Crashing, Life::Forking] {
        let mut app = App::new(life);
        for round in 0..DEATHS {
            moment.strike(&mut app, round);
        }
        app.finish();
    }
}

#[test]
fn the_overseer_dies_while_nothing_else_happens() {
    overseer_dies(Moment::Steady);
}

#[test]
fn the_overseer_dies_amid_a_start() {
    overseer_dies(Moment::Start);
}

#[test]
fn the_overseer_dies_amid_a_stop() {
    overseer_dies(Moment::Stop);
}

#[test]
fn the_overseer_dies_amid_a_reload() {
    overseer_dies(Moment::Reload);
}

#[test]
fn the_overseer_dies_amid_a_change_of_scale() {
    overseer_dies(Moment::Scale);
}
