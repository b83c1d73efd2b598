//! What the screen asks for, done by tasks that bring back messages. Each waits for the app, and none for the others.

use std::sync::Arc;
use std::time::Duration;

use ganger_api::{
    AttachQuery, Attachment, Client, ClientError, Data, EventQuery, LogLine, LogQuery, OutcomeInfo, Place,
    Request, TerminalSize, Time,
};
use ganger_ui::{Message, Page};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// So many messages wait for the screen; whoever has more waits too.
const MESSAGES_MAX: usize = 64;
/// A message holds so many lines.
const LINES_MAX: usize = 512;
/// Between two looks, however much happens.
const LOOK_GAP: Duration = Duration::from_millis(100);

/// The tasks, and what they bring.
pub(super) struct Errands {
    place: Place,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    /// They end with this.
    tasks: JoinSet<()>,
    wanted: Arc<Notify>,
    follow: Option<AbortHandle>,
    view: Option<AbortHandle>,
    fit: Option<AbortHandle>,
    page: Option<AbortHandle>,
}

impl Errands {
    /// Listens to what happens in the app from now on.
    pub(super) fn new(place: Place, now: Time) -> Self {
        let (sender, messages) = channel(MESSAGES_MAX);
        let wanted = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(events(place.clone(), sender.clone(), now));
        tasks.spawn(looks(place.clone(), sender.clone(), wanted.clone()));
        Self { place, sender, messages, tasks, wanted, follow: None, view: None, fit: None, page: None }
    }

    /// The next message. A task that panics takes all down with it.
    pub(super) async fn next(&mut self) -> Message {
        loop {
            tokio::select! {
                Some(message) = self.messages.recv() => return message,
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
            }
        }
    }

