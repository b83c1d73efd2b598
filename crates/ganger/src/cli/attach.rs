//! The words of `ganger attach`.

use clap::Args;

use crate::commands::DetachKeys;

/// `ganger attach`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttachArgs {
    /// A worker; of a group its first one
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only look: what is typed goes nowhere, and the size of the terminal stays
    #[arg(short = 'r', long)]
    pub(crate) read_only: bool,
    /// Leave when the run ends, and do not wait for the next
    #[arg(long)]
    pub(crate) once: bool,
    /// Show what is on the screen without the lines that scrolled off before
    #[arg(long)]
    pub(crate) no_history: bool,
    /// The keys that detach, with commas between them: ctrl-], or ctrl-p,ctrl-q, or none
    #[arg(long, value_name = "KEYS", default_value_t)]
    pub(crate) detach_keys: DetachKeys,
}
