//! `[unix_http_server]`, `[inet_http_server]` and `[supervisorctl]`.

use std::path::PathBuf;

use super::daemon::{Address, Server};
use super::ini::{Said, Section, is_space};
use super::reader::{Names, Reader};
use super::users::{self, Found};
use super::value::{self, Wrong};

/// What `[supervisorctl]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ctl {
    /// Where the server is.
    pub serverurl: String,
    /// The name to log in with.
    pub username: Option<String>,
    /// The password to log in with.
    pub password: Option<String>,
    /// What it asks with.
    pub prompt: String,
    /// Where it keeps what was typed.
    pub history_file: Option<PathBuf>,
}

/// The keys of who may do anything.
const LOGIN: [&str; 2] = ["username", "password"];
/// The keys of who may only look. To supervisord they are nothing.
const READER: [&str; 2] = ["readonly_username", "readonly_password"];

impl Reader<'_> {
    /// The servers, those of TCP first. Any section is one whose name begins like one.
    pub(crate) fn servers(&mut self) -> Vec<Server> {
        let ini = self.ini;
        let of =
            |kind: &'static str| ini.sections.iter().filter(move |section| section.name.starts_with(kind));
        let (inet, unix) = (of("inet_http_server"), of("unix_http_server"));
        let inet: Vec<_> = inet.filter_map(|section| self.inet_server(section)).collect();
        let unix = unix.filter_map(|section| self.unix_server(section));
        inet.into_iter().chain(unix.collect::<Vec<_>>()).collect()
    }

    fn inet_server(&mut self, section: &Section) -> Option<Server> {
        let (login, reader) = (self.login(section, LOGIN), self.login(section, READER));
        let Some(said) = self.text(&section.name, "port", &Names::new()) else {
            self.without(section, "port", "port = 127.0.0.1:9001");
            return None;
        };
        let (host, port) = self.converted(&said, "port", value::address(&said.text))?;
        if login.is_none() && reader.is_none() && !matches!(host.as_str(), "127.0.0.1" | "localhost") {
            let message =
                format!("[{}] lets everybody who reaches the port control every program", section.name);
            let hint = "write `port = 127.0.0.1:9001`, or `username` and `password`";
            self.findings.warn(said.problem(message).hinted(hint));
        }
        Some(Server { section: section.name.clone(), address: Address::Inet { host, port }, login, reader })
    }

    fn unix_server(&mut self, section: &Section) -> Option<Server> {
        let (names, usual) = (Names::new(), self.usual());
        let file = self.text(&section.name, "file", &usual);
        if file.is_none() {
            self.without(section, "file", "file = /run/supervisor.sock");
        }
        let (login, reader) = (self.login(section, LOGIN), self.login(section, READER));
        let owner = self.text(&section.name, "chown", &names);
        let owner = owner.and_then(|said| self.owner(&said, "chown"));
        let mode = self.value(&section.name, "chmod", &names, value::octal).unwrap_or(0o700);
        let path = PathBuf::from(self.paths.with_home(file?.text.trim_matches(is_space)));
        let (uid, gid) = owner.map_or((None, None), |(uid, gid)| (Some(uid), gid));
        let address = Address::Unix { path: self.paths.normal(&path), mode, uid, gid };
        Some(Server { section: section.name.clone(), address, login, reader })
    }

    /// A key that is not there, unless what is there was told of already.
    fn without(&mut self, section: &Section, key: &str, form: &str) {
        if self.raw(&section.name, key).is_none() {
            let problem = section.problem(format!("[{}] has no `{key}`", section.name));
            self.findings.error(problem.hinted(format!("write `{form}`")));
        }
    }

    /// The name and the password that these two keys say.
    fn login(&mut self, section: &Section, keys: [&str; 2]) -> Option<(String, String)> {
        let names = Names::new();
        let [username, password] = keys.map(|key| self.text(&section.name, key, &names));
        match (username, password) {
            (Some(username), Some(password)) => Some((username.text, password.text)),
            (None, None) => None,
            (Some(said), None) | (None, Some(said)) => {
                let has_both = keys.iter().all(|key| self.raw(&section.name, key).is_some());
                if !has_both {
                    let [username, password] = keys;
                    let message = format!("[{}] has only one of `{username}` and `{password}`", section.name);
                    self.findings.error(said.problem(message).hinted("write both or neither"));
                }
                None
            }
        }
    }

    /// `user` or `user:group`, as numbers.
    pub(crate) fn owner(&mut self, said: &Said, key: &str) -> Option<(u32, Option<u32>)> {
        let (user, group) = match said.text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (said.text.as_str(), None),
        };
        let wrong = |what: &str, name: &str| Wrong {
            message: format!("there is no {what} {}", crate::procfile::shown(name)),
            hint: "write `user` or `user:group`".to_owned(),
        };
        let uid = match users::user(user) {
            Found::Yes(user) => Ok(user.uid),
            Found::No | Found::Unsure => Err(wrong("user", user)),
        };
        let uid = self.converted(said, key, uid)?;
        let Some(group) = group else { return Some((uid, None)) };
        let gid = match users::group(group) {
            Found::Yes(gid) => Ok(gid),
            Found::No | Found::Unsure => Err(wrong("group", group)),
        };
        Some((uid, Some(self.converted(said, key, gid)?)))
    }

    /// What `[supervisorctl]` says; none if there is no such section.
    pub(crate) fn ctl(&mut self) -> Option<Ctl> {
        const SECTION: &str = "supervisorctl";
        self.ini.section(SECTION)?;
        let (names, usual) = (Names::new(), self.usual());
        let serverurl = self.text(SECTION, "serverurl", &usual);
        let serverurl = serverurl.map_or_else(|| "http://localhost:9001".to_owned(), |said| said.text);
        let serverurl = match serverurl.strip_prefix("unix://") {
            Some(path) => {
                let path = PathBuf::from(self.paths.with_home(path));
                format!("unix://{}", self.paths.normal(&path).display())
            }
            None => serverurl,
        };
        let prompt = self.text(SECTION, "prompt", &names);
        let history = self.text(SECTION, "history_file", &usual).filter(|said| !said.text.is_empty());
        Some(Ctl {
            serverurl,
            username: self.text(SECTION, "username", &names).map(|said| said.text),
            password: self.text(SECTION, "password", &names).map(|said| said.text),
            prompt: prompt.map_or_else(|| "supervisor".to_owned(), |said| said.text),
            history_file: history.map(|said| {
                let path = PathBuf::from(self.paths.with_home(&said.text));
                self.paths.normal(&path)
            }),
        })
    }
}
