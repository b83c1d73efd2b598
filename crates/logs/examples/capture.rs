//! Captures what is written to the pipes `DIR/worker.1.pipe`, `DIR/worker.2.pipe` … until so many bytes came in all,
//! and says what that cost; for measuring against a bare `splice(2)`.
//!
//!     cargo run --release -p ganger-logs --example capture -- DIR BYTES FILE_BYTES BACKUPS [PIPES]

use std::io::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ganger_logs::{Capture, Limits, create_pipe};
use rustix::time::{ClockId, clock_gettime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().skip(1).collect::<Vec<_>>();
    let [dir, bytes, file_bytes, backups, pipes @ ..] = args.as_slice() else {
        return Err(Error::other("give DIR BYTES FILE_BYTES BACKUPS [PIPES]").into());
    };
    let (dir, bytes) = (PathBuf::from(dir), bytes.parse::<u64>()?);
    let pipes = pipes.first().map_or(Ok(1), |n| n.parse::<usize>())?;
    let limits = Limits { file_bytes: file_bytes.parse()?, backups: backups.parse()?, ..Limits::default() };
    let capture = Capture::start(&dir.join("logs"), limits, Box::new(|event| eprintln!("{event:?}")), None)?;
    let logs = (1..=pipes).map(|n| format!("worker.{n}")).collect::<Vec<_>>();
    let mut writers = Vec::new();
    for log in &logs {
        let pipe = create_pipe(&dir.join(format!("{log}.pipe")), None)?;
        capture.add(log, pipe.reader, None)?;
        writers.push(pipe.writer);
    }
    println!("ready");
    let (store, began, cpu) = (capture.store(), Instant::now(), cpu());
    // A look now and then, so that what is measured is capture alone.
    let watch = store.watch()?;
    while logs.iter().map(|log| store.end(log)).sum::<Result<u64, _>>()? < bytes {
        watch.wait(Some(Duration::from_millis(20)))?;
    }
    println!("{:.3} s, {:.3} CPU-s", began.elapsed().as_secs_f64(), self::cpu() - cpu);
    capture.stop();
    Ok(())
}

/// Seconds of processor time that this process has used.
#[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
