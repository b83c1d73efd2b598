//! A keeper's beginning with runs that live already: what it takes over, and how that is passed on to a process that
//! becomes the keeper by executing its program.
//!
//! Three ways lead here. The keeper was killed, and its overseer becomes the next one in place. All of ganger's
//! processes were killed, and the next start found the survivors. A keeper executes [another program](crate::upgrade)
//! over itself: then the runs are its children still, which it sees by itself.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use rustix::fs::fstat;
use rustix::io::{FdFlags, fcntl_setfd};

use crate::codec;
use crate::exchange::Exchange;
use crate::guard::GUARD_VARIABLE;
use crate::link::{DESCRIPTOR_VARIABLE, sealed, unsealed};
use crate::protocol::{BODY_MAX, Exit, Process, RunId, Usage, VERSION};
use crate::sys::descriptors::{self, OpenFiles};
use crate::sys::program;
use crate::upgrade::Upgraded;

/// The variable that tells a keeper which descriptor holds what it begins with.
pub(crate) const HANDOVER_VARIABLE: &str = "GANGER_HANDOVER_FD";
/// Variables that name descriptors, and mean nothing to another process.
pub(crate) const OUR_VARIABLES: [&str; 3] = [DESCRIPTOR_VARIABLE, HANDOVER_VARIABLE, GUARD_VARIABLE];

/// What a keeper begins with.
#[derive(Debug, Default)]
pub struct Handover {
    /// Every run that is not forgotten.
    pub runs: Vec<HandedRun>,
    /// The directory of the runs' cgroups, if they have any.
    pub cgroup: Option<PathBuf>,
    /// What each overseer finds with [`crate::Link::take_kept`]: at most [`crate::KEPT_MAX`].
    pub kept: Vec<OwnedFd>,
    /// Descriptors of the output of each worker, by its name: what was written and not read lives as long as these.
    pub outputs: Vec<(String, OwnedFd)>,
    /// Descriptors of main processes, opened while they certainly lived: with them a status is known that nobody waited
    /// for.
    pub processes: Vec<(RunId, OwnedFd)>,
}

/// What else a keeper hands over that executes another program over itself.
#[derive(Debug, Default)]
pub(crate) struct Baggage {
    /// The limits of open descriptors that runs are to start with; none means those of this process.
    pub(crate) open_files: Option<OpenFiles>,
    /// Signals that came and that no overseer has acted on.
    pub(crate) signals: Vec<i32>,
    /// What the service manager was not told yet.
    pub(crate) notices: Vec<String>,
    /// How the latest upgrade ended, if there was one.
    pub(crate) upgraded: Option<Upgraded>,
    /// What else comes with an upgrade that is just under way.
    pub(crate) exchange: Option<Exchange>,
}

/// A run that is handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct HandedRun {
    /// The run.
    #[n(0)]
    pub run: RunId,
    /// The worker it was started for.
    #[n(1)]
    pub worker: String,
    /// Its main process; 0 where that ended before anybody was told of it.
    #[n(2)]
    pub pid: u32,
    /// When that started, in clock ticks since the machine booted.
    #[n(3)]
    pub started: u64,
    /// The tag in the environment of its processes.
    #[n(4)]
    pub tag: String,
    /// How the main process ended, if it did and that was not accounted, or left others behind.
    #[n(5)]
    pub exit: Option<Exit>,
    /// What it used; zero while it lives.
    #[n(6)]
    pub usage: Usage,
    /// Once the main process ended: processes of its tree that were alive then.
    #[n(7)]
    pub leftovers: Vec<Process>,
    /// A kill was sent to the whole tree.
    #[n(8)]
    #[cbor(default)]
    pub condemned: bool,
    /// Its end is accounted.
    #[n(9)]
    #[cbor(default)]
    pub acknowledged: bool,
    /// Processes that were seen in its tree, by number and start, where there is no cgroup to hold them.
    #[n(10)]
    #[cbor(default)]
    pub seen: Vec<(u32, u64)>,
    /// It is, or was, a child of the process that hands it over.
    #[n(11)]
    #[cbor(default)]
    pub is_child: bool,
}

