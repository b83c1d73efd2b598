//! Attached without a terminal: what the worker writes goes to stdout as it is, and stdin goes to the worker.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use ganger_api::{AttachQuery, Attachment, ClientError, FromWorker, Place, Told};
use rustix::termios::isatty;
use tokio::sync::mpsc;

use crate::cli::AttachArgs;
use crate::failure::Outcome;

/// So much is read from stdin at once.
const PIECE_BYTES: usize = 16 * 1024;
/// So many pieces wait for the worker.
const PIECES: usize = 4;

/// Shows what comes until the run or the app ends.
pub(super) async fn run(place: &Place, args: &AttachArgs) -> Outcome {
    let query = AttachQuery { name: args.name.clone(), size: None, read_only: args.read_only, after: None };
    let mut attachment = Attachment::open(place, query).await?;
    let mut typed = (!args.read_only && !isatty(io::stdin())).then(read_stdin);
    let mut until = 0;
    loop {
        tokio::select! {
            frame = attachment.next() => match frame {
                Ok(FromWorker::Output { position, bytes }) if !args.no_history || position >= until => {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(&bytes)?;
                    stdout.flush()?;
                }
                Ok(FromWorker::Told(Told::Begin(begin))) => until = begin.until,
                Ok(FromWorker::Told(Told::Ended { .. })) if args.once => return Ok(ExitCode::SUCCESS),
                Ok(FromWorker::Told(Told::Notice { text })) => drop(writeln!(io::stderr(), "ganger: {text}")),
                Ok(FromWorker::Output { .. } | FromWorker::Told(_)) => {}
                Err(ClientError::NotRunning { .. } | ClientError::Ended) => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(error.into()),
            },
            piece = next(&mut typed) => match piece {
                Some(bytes) => drop(attachment.input(&bytes)),
                None => typed = None,
            },
        }
    }
}

/// The next piece of stdin, if it is read.
async fn next(typed: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match typed {
        Some(typed) => typed.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads stdin where that holds up nothing.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = io::stdin().lock().read(&mut piece) {
            if sender.blocking_send(piece[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
