//! `ganger` alone: what it is and how to begin.

use std::process::ExitCode;

use crate::failure::Outcome;
use crate::output::Output;

const WELCOME: &str = "\
ganger runs the processes of your app and never loses one.

In a directory with a Procfile, that is a file with lines such as `web: bin/server`:

  ganger check              show what would run
  ganger start              run it all in this terminal; Ctrl-C stops it

Meanwhile, in a second terminal:

  ganger ps                 list the workers
  ganger restart web        give one a fresh start
  ganger scale worker=3     run more of one
  ganger logs -f worker     see what one writes
  ganger why web            find out why it is down

And on its own:

  ganger run web            run one worker of it here
  ganger run CMD…           run any command with the app's environment

`ganger --help` lists every command, `ganger COMMAND --help` explains one.
";

/// Prints the welcome.
pub(crate) fn run() -> Outcome {
    let mut output = Output::new();
    output.text(WELCOME)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
