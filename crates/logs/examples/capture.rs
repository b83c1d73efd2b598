//! Captures what is written to `DIR/worker.pipe` until so many bytes came; for measuring.
//!
//!     cargo run --release -p ganger-logs --example capture -- DIR BYTES FILE_BYTES BACKUPS

use std::io::Error;
use std::path::PathBuf;
use std::time::Instant;

use ganger_logs::{Capture, From, Limits, create_pipe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().skip(1).collect::<Vec<_>>();
    let [dir, bytes, file_bytes, backups] = args.as_slice() else {
        return Err(Error::other("give DIR BYTES FILE_BYTES BACKUPS").into());
    };
    let (dir, bytes) = (PathBuf::from(dir), bytes.parse::<u64>()?);
    let limits =
        Limits { file_bytes: file_bytes.parse()?, backups: backups.parse()?, unread_bytes: u64::MAX };
    let capture = Capture::start(&dir.join("logs"), limits, Box::new(|event| eprintln!("{event:?}")))?;
    let pipe = create_pipe(&dir.join("worker.pipe"), None)?;
    capture.add("worker", pipe.reader, None)?;
    let store = capture.store();
    let watch = store.watch()?;
    let reader = store.reader("worker", From::Start)?;
    watch.arm();
    if !reader.has_news() {
        watch.wait(None)?;
    }
    let began = Instant::now();
    // Wakes up for each turn of capture, so that the measure includes a follower's wake-ups.
    while store.end("worker")? < bytes {
        watch.arm();
        if store.end("worker")? < bytes {
            watch.wait(None)?;
        }
    }
    println!("{:.3} s", began.elapsed().as_secs_f64());
    capture.stop();
    Ok(())
}
