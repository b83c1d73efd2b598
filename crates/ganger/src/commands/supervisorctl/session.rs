//! What lasts from one action to the next: whom we talk to, what came of it so far, the keyboard.

use std::io::{self, Write};

use ganger_api::supervisor::{Address, Client, ClientError, Credentials};
use ganger_api::xmlrpc::{Fault, Value};
use ganger_keeper::Signals;
use ganger_spec::Signal;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;

use super::Stop;
use super::config::Settings;
use super::input::Input;
use super::python::Exception;
use crate::failure::Failure;
use crate::listen::listen;

/// Why an action did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server did not do it, or cannot be reached.
    Client(ClientError),
    /// We cannot go on.
    Exception(Exception),
    /// Nothing more is to be done at all.
    Stop(Stop),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<ganger_api::supervisor::BadAnswer> for Trouble {
    fn from(error: ganger_api::supervisor::BadAnswer) -> Self {
        Self::Client(error.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Stop(error.into())
    }
}

/// What came of a call: a fault may be what the action is prepared for.
pub(super) fn tried<T>(result: Result<T, Trouble>) -> Result<Result<T, Fault>, Trouble> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Trouble::Client(ClientError::Fault(fault))) => Ok(Err(fault)),
        Err(other) => Err(other),
    }
}

/// One run of `supervisorctl`.
pub(super) struct Session {
    pub(super) settings: Settings,
    /// Whether there is somebody to ask.
    pub(super) interactive: bool,
    /// The exit status, as far as it has come.
    pub(super) status: u8,
    pub(super) input: Input,
    client: Option<Client>,
    signals: AsyncFd<Signals>,
    runtime: Runtime,
}

impl Session {
    pub(super) fn new(settings: Settings, interactive: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot begin: {error}"));
        // Before there is any thread that would get them.
        let signals = Signals::catch(&[Signal::INT.number()]).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let inside = runtime.enter();
        let signals = listen(signals).map_err(failed)?;
        let input = Input::new().map_err(failed)?;
        drop(inside);
        Ok(Self { settings, interactive, status: 0, input, client: None, signals, runtime })
    }

    /// Prints a line.
    #[expect(clippy::unused_self, reason = "who prints is in a session")]
    pub(super) fn say(&mut self, text: &str) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.write_all(b"\n")?;
        Ok(stdout.flush()?)
    }

    /// Calls `supervisor.METHOD`.
    pub(super) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, Trouble> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.client()?,
        };
        let answer = self.wait(client.call(&format!("supervisor.{method}"), params))?;
        self.client = Some(client);
        Ok(answer?)
    }

    /// Calls a method whose answer is an array of these.
    pub(super) fn list<T>(&mut self, method: &str, params: &[Value]) -> Result<Vec<T>, Trouble>
    where
        T: for<'a> TryFrom<&'a Value, Error = ganger_api::supervisor::BadAnswer>,
    {
        match self.call(method, params)? {
            Value::Array(values) => Ok(values.iter().map(T::try_from).collect::<Result<_, _>>()?),
            _ => Err(unexpected(method)),
        }
    }

    /// Calls a method whose answer is a text or a number.
    pub(super) fn text(&mut self, method: &str, params: &[Value]) -> Result<String, Trouble> {
        match self.call(method, params)? {
            Value::String(text) => Ok(text),
            Value::Int(number) => Ok(number.to_string()),
            Value::Base64(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            _ => Err(unexpected(method)),
        }
    }

    /// A client of its own, for a stream.
    pub(super) fn client(&self) -> Result<Client, Trouble> {
        let address: Address =
            self.settings.server_url.parse().map_err(|error: ganger_api::supervisor::BadAddress| {
                Trouble::Exception(Exception::new("ValueError", error.to_string()))
            })?;
        let (username, password) = (self.settings.username.clone(), self.settings.password.clone());
        let credentials =
            username.zip(password).map(|(username, password)| Credentials { username, password });
        Ok(Client::new(address, credentials))
    }

    /// The next call makes a new connection: the server may have been started anew, or another one is meant.
    pub(super) fn disconnect(&mut self) {
        self.client = None;
    }

    /// Waits for something, unless Ctrl-C is pressed.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        let interrupted = interrupted(&self.signals);
        self.runtime.block_on(async {
            tokio::select! {
                done = work => Ok(done),
                () = interrupted => Err(Trouble::Stop(Stop::Interrupted)),
            }
        })
    }

    /// The next line that is typed; none at the end.
    pub(super) fn line(&mut self, prompt: &str) -> Result<Option<String>, Trouble> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(prompt.as_bytes())?;
        stdout.flush()?;
        drop(stdout);
        let mut input = std::mem::take(&mut self.input);
        let line = self.wait(input.line());
        self.input = input;
        Ok(line??)
    }

    /// Asks for one word.
    pub(super) fn ask(&mut self, prompt: &str) -> Result<String, Trouble> {
        let end = || Trouble::Exception(Exception::new("EOFError", "EOF when reading a line"));
        self.line(prompt)?.ok_or_else(end)
    }

    /// Asks for a word that is not to be seen.
    pub(super) fn ask_secretly(&mut self, prompt: &str) -> Result<String, Trouble> {
        let modes = tcgetattr(io::stdin()).ok();
        if let Some(modes) = &modes {
            let mut hidden = modes.clone();
            hidden.local_modes -= LocalModes::ECHO;
            tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(io::Error::from)?;
        }
        let word = self.ask(prompt);
        if let Some(modes) = &modes {
            // A terminal that is gone need not be restored.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, modes);
            self.say("")?;
        }
        word
    }
}

fn unexpected(method: &str) -> Trouble {
    ganger_api::supervisor::BadAnswer(format!("it is of another kind than that of {method}")).into()
}

/// Waits for Ctrl-C.
async fn interrupted(signals: &AsyncFd<Signals>) {
    while let Ok(mut ready) = signals.readable().await {
        if signals.get_ref().next().is_some() {
            return;
        }
        ready.clear_ready();
    }
}
