//! From a key to its echo: on a bare terminal, through `ganger attach`, and through tmux.
//!
//! The same worker shows each key as it takes it. All three have a window of their own all the time, and a key is pressed
//! in one after the other: what the machine does beside is the same for all.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bed::{Bed, Task, Who};
use crate::stamps::Stamps;
use crate::table::Row;
use crate::window::Window;

const KEYS: usize = 1000;
/// The first ones are not counted: a viewer draws the screen, and programs come into memory.
const FIRST: usize = 50;
/// What is pressed; none of them is part of what moves a cursor or sets a colour.
const PRESSED: &[u8] = b"!#%&*+";
/// Between two keys of a window.
const PAUSE: Duration = Duration::from_millis(3);
/// A key that is not shown by then was lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// Milliseconds more than on a bare terminal.
const MEDIAN_AT_MOST: f64 = 1.0;
const SLOWEST_AT_MOST: f64 = 5.0;

/// Where keys are pressed.
struct Side {
    window: Window,
    times: Vec<u64>,
}

pub(crate) fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let place = bed.place()?;
    let stamps = Stamps::new(place.path().join("stamps"))?;
    let mut worker = Command::new(bed.worker());
    worker.arg("echo").arg(stamps.path());
    let bare = Window::open(&worker)?;

    let tmux = || {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", "bench", "-f", "/dev/null"]).env("TMUX_TMPDIR", place.path());
        tmux
    };
    tmux().arg("-V").output().context("there is no tmux: install it")?;
    let mut session = tmux();
    session.arg("new-session").arg(worker.get_program()).args(worker.get_args());
    let in_tmux = Window::open(&session)?;
    stamps.wait(2)?;

    let task = Task { mode: "echo", settings: "tty = true", ..Task::quiet(1) };
    let work = bed.launch(Who::Ganger, task)?;
    work.stamps.wait(1)?;
    let attached = Window::open(&work.client(&["attach", "w.1"]))?;

    let mut sides = [bare, attached, in_tmux].map(|window| Side { window, times: Vec::new() });
    super::settle();
    let pressed = press_all(&mut sides);
    // Its server goes on without its window.
    let ended = tmux().arg("kill-server").status();
    pressed?;
    ended.context("tmux does not end")?;
    Ok(rows(sides))
}

fn press_all(sides: &mut [Side; 3]) -> Result<()> {
    for (number, key) in PRESSED.iter().cycle().take(FIRST + KEYS).enumerate() {
        for side in &mut *sides {
            match side.window.press(*key, PATIENCE)? {
                Some(time) if number >= FIRST => side.times.push(time),
                // What is typed before somebody listens may be lost.
                Some(_) => {}
                None if number < FIRST => {}
                None => bail!("a key was not shown within {PATIENCE:?}"),
            }
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn rows(mut sides: [Side; 3]) -> Vec<Row> {
    let rows = [("median", 0.5, MEDIAN_AT_MOST), ("the slowest of a hundred", 0.99, SLOWEST_AT_MOST)];
    let row = |(what, part, at_most): (&str, f64, f64)| {
        let [bare, ours, tmux] =
            sides.each_mut().map(|side| super::milliseconds(super::quantile(&mut side.times, part)));
        let what = format!("attach: a key until it is shown, {what}, ms more than on a bare terminal");
        Row::of_number(&what, format!("{ours:.2} ms"), ours - bare, at_most)
            .beside(format!("{bare:.2} ms (tmux {tmux:.2} ms)"))
    };
    rows.map(row).into()
}