/// The same as it is written down. Descriptors are numbers, which stay as they are.
#[derive(Encode, Decode)]
struct Table {
    #[n(0)]
    version: u16,
    #[n(1)]
    runs: Vec<HandedRun>,
    /// Empty if there is none.
    #[cbor(n(2), with = "codec::os_string")]
    cgroup: PathBuf,
    #[n(3)]
    kept: Vec<RawFd>,
    #[n(4)]
    outputs: Vec<(String, RawFd)>,
    #[n(5)]
    processes: Vec<(RunId, RawFd)>,
    /// The limits of open descriptors that runs are to start with.
    #[n(6)]
    open_files: Option<(u64, u64)>,
    /// The process that wrote this: where it is the one that reads it, children are children still.
    #[n(7)]
    #[cbor(default)]
    writer: u32,
    #[n(8)]
    #[cbor(default)]
    signals: Vec<i32>,
    #[n(9)]
    #[cbor(default)]
    notices: Vec<String>,
    #[n(10)]
    upgraded: Option<Upgraded>,
    #[n(11)]
    exchange: Option<WrittenExchange>,
}

#[derive(Encode, Decode)]
struct WrittenExchange {
    /// The program before, its name and the arguments with which it keeps.
    #[n(0)]
    program: Option<RawFd>,
    #[cbor(n(1), with = "codec::os_string")]
    name: PathBuf,
    #[cbor(n(2), with = "codec::os_strings")]
    keep: Vec<OsString>,
    /// The process that stands by, and the line to it.
    #[n(3)]
    guard: Option<(u32, RawFd)>,
}

/// Whether this process was handed runs by the program before it: then [`crate::keep`] goes on with them.
pub fn is_handed_over() -> bool {
    std::env::var_os(HANDOVER_VARIABLE).is_some()
}

/// Whether this program can read what a keeper of another version would hand over to it: how many runs that has. To be
/// called in a process that such a keeper started for this; nothing is taken.
pub fn attempt() -> io::Result<usize> {
    Ok(Table::from_env()?.map_or(0, |table| table.runs.len()))
}

impl Handover {
    /// Becomes the keeper that goes on with this: executes the program of this process anew, which calls
    /// [`crate::keep`] when it has these arguments. Gives the error if that fails; nothing has changed then.
    pub fn execute(&self, name: &Path, args: &[OsString]) -> io::Error {
        let baggage = Baggage { open_files: Some(descriptors::limits_at_birth()), ..Baggage::default() };
        self.execute_as(Path::new(program::OWN), name, args, &baggage)
    }

    /// The same with another program, and more to hand over.
    pub(crate) fn execute_as(
        &self,
        program: &Path,
        name: &Path,
        args: &[OsString],
        baggage: &Baggage,
    ) -> io::Error {
        let prepared = self.written(baggage).and_then(|table| {
            self.inherit(baggage, &table, FdFlags::empty())?;
            Ok(table)
        });
        let error = match &prepared {
            Ok(table) => {
                let argv: Vec<OsString> = std::iter::once(name.into()).chain(args.iter().cloned()).collect();
                let mut env = program::environment(&OUR_VARIABLES);
                env.push(format!("{HANDOVER_VARIABLE}={}", table.as_raw_fd()).into());
                program::execute(program, &argv, &env)
            }
            Err(error) => io::Error::new(error.kind(), error.to_string()),
        };
        if let Ok(table) = &prepared {
            // What cannot be marked again goes to whatever is started next, and does no more harm than that.
            let _ = self.inherit(baggage, table, FdFlags::CLOEXEC);
        }
        error
    }

