//! The project's own commands.

mod check;
mod command;
mod deaths;
mod screenshot;
mod simulate;
mod test;
mod tidy;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::cargo;

const HELP: &str = "\
cargo xtask check             format, lints, unit tests, the simulator, tidiness: minutes
cargo xtask test              all of that and the whole program against the kernel
cargo xtask bench [NAME …]    measures against their floors: start, stop, restart, dev, lines, logs, idle,
                              curve, supervisor, attach
cargo xtask soak --minutes N  the simulator under as many seeds as fit
cargo xtask soak --real [--minutes N]
                              the whole program under deeds and deaths at random; 30 minutes
cargo xtask deaths            the death matrix: who dies, when, with which workers; and what came of it: minutes
cargo xtask screenshot        makes the picture of the README with the program as it is
cargo xtask tidy              rules about the sources themselves: seconds";

/// How long a soak of the whole program takes.
const REAL_MINUTES: &str = "30";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["check"] => check::run(),
        ["test"] => test::run(),
        ["bench", names @ ..] => bench(names),
        ["soak", "--minutes", minutes] => soak(minutes),
        ["soak", "--real"] => soak_really(REAL_MINUTES),
        ["soak", "--real", "--minutes", minutes] => soak_really(minutes),
        ["deaths"] => deaths::run(),
        ["screenshot"] => screenshot::run(),
        ["tidy"] => tidy::run(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command: {}\n{HELP}", other.join(" ")),
    }
}

/// Builds what is measured as users run it, then measures.
fn bench(names: &[&str]) -> Result<()> {
    cargo(&["build", "--release", "--package", "ganger"])?;
    let arguments = [&["run", "--release", "--quiet", "--package", "benches", "--"], names].concat();
    cargo(&arguments)
}

/// The whole program against the kernel; `GANGER_SEED` plays what was played before.
fn soak_really(minutes: &str) -> Result<()> {
    let _: f64 = minutes.parse().with_context(|| format!("{minutes:?} is no number of minutes"))?;
    cargo(&["build", "--package", "ganger", "--package", "ganger-dummy"])?;
    let minutes = format!("GANGER_SOAK_MINUTES={minutes}");
    let test = ["test", "--package", "ganger", "--test", "deaths", "--"];
    let which = ["soak::", "--nocapture"];
    command::run("env", &[&[&*minutes, "cargo"], &test[..], &which].concat())
}

fn soak(minutes: &str) -> Result<()> {
    let minutes: f64 = minutes.parse().with_context(|| format!("{minutes:?} is no number of minutes"))?;
    let time = Duration::try_from_secs_f64(minutes * 60.0).context("no time to soak in")?;
    simulate::for_a_time(time)
}
