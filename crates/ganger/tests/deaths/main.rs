//! The death matrix: who dies × when × what the workers do, with 20 workers, on a real kernel.
//!
//! `cargo xtask deaths` plays all and sums up. After each death nobody who should live has died, no worker has two
//! runs, and at the end the books balance: every line that a worker wrote is in its log once, whole and in order, and
//! every start has its end, told once.
//!
//! A death comes at an event, such as the third worker of a start or the tenth line of a worker, and never after a time.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod app;
mod books;
mod loud;
mod moments;
mod soak;
mod victim;

use crate::app::{App, Life};
use crate::moments::Moment;
use crate::victim::Victim;

/// The cells of a victim and a moment: workers of each kind, in an app of their own, with so many deaths, each at a later
/// event.
fn play(victim: Victim, moment: Moment, deaths: usize) {
    for life in [Life::Writing, Life::Quiet, Life::Crashing, Life::Forking] {
        let is_idle = match life {
            Life::Writing | Life::Forking => false,
            // Who writes little has no log to rotate.
            Life::Quiet => matches!(moment, Moment::Rotation),
            // `start -D` gives up an app of which nothing comes up.
            Life::Crashing => matches!(moment, Moment::Rotation) || victim.in_background(),
        };
        if is_idle {
            continue;
        }
        let mut app = App::new(victim, life);
        for round in 0..deaths {
            moment.strike(&mut app, round);
        }
        app.finish();
    }
}

/// A test for each moment.
macro_rules! moments {
    ($victim:ident, $deaths:literal: $($name:ident $moment:ident,)*) => {
        $(
            #[test]
            fn $name() {
                play(Victim::$victim, Moment::$moment, $deaths);
            }
        )*
    };
}

moments! {
    Overseer, 4:
    the_overseer_is_killed_while_nothing_else_happens Steady,
    the_overseer_is_killed_amid_a_start Start,
    the_overseer_is_killed_amid_a_stop Stop,
    the_overseer_is_killed_amid_a_reload Reload,
    the_overseer_is_killed_amid_a_change_of_scale Scale,
    the_overseer_is_killed_amid_a_rotation Rotation,
}

moments! {
    StillOverseer, 2:
    the_overseer_stands_still_while_nothing_else_happens Steady,
    the_overseer_stands_still_amid_a_start Start,
    the_overseer_stands_still_amid_a_stop Stop,
    the_overseer_stands_still_amid_a_reload Reload,
    the_overseer_stands_still_amid_a_change_of_scale Scale,
    the_overseer_stands_still_amid_a_rotation Rotation,
}

moments! {
    Keeper, 4:
    the_keeper_is_killed_while_nothing_else_happens Steady,
    the_keeper_is_killed_amid_a_start Start,
    the_keeper_is_killed_amid_a_stop Stop,
    the_keeper_is_killed_amid_a_reload Reload,
    the_keeper_is_killed_amid_a_change_of_scale Scale,
    the_keeper_is_killed_amid_a_rotation Rotation,
}

moments! {
    Both, 4:
    both_are_killed_while_nothing_else_happens Steady,
    both_are_killed_amid_a_rotation Rotation,
}

moments! {
    All, 4:
    all_of_ganger_is_killed_while_nothing_else_happens Steady,
    all_of_ganger_is_killed_amid_a_rotation Rotation,
}

moments! {
    Upgraded, 4:
    another_program_takes_over_while_nothing_else_happens Steady,
    another_program_takes_over_amid_a_start Start,
    another_program_takes_over_amid_a_stop Stop,
    another_program_takes_over_amid_a_reload Reload,
    another_program_takes_over_amid_a_change_of_scale Scale,
    another_program_takes_over_amid_a_rotation Rotation,
}

moments! {
    UpgradedBehind, 4:
    another_program_takes_over_in_the_background Steady,
    another_program_takes_over_in_the_background_amid_a_start Start,
    another_program_takes_over_in_the_background_amid_a_rotation Rotation,
}
