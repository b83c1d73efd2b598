//! A worker with a scripted life, for tests. Its flags are done in the order of [`script::Script`]'s fields; without any it
//! ends at once with code 0.

mod life;
mod script;

use std::process::ExitCode;

fn main() -> ExitCode {
    match script::parse(std::env::args().skip(1)) {
        Ok(script) => life::live(&script),
        Err(message) => {
            eprintln!("ganger-dummy: {message}");
            ExitCode::from(64)
        }
    }
}
