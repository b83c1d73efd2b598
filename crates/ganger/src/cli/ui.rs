//! The words of `ganger ui`.

use clap::Args;

/// `ganger ui`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UiArgs {}
