//! From a command to the running app and back.

use std::future::Future;
use std::path::{Path, PathBuf};

use ganger_api::{AppFile, Client, ClientError, Data, Environment, Place, Request};

use crate::cli::Where;
use crate::failure::Failure;
use crate::render::count;

/// Where the app that a command is about is or would be, running or not: that of this directory.
pub(crate) fn here(place: &Where) -> Result<Place, Failure> {
    Ok(Place::of(&directory(place)?, &Environment::of_process())?)
}

/// The same for an app that is to be started: its directories are there.
pub(crate) fn made_here(place: &Where) -> Result<Place, Failure> {
    let here = here(place)?;
    here.create(&Environment::of_process())?;
    Ok(here)
}

/// The running app that a command is about.
pub(crate) fn find(place: &Where) -> Result<(Place, AppFile), Failure> {
    search(place).map_err(|failure| bereaved(place).unwrap_or(failure))
}

fn search(place: &Where) -> Result<(Place, AppFile), Failure> {
    let environment = Environment::of_process();
    Ok(Place::find(place.app.as_deref(), &directory(place)?, &environment)?)
}

/// What there is to say where no app runs any more, but workers of one do.
fn bereaved(place: &Where) -> Option<Failure> {
    if place.app.is_some() {
        return None;
    }
    let workers = ganger_overseer::left_alive(&here(place).ok()?);
    let verb = match workers {
        0 => return None,
        1 => "survives",
        _ => "survive",
    };
    let (root, workers) = (directory(place).ok()?, count(workers, "worker"));
    let message = format!("no ganger oversees {}, but {workers} {verb} one that was killed", root.display());
    Some(Failure::new(message).hinted(
        "`ganger start -D` goes on with what survived, in the background; `ganger start --adopt` in this terminal",
    ))
}

/// The running app that a command is about, if there is one. An app that is named must run.
pub(crate) fn find_running(place: &Where) -> Result<Option<(Place, AppFile)>, Failure> {
    match search(place) {
        Ok(found) => Ok(Some(found)),
        Err(failure) if place.app.is_some() => Err(failure),
        Err(_) => Ok(None),
    }
}

/// Asks the running app one thing.
pub(crate) fn ask(place: &Where, request: &Request) -> Result<Data, Failure> {
    ask_at(&find(place)?.0, request)
}

/// Asks the app in this place one thing.
pub(crate) fn ask_at(place: &Place, request: &Request) -> Result<Data, Failure> {
    block_on(async { Ok(Client::connect(place).await?.request(request).await?) })
}

/// How a stream came to its end.
pub(crate) enum End {
    /// All was given.
    Complete,
    /// The app ended first; its files have what this asks for.
    AppEnded(Request),
}

/// Asks the app in this place for a stream and gives each item to `each`.
pub(crate) fn follow_at(
    place: &Place,
    request: &Request,
    mut each: impl FnMut(Data, &Progress) -> Result<(), Failure>,
) -> Result<End, Failure> {
    block_on(async {
        let mut stream = Client::connect(place).await?.stream(request).await?;
        loop {
            match stream.next().await {
                Ok(Some(item)) => each(item.data, &Progress { caught_up: !stream.has_more() })?,
                Ok(None) => return Ok(End::Complete),
                Err(ClientError::NotRunning { .. } | ClientError::Ended) => {
                    return Ok(End::AppEnded(stream.rest()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    })
}

/// How far a stream has got.
pub(crate) struct Progress {
    /// Nothing more has come yet: what was printed should be seen.
    pub(crate) caught_up: bool,
}

/// An answer of another kind than the question.
pub(crate) fn unexpected() -> Failure {
    Failure::new("the answer is of another kind than the question")
}

/// The directory that a command is about: `-d`, else that of `-f`, else the present one.
pub(crate) fn directory(place: &Where) -> Result<PathBuf, Failure> {
    let here = current_dir()?;
    let of_file = || place.procfile.as_deref().and_then(Path::parent);
    Ok(place.root.as_deref().or_else(of_file).map_or_else(|| here.clone(), |dir| here.join(dir)))
}

/// The present directory.
pub(crate) fn current_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::new(format!("cannot tell the present directory: {error}")))
}

/// Does asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?.block_on(work)
}