    /// A message that has come already.
    pub(super) fn ready(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    pub(super) fn look(&self) {
        self.wanted.notify_one();
    }

    pub(super) fn follow(&mut self, window: u64, query: LogQuery) {
        self.unfollow();
        self.follow = Some(self.tasks.spawn(follow(self.place.clone(), self.sender.clone(), window, query)));
    }

    pub(super) fn unfollow(&mut self) {
        self.follow.take().inspect(AbortHandle::abort);
    }

    pub(super) fn view(&mut self, window: u64, worker: String) {
        self.unview();
        self.view = Some(self.tasks.spawn(view(self.place.clone(), self.sender.clone(), window, worker)));
    }

    pub(super) fn unview(&mut self) {
        self.view.take().inspect(AbortHandle::abort);
    }

    /// What was asked before and has not gone out is of no use any more.
    pub(super) fn fit(&mut self, size: TerminalSize) {
        self.fit.take().inspect(AbortHandle::abort);
        self.fit = Some(self.tasks.spawn(fit(self.place.clone(), size)));
    }

    pub(super) fn page(&mut self, page: Page) {
        self.page.take().inspect(AbortHandle::abort);
        self.page = Some(self.tasks.spawn(read(self.place.clone(), self.sender.clone(), page)));
    }

    pub(super) fn ask(&mut self, request: Request, words: String) {
        self.tasks.spawn(ask(self.place.clone(), self.sender.clone(), request, words));
    }
}

/// Lets the terminals have this size. Without an answer they have the one that they had.
async fn fit(place: Place, size: TerminalSize) {
    if let Ok(mut client) = Client::connect(&place).await {
        let _ = client.request(&Request::Window(size)).await;
    }
}

/// Gives a message to the screen. Where there is none any more, the task ends with it.
async fn tell(sender: &Sender<Message>, message: Message) {
    let _ = sender.send(message).await;
}

/// That the app is no more, or why it cannot be reached.
fn end(error: &ClientError) -> Message {
    match error {
        ClientError::NotRunning { .. } | ClientError::Ended => Message::Ended("it has ended".to_owned()),
        other => Message::Ended(sentence(other)),
    }
}

/// An error with its hint.
fn sentence(error: &ClientError) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// Tells what happens after `now`, until the app ends.
async fn events(place: Place, sender: Sender<Message>, now: Time) {
    let mut after = None;
    loop {
        let before = after;
        let ended = next_events(&place, &sender, now, &mut after).await;
        match ended {
            Err(error) => return tell(&sender, end(&error)).await,
            // A stream that ends is opened once more: its overseer gave it up in good order.
            Ok(()) if before != after => {}
            Ok(()) => return tell(&sender, Message::Ended("it tells nothing any more".to_owned())).await,
        }
    }
}

async fn next_events(
    place: &Place,
    sender: &Sender<Message>,
    now: Time,
    after: &mut Option<u64>,
) -> Result<(), ClientError> {
    let query = EventQuery { follow: true, after: *after, sse: true };
    let mut stream = Client::connect(place).await?.stream(&Request::Events(query)).await?;
    while let Some(item) = stream.next().await? {
        if let Data::Event(event) = item.data {
            *after = Some(event.seq);
            if event.time > now {
                tell(sender, Message::Happened(event)).await;
            }
        }
    }
    Ok(())
}

/// Looks whenever somebody wants to, but not too often.
async fn looks(place: Place, sender: Sender<Message>, wanted: Arc<Notify>) {
    let mut client = None;
    loop {
        wanted.notified().await;
        let looked = Instant::now();
        match look(&place, &mut client).await {
            Ok(message) => tell(&sender, message).await,
            // A machine that is busy is asked again the next time.
            Err(ClientError::Timeout { .. } | ClientError::Broken { .. } | ClientError::Unanswered) => {
                client = None;
            }
            Err(error) => return tell(&sender, end(&error)).await,
        }
        sleep_until(looked + LOOK_GAP).await;
    }
}

async fn look(place: &Place, kept: &mut Option<Client>) -> Result<Message, ClientError> {
    let mut client = match kept.take() {
        Some(client) => client,
        None => Client::connect(place).await?,
    };
    let app = client.request(&Request::App).await?;
    let workers = client.request(&Request::Workers { names: Vec::new() }).await?;
    *kept = Some(client);
    let (Data::App(app), Data::Workers(workers)) = (app, workers) else {
        return Err(ClientError::BadAnswer("it is of another kind than the question".to_owned()));
    };
    Ok(Message::Looked { app: Box::new(app), workers, at: Time(jiff::Timestamp::now()) })
}

/// Brings lines as they are written.
async fn follow(place: Place, sender: Sender<Message>, window: u64, query: LogQuery) {
    if let Err(error) = lines(&place, &sender, window, query).await {
        log_failed(&sender, window, &error).await;
    }
}

/// The end of the app is told by its events.
async fn log_failed(sender: &Sender<Message>, window: u64, error: &ClientError) {
    if !matches!(error, ClientError::NotRunning { .. } | ClientError::Ended) {
        tell(sender, Message::LogFailed { window, why: sentence(error) }).await;
    }
}

async fn lines(
    place: &Place,
    sender: &Sender<Message>,
    window: u64,
    query: LogQuery,
) -> Result<(), ClientError> {
    let mut stream = Client::connect(place).await?.stream(&Request::Logs(query)).await?;
    let mut batch: Vec<LogLine> = Vec::new();
    while let Some(item) = stream.next().await? {
        if let Data::LogLine(line) = item.data {
            batch.push(line);
        }
        if batch.len() >= LINES_MAX || !stream.has_more() {
            tell(sender, Message::Lines { window, lines: std::mem::take(&mut batch) }).await;
        }
    }
    Ok(())
}

/// Brings what a worker's terminal shows. Without a size of its own it changes none.
async fn view(place: Place, sender: Sender<Message>, window: u64, worker: String) {
    let query = AttachQuery { name: worker, size: None, read_only: true, after: None };
    let error = match Attachment::open(&place, query).await {
        Ok(mut attachment) => loop {
            match attachment.next().await {
                Ok(frame) => tell(&sender, Message::Viewed { window, told: Ok(frame) }).await,
                Err(error) => break error,
            }
        },
        Err(error) => error,
    };
    // The end of the app is told by its events.
    if !matches!(error, ClientError::NotRunning { .. } | ClientError::Ended) {
        tell(&sender, Message::Viewed { window, told: Err(sentence(&error)) }).await;
    }
}

/// Reads stored lines.
async fn read(place: Place, sender: Sender<Message>, page: Page) {
    match stored(&place, &page).await {
        Ok((lines, complete)) => tell(&sender, Message::Paged { page, lines, complete }).await,
        Err(error) => log_failed(&sender, page.window, &error).await,
    }
}

async fn stored(place: &Place, page: &Page) -> Result<(Vec<LogLine>, bool), ClientError> {
    let request = Request::Logs((*page.query).clone());
    let mut stream = Client::connect(place).await?.stream(&request).await?;
    let mut lines = Vec::new();
    while lines.len() < page.take {
        match stream.next().await? {
            Some(item) => {
                if let Data::LogLine(line) = item.data {
                    lines.push(line);
                }
            }
            None => return Ok((lines, true)),
        }
    }
    Ok((lines, false))
}

/// Asks for something that changes the app.
async fn ask(place: Place, sender: Sender<Message>, request: Request, words: String) {
    let answer = async { Client::connect(&place).await?.request(&request).await };
    let result = match answer.await {
        Ok(Data::Outcome(outcome)) => Ok(outcome),
        Ok(_) => Ok(OutcomeInfo::default()),
        Err(error) => Err(sentence(&error)),
    };
    tell(&sender, Message::Answered { words, result }).await;
}
