//! `ganger import`: another tool's file in ganger's own form.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::{SpecArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load::load;
use crate::output::Output;

/// `ganger import`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportArgs {
    /// A file of supervisord's
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Prints the `ganger.toml` that says the same.
pub(crate) fn run(place: &Where, args: &ImportArgs) -> Outcome {
    let place = Where { procfile: Some(args.file.clone()), ..place.clone() };
    let loaded = load(&place, &SpecArgs::default(), &[])?;
    let Some(text) = loaded.to_native() else {
        let message = format!("{} is no file of supervisord's", args.file.display());
        return Err(Failure::new(message).hinted("name a file such as /etc/supervisor/supervisord.conf"));
    };
    let mut output = Output::new();
    output.text(text)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
