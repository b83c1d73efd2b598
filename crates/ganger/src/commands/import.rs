//! `ganger import`: another tool's file in ganger's own form.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ganger_spec::{import_compose, is_compose};

use crate::cli::{SpecArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load::{load, options};
use crate::output::Output;

/// `ganger import`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportArgs {
    /// A file of supervisord's, or one of process-compose's if it ends in .yaml or .yml
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Prints the `ganger.toml` that says the same.
pub(crate) fn run(place: &Where, args: &ImportArgs) -> Outcome {
    let mut output = Output::new();
    output.text(imported(place, args)?)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn imported(place: &Where, args: &ImportArgs) -> Result<String, Failure> {
    if is_compose(&args.file) {
        return Ok(import_compose(&options(place, &SpecArgs::default(), &[])?, &args.file)?);
    }
    let place = Where { procfile: Some(args.file.clone()), ..place.clone() };
    let loaded = load(&place, &SpecArgs::default(), &[])?;
    loaded.to_native().ok_or_else(|| {
        let message =
            format!("{} is no file of supervisord's and none of process-compose's", args.file.display());
        Failure::new(message)
            .hinted("name a file such as /etc/supervisor/supervisord.conf or process-compose.yaml")
    })
}
