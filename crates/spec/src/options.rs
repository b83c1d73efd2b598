//! What the command line says, and what comes of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::{OvermindOptions, Spec, Warning};

/// What the command line says. Plain data: nothing is read from the process's own environment or directory.
/// Relative paths are relative to `dir`.
#[expect(clippy::struct_excessive_bools, reason = "each is said by itself")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where to look. Absolute.
    pub dir: PathBuf,
    /// `-f`: a Procfile, or the native form if it ends in `.toml`.
    pub file: Option<PathBuf>,
    /// `-d`: the app's directory.
    pub root: Option<PathBuf>,
    /// `-e a,b`: these instead of `.env`.
    pub env_files: Option<Vec<PathBuf>>,
    /// `-m web=2,all=1`.
    pub formation: Option<String>,
    /// `-p`: the base of the ports, as text.
    pub port: Option<String>,
    /// `start web worker`: only these are started; empty means all.
    pub groups: Vec<String>,
    /// `--timeout`: how long a stop may take, as text: seconds, or a duration such as `1m30s`.
    pub timeout: Option<String>,
    /// `--can-die web,worker`: the end of these does not end the app.
    pub can_die: Option<String>,
    /// `--any-can-die`: no end ends the app.
    pub any_can_die: bool,
    /// `--auto-restart worker,…` or `all`: these are started again whenever they end.
    pub auto_restart: Option<String>,
    /// `--forward journald`: lines are sent there too, beside where the files say.
    pub forward: Vec<String>,
    /// The app runs without a terminal: no end of a worker is the app's, and a group of which nothing is said is
    /// started again whenever it ends.
    pub background: bool,
    /// An app without groups will do, also one without a Procfile: only its environment is asked for.
    pub without_groups: bool,
    /// The app runs and its files are read again: a group that the command line names and that is gone is told of, and
    /// is no error.
    pub again: bool,
    /// Workers may become other users: those of supervisord's file that name none are whom `[supervisord]` names.
    pub is_root: bool,
    /// Which workers have a terminal.
    pub terminals: Terminals,
    /// What `overmind start` says beside all this. Then no `.foreman` is read, and an env file that is not there is no error.
    pub overmind: Option<Box<OvermindOptions>>,
    /// The shell's environment, for expansion in env files and for `PORT`.
    pub inherited: BTreeMap<OsString, OsString>,
}

/// Which workers have a terminal of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminals {
    /// Those whose group says so.
    #[default]
    AsSaid,
    /// All but those whose group says otherwise.
    Usual,
    /// None, whatever is said.
    None,
}

/// A spec and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What should run.
    pub spec: Spec,
    /// What is probably not meant so.
    pub warnings: Vec<Warning>,
    /// How the foreground prints.
    pub settings: Settings,
    /// Groups that stay down because the formation names others and not them.
    pub left_out: Vec<String>,
}

/// Defaults of the foreground's printer, from `.foreman`; none means that nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether lines begin with the time.
    pub timestamps: Option<bool>,
    /// Whether names are coloured.
    pub color: Option<bool>,
}
