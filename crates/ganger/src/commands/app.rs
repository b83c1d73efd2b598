//! `ganger app`: the apps that one daemon oversees.

use std::process::ExitCode;

use ganger_api::{AppsInfo, Client, ClientError, Data, Environment, Place, Request};

use crate::ask::{block_on, current_dir, unexpected};
use crate::cli::{AppAddArgs, AppCommand, AppRemoveArgs};
use crate::failure::{Failure, Outcome};
use crate::output::show;
use crate::render::Table;
use crate::style::Style;

/// Looks at or changes the list of apps, with the daemon if it runs.
pub(crate) fn run(command: AppCommand) -> Outcome {
    let (request, json) = match command {
        AppCommand::Add(AppAddArgs { dir, name, json }) => {
            (Request::AddApp { dir: current_dir()?.join(dir), name }, json)
        }
        AppCommand::Remove(AppRemoveArgs { name, json }) => (Request::RemoveApp { name }, json),
        AppCommand::List(args) => (Request::Apps, args.json),
    };
    let environment = Environment::of_process();
    let daemon = Place::of_daemon(&environment)?;
    let asked = block_on(async {
        match Client::connect(&daemon).await {
            Ok(mut client) => Ok(Some(client.request(&request).await?)),
            Err(ClientError::NotRunning { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })?;
    let data = match asked {
        Some(data) => data,
        None => ganger_overseer::edit(&environment, &request)??,
    };
    let Data::Apps(info) = data else { return Err(unexpected()) };
    show(json, &info, |info| listed(info, Style::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

fn listed(info: &AppsInfo, style: Style) -> String {
    let mut table = Table::new(style, &["APP", "STATE", "DIRECTORY", "WHY"]);
    for app in &info.apps {
        table.row([app.name.clone(), app.state.to_string(), app.root.display().to_string(), app.why.clone()]);
    }
    if info.apps.is_empty() { "no apps: `ganger app add DIR` adds one\n".to_owned() } else { table.render() }
}

/// What to do when there is nothing to oversee.
pub(crate) fn none_added() -> Failure {
    Failure::new("no app was added, and there is none in this directory")
        .hinted("`ganger app add DIR` adds one; `ganger daemon -d DIR` oversees just that one")
}