    /// The table, in a sealed memory file.
    pub(crate) fn written(&self, baggage: &Baggage) -> io::Result<OwnedFd> {
        let number = AsRawFd::as_raw_fd;
        let exchange = baggage.exchange.as_ref();
        let table = Table {
            version: VERSION,
            runs: self.runs.clone(),
            cgroup: self.cgroup.clone().unwrap_or_default(),
            kept: self.kept.iter().map(number).collect(),
            outputs: self.outputs.iter().map(|(worker, one)| (worker.clone(), number(one))).collect(),
            processes: self.processes.iter().map(|(run, one)| (*run, number(one))).collect(),
            open_files: baggage.open_files,
            writer: std::process::id(),
            signals: baggage.signals.clone(),
            notices: baggage.notices.clone(),
            upgraded: baggage.upgraded.clone(),
            exchange: exchange.map(|exchange| WrittenExchange {
                program: exchange.program.as_ref().map(number),
                name: exchange.name.clone(),
                keep: exchange.keep.clone(),
                guard: exchange.guard.as_ref().map(|(pid, line)| (*pid, number(line))),
            }),
        };
        let table = minicbor::to_vec(table).map_err(io::Error::other)?;
        if table.len() > BODY_MAX {
            return Err(rustix::io::Errno::FBIG.into());
        }
        sealed(&table)
    }

    /// Lets the next program have all descriptors, or not.
    pub(crate) fn inherit(&self, baggage: &Baggage, table: &OwnedFd, flags: FdFlags) -> io::Result<()> {
        let outputs = self.outputs.iter().map(|(_, one)| one);
        let processes = self.processes.iter().map(|(_, one)| one);
        let exchange = baggage.exchange.iter().flat_map(Exchange::descriptors);
        let all = self.kept.iter().chain(outputs).chain(processes).chain(exchange).chain([table]);
        for one in all {
            fcntl_setfd(one.as_fd(), flags)?;
        }
        Ok(())
    }

    /// What this process was handed, if it was.
    pub(crate) fn from_env() -> io::Result<Option<(Self, Baggage)>> {
        Ok(match Table::from_env()? {
            Some(table) => Some(table.taken()?),
            None => None,
        })
    }
}

impl Table {
    fn from_env() -> io::Result<Option<Self>> {
        let Ok(number) = std::env::var(HANDOVER_VARIABLE) else { return Ok(None) };
        let wrong =
            |what: &str| io::Error::new(ErrorKind::InvalidData, format!("{HANDOVER_VARIABLE}: {what}"));
        let number = number.parse().map_err(|_| wrong("no number"))?;
        let [file] = <[OwnedFd; 1]>::try_from(descriptors::handed_down(&[number])?)
            .map_err(|_| wrong("no descriptor"))?;
        let length = usize::try_from(fstat(&file)?.st_size).unwrap_or(usize::MAX);
        if length > BODY_MAX {
            return Err(wrong("too long"));
        }
        Self::read(&unsealed(&file, length)?).map_err(|error| wrong(&error)).map(Some)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut table: Self = minicbor::decode(bytes).map_err(|error| error.to_string())?;
        if table.version == 0 {
            return Err("a version that makes no sense".to_owned());
        }
        if table.writer != std::process::id() {
            table.runs.iter_mut().for_each(|run| run.is_child = false);
        }
        Ok(table)
    }

