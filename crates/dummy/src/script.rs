//! The flags.

use std::path::PathBuf;
use std::time::Duration;

/// What to do, in this order.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Script {
    /// `--ignore SIG`: ignored from the start.
    pub(crate) ignore: Vec<i32>,
    /// `--on SIG=exit:N`: on this signal, end with this code.
    pub(crate) on: Vec<(i32, u8)>,
    /// `--touch FILE`: made at the start.
    pub(crate) touch: Option<PathBuf>,
    /// `--stamp FILE`: PID and monotonic nanoseconds are appended.
    pub(crate) stamp: Option<PathBuf>,
    /// `--alone DIR`: `DIR/WORKER` is locked; `DIR/doubled` is made if another run of the worker has it.
    pub(crate) alone: Option<PathBuf>,
    /// `--print-env NAME`: its value is printed.
    pub(crate) print_env: Vec<String>,
    /// `--straggler`: leave a process behind, in a session of its own.
    pub(crate) straggler: bool,
    /// `--straggler-ignore-term`: one that ignores TERM, INT and HUP.
    pub(crate) straggler_ignore_term: bool,
    /// `--leak-pipe`: the straggler keeps stdout and stderr open.
    pub(crate) leak_pipe: bool,
    /// `--wait-for FILE`: go on when it is there.
    pub(crate) wait_for: Option<PathBuf>,
    /// `--ready-late MS`: wait before listening and printing.
    pub(crate) ready_late: Option<Duration>,
    /// `--listen`: on port `PORT` of the loopback.
    pub(crate) listen: bool,
    /// `--lines N`: numbered lines are printed.
    pub(crate) lines: u64,
    /// `--line-length L`: with so many bytes each, line end included.
    pub(crate) line_length: usize,
    /// `--rate LPS`: so many lines a second; 0 is as fast as it goes.
    pub(crate) rate: u64,
    /// `--tally DIR`: each line begins with the PID, and `DIR/PID` tells how many were written.
    pub(crate) tally: Option<PathBuf>,
    /// `--partial TEXT`: printed without a line end.
    pub(crate) partial: Option<String>,
    /// `--run-for MS`: live on; for good with `forever`.
    pub(crate) run_for: Option<Duration>,
    /// `--signal-self SIG`: end by this signal.
    pub(crate) signal_self: Option<i32>,
    /// `--exit N`: end with this code.
    pub(crate) exit: u8,
}

/// Longer than any test.
const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

/// Reads the flags.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Script, String> {
    let mut script = Script { line_length: 80, ..Script::default() };
    while let Some(flag) = args.next() {
        match flag.as_str() {
            "--straggler" => script.straggler = true,
            "--straggler-ignore-term" => script.straggler_ignore_term = true,
            "--leak-pipe" => script.leak_pipe = true,
            "--listen" => script.listen = true,
            _ => {
                let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
                set(&mut script, &flag, &value)?;
            }
        }
    }
    Ok(script)
}

fn set(script: &mut Script, flag: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a number"));
    let code = || value.parse::<u8>().map_err(|_| format!("{flag} {value}: not an exit code"));
    match flag {
        "--ignore" => script.ignore.push(signal(value)?),
        "--on" => script.on.push(reaction(value)?),
        "--touch" => script.touch = Some(value.into()),
        "--stamp" => script.stamp = Some(value.into()),
        "--alone" => script.alone = Some(value.into()),
        "--print-env" => script.print_env.push(value.to_owned()),
        "--wait-for" => script.wait_for = Some(value.into()),
        "--ready-late" => script.ready_late = Some(Duration::from_millis(number()?)),
        "--lines" => script.lines = number()?,
        "--line-length" => {
            script.line_length = usize::try_from(number()?).map_err(|error| error.to_string())?;
        }
        "--rate" => script.rate = number()?,
        "--tally" => script.tally = Some(value.into()),
        "--partial" => script.partial = Some(value.to_owned()),
        "--run-for" if value == "forever" => script.run_for = Some(FOREVER),
        "--run-for" => script.run_for = Some(Duration::from_millis(number()?)),
        "--signal-self" => script.signal_self = Some(signal(value)?),
        "--exit" => script.exit = code()?,
        _ => return Err(format!("{flag}: no such flag")),
    }
    Ok(())
}

fn reaction(value: &str) -> Result<(i32, u8), String> {
    let parts = value.split_once("=exit:").and_then(|(name, code)| Some((name, code.parse().ok()?)));
    let (name, code) = parts.ok_or_else(|| format!("--on {value}: not SIG=exit:N"))?;
    Ok((signal(name)?, code))
}

fn signal(name: &str) -> Result<i32, String> {
    let known = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("TERM", 15),
        ("CONT", 18),
        ("STOP", 19),
        ("WINCH", 28),
    ];
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    let found = known.iter().find(|(known, _)| *known == bare).map(|(_, number)| *number);
    found.or_else(|| name.parse().ok()).ok_or_else(|| format!("{name}: no such signal"))
}
