//! The words of `ganger upgrade`.

use std::path::PathBuf;

use clap::Args;

/// `ganger upgrade`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpgradeArgs {
    /// The program to put in place, instead of the one that this command is
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