    /// It with its descriptors.
    fn taken(self) -> io::Result<(Handover, Baggage)> {
        let outputs: Vec<RawFd> = self.outputs.iter().map(|(_, number)| *number).collect();
        let processes: Vec<RawFd> = self.processes.iter().map(|(_, number)| *number).collect();
        let [kept, outputs, processes] =
            [&self.kept, &outputs, &processes].map(|all| descriptors::handed_down(all));
        let one = |number: RawFd| Ok::<_, io::Error>(descriptors::handed_down(&[number])?.pop());
        let exchange = match self.exchange {
            Some(WrittenExchange { program, name, keep, guard }) => Some(Exchange {
                program: program.map(one).transpose()?.flatten(),
                name,
                keep,
                guard: match guard {
                    Some((pid, line)) => one(line)?.map(|line| (pid, line)),
                    None => None,
                },
            }),
            None => None,
        };
        let handover = Handover {
            runs: self.runs,
            cgroup: Some(self.cgroup).filter(|path| !path.as_os_str().is_empty()),
            kept: kept?,
            outputs: self.outputs.into_iter().map(|(worker, _)| worker).zip(outputs?).collect(),
            processes: self.processes.into_iter().map(|(run, _)| run).zip(processes?).collect(),
        };
        let baggage = Baggage {
            open_files: self.open_files,
            signals: self.signals,
            notices: self.notices,
            upgraded: self.upgraded,
            exchange,
        };
        Ok((handover, baggage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Event, Request};

    /// What versions that were released said to each other and handed over, as the kind, the name and the bytes. It is
    /// never changed; a release adds a directory.
    fn said() -> Vec<(String, String, Vec<u8>)> {
        let tests = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
        let files = tests.map(|entry| entry.unwrap().path().join("messages")).filter(|path| path.exists());
        let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let byte = |at| u8::from_str_radix(&words[2][at..at + 2], 16).unwrap();
            (words[0].to_owned(), words[1].to_owned(), (0..words[2].len()).step_by(2).map(byte).collect())
        };
        let all: Vec<_> = texts.iter().flat_map(|text| text.lines().map(line)).collect();
        assert!(!all.is_empty());
        all
    }

    fn name(message: &impl std::fmt::Debug) -> String {
        format!("{message:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_each_version_says_and_hands_over_is_understood() {
        for (kind, message, bytes) in said() {
            match kind.as_str() {
                "Request" => assert_eq!(name(&minicbor::decode::<Request>(&bytes).unwrap()), message),
                "Event" => assert_eq!(name(&minicbor::decode::<Event>(&bytes).unwrap()), message),
                _ => {
                    let table = Table::read(&bytes).unwrap();
                    let [run] = &table.runs[..] else { panic!("{}", table.runs.len()) };
                    assert_eq!((run.run, run.worker.as_str(), run.pid), (RunId(1), "web.1", 7));
                    assert_eq!((run.exit, run.leftovers.len()), (Some(Exit::Unknown), 1));
                    assert!(!run.is_child && !run.acknowledged && run.seen.is_empty());
                    assert_eq!(
                        (&table.kept[..], &table.outputs[..]),
                        (&[10][..], &[("web.1".to_owned(), 11)][..])
                    );
                    assert_eq!((table.open_files, table.signals.len()), (Some((1024, 4096)), 0));
                }
            }
        }
    }

    /// The table of 0.1.0, which may have to go on with what a later version hands back.
    #[derive(Decode)]
    struct OldTable {
        #[n(0)]
        version: u16,
        #[n(1)]
        runs: Vec<OldRun>,
        #[n(3)]
        kept: Vec<RawFd>,
    }

    #[derive(Decode)]
    struct OldRun {
        #[n(1)]
        worker: String,
        #[n(7)]
        leftovers: Vec<Process>,
    }

    #[test]
    fn what_is_added_to_the_table_is_passed_over_by_those_who_do_not_know_it() {
        let run = HandedRun { worker: "web.1".to_owned(), is_child: true, ..HandedRun::default() };
        let handover = Handover { runs: vec![run], ..Handover::default() };
        let file = handover.written(&Baggage { signals: vec![15], ..Baggage::default() }).unwrap();
        let length = usize::try_from(fstat(&file).unwrap().st_size).unwrap();
        let bytes = unsealed(&file, length).unwrap();
        let old: OldTable = minicbor::decode(&bytes).unwrap();
        assert_eq!((old.version, old.kept.len(), old.runs[0].leftovers.len()), (VERSION, 0, 0));
        assert_eq!(old.runs[0].worker, "web.1");
        assert!(Table::read(&bytes).unwrap().runs[0].is_child, "this process wrote it itself");
    }

    #[test]
    fn a_table_that_is_too_long_to_be_read_is_not_written() {
        let run = HandedRun { tag: "x".repeat(BODY_MAX), ..HandedRun::default() };
        let handover = Handover { runs: vec![run], ..Handover::default() };
        assert!(handover.written(&Baggage::default()).is_err());
    }
}
