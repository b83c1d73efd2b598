//! What may fail of a spawn.

use std::fmt;

use minicbor::{Decode, Encode};

/// The part of a spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Step {
    /// The worker has a live run, or processes of its last run are left.
    #[n(0)]
    Refused,
    /// The request makes no sense: no program, a NUL byte, not three descriptors.
    #[n(1)]
    Request,
    /// Its descriptors did not arrive: the keeper has too many.
    #[n(2)]
    Descriptors,
    /// Making a process.
    #[n(3)]
    Fork,
    /// Making the cgroup of the run, or joining it.
    #[n(4)]
    Cgroup,
    /// Becoming the leader of a session.
    #[n(5)]
    Session,
    /// Setting a resource limit.
    #[n(6)]
    Limits,
    /// Becoming a member of the user's groups.
    #[n(7)]
    Groups,
    /// Becoming the group.
    #[n(8)]
    Group,
    /// Becoming the user.
    #[n(9)]
    User,
    /// Changing to the working directory.
    #[n(10)]
    Directory,
    /// Putting stdin, stdout and stderr in their places.
    #[n(11)]
    Stdio,
    /// No such program.
    #[n(12)]
    NotFound,
    /// There is such a file, but it may not be executed, or is a directory.
    #[n(13)]
    NotExecutable,
    /// The program's interpreter (`#!` line, or loader) is missing.
    #[n(14)]
    Interpreter,
    /// Executing the program failed in another way.
    #[n(15)]
    Exec,
    /// Making its terminal the one that controls its session.
    #[n(16)]
    Terminal,
}

impl Step {
    /// What whoever started it can do about it.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Descriptors => Some("raise the limit of open files (ulimit -n) for whoever starts ganger"),
            Self::Fork => Some(
                "too many processes or too little memory: see ulimit -u, pids.max of the cgroup and free -m",
            ),
            Self::Limits => Some("only root may raise a limit above the hard limit (ulimit -H)"),
            Self::Groups | Self::Group | Self::User => Some("only root may start a command as another user"),
            Self::Directory => Some("the directory must exist, and the user must be allowed to enter it"),
            Self::NotFound => Some("without a slash it must be in a directory of PATH"),
            Self::NotExecutable => Some("it must be a file with the right to be executed (chmod +x)"),
            Self::Interpreter => Some(
                "its first line (#!) must name a program that is there, and end without a carriage return",
            ),
            Self::Refused
            | Self::Request
            | Self::Cgroup
            | Self::Session
            | Self::Stdio
            | Self::Exec
            | Self::Terminal => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the worker still has a live run",
            Self::Request => "the request makes no sense",
            Self::Descriptors => "no free descriptors in the keeper",
            Self::Fork => "cannot make a process",
            Self::Cgroup => "cannot join its cgroup",
            Self::Session => "cannot start a session",
            Self::Limits => "cannot set a resource limit",
            Self::Groups => "cannot join the user's groups",
            Self::Group => "cannot become the group",
            Self::User => "cannot become the user",
            Self::Directory => "cannot change to the working directory",
            Self::Stdio => "cannot set up its standard streams",
            Self::NotFound => "command not found",
            Self::NotExecutable => "command not executable",
            Self::Interpreter => "the interpreter of the command is missing",
            Self::Exec => "cannot execute the command",
            Self::Terminal => "cannot give it a terminal",
        })
    }
}
