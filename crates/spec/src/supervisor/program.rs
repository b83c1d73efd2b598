//! `[program:x]`, `[eventlistener:x]` and `[fcgi-program:x]`: each becomes a group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::each::{self, Known, Templates, Texts};
use super::group::{Autorestart, SupervisorGroup, SupervisorStream};
use super::ini::{Said, Section};
use super::names::{check_process_name, group_name};
use super::reader::{Names, Reader, unexpanded};
use super::value::{self, Paths, Value, Wrong};
use crate::ports::MAX_COUNT;
use crate::{
    Backoff, Command, Each, Early, Family, Group, LogFile, LogSize, Logs, OnExit, Origin, Restart,
    RestartMode, Signal, Stderr, Stdin, Stop, StopScope,
};

/// The longest time that is waited for: anything longer is for ever.
const LONG: Duration = Duration::from_hours(366 * 24);

/// So much of what has no file is kept until syslog, or the main log, has it.
pub(super) const SENT_SIZE: LogSize = LogSize { max_size: crate::logs::LOG_FILE_BYTES, keep: 1 };

/// When so many bytes of expanded commands were looked at, only the first and the last worker of each program are.
pub(crate) const MAX_LOOKED: usize = 64 << 20;

/// What is the same for all programs.
pub(crate) struct Common {
    /// Where programs start that say no `directory`.
    pub(crate) dir: PathBuf,
    pub(crate) server_url: Option<String>,
    pub(crate) strip_ansi: bool,
}

/// A program in the family in which it runs.
pub(crate) struct Program<'a> {
    pub(crate) section: &'a Section,
    pub(crate) name: String,
    pub(crate) family: Option<Family>,
    /// What is known in its keys.
    pub(crate) names: Names,
    pub(crate) numprocs: i64,
    first: i64,
}

fn autorestart(text: &str) -> Value<Autorestart> {
    if text.to_lowercase() == "unexpected" {
        return Ok(Autorestart::Unexpected);
    }
    match value::boolean(text) {
        Ok(true) => Ok(Autorestart::True),
        Ok(false) => Ok(Autorestart::False),
        Err(wrong) => Err(Wrong { hint: "write `true`, `false` or `unexpected`".to_owned(), ..wrong }),
    }
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0)).min(LONG)
}

impl Reader<'_> {
    /// The group of a program; none if it has an error without which nothing can be said of it.
    pub(crate) fn program(
        &mut self,
        section: &Section,
        family: Option<Family>,
        common: &Common,
        taken: &mut BTreeSet<String>,
    ) -> Option<Group> {
        let mut program = self.begun(section, family)?;
        let name = group_name(&program.name, program.family.as_ref(), taken);
        let (key, names) = (&section.name, program.names.clone());
        let stopasgroup = self.flag(key, "stopasgroup", &names, false);
        let priority = self.value(key, "priority", &names, value::integer);
        let signal = self.value(key, "stopsignal", &names, value::signal);
        let umask = self.value(key, "umask", &names, value::octal).map(|umask| umask & 0o777);
        let autostart = self.flag(key, "autostart", &names, true);
        let user = self.text(key, "user", &names);
        let known = user.clone().and_then(|said| self.known_user(&said, "user"));
        let supervisor = self.supervisor(&program, stopasgroup, known.map(|user| user.uid), common);
        self.check_count(section, &program);
        let templates = self.templates(&mut program, common)?;
        let errors = self.findings.errors();
        let first = self.first_worker(&program, name, templates, common, &supervisor);
        if program.numprocs <= 0 {
            // Nobody asks what a program would be that has no process.
            self.findings.soften(errors);
        }
        let (mut group, mut templates) = first?;
        self.probes(&program, &mut group, &mut templates);
        group.count = u32::try_from(program.numprocs).unwrap_or(0).min(MAX_COUNT);
        group.each = Each::from(templates);
        group.restart = restart(&supervisor);
        self.beyond(&program, &supervisor, &mut group);
        group.exits = exits(&supervisor);
        group.stop = Stop {
            signal: signal.unwrap_or(Signal::TERM),
            timeout: seconds(supervisor.stopwaitsecs),
            scope: if stopasgroup { StopScope::Tree } else { StopScope::Main },
        };
        group.user = user.map(|said| said.text);
        group.umask = umask;
        group.autostart = autostart;
        group.priority =
            priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(crate::USUAL_PRIORITY);
        group.family = program.family;
        group.stdin = if supervisor.socket.is_some() { Stdin::Null } else { Stdin::Pipe };
        group.supervisor = Some(Box::new(supervisor));
        Some(group)
    }

    /// Its name, and what is known while its keys are read.
    fn begun<'a>(&mut self, section: &'a Section, family: Option<Family>) -> Option<Program<'a>> {
        let name = self.name_of(section)?;
        let mut names = self.usual();
        let family_name = family.as_ref().map_or(&name, |family| &family.name);
        names.extend([
            ("program_name".to_owned(), Known::Text(name.clone())),
            ("group_name".to_owned(), Known::Text(family_name.clone())),
            ("host_node_name".to_owned(), Known::Text(self.host.clone())),
        ]);
        let numprocs = self.value(&section.name, "numprocs", &names, value::integer).unwrap_or(1);
        let first = self.value(&section.name, "numprocs_start", &names, value::integer).unwrap_or(0);
        Some(Program { section, name, family, names, numprocs, first })
    }

    fn check_count(&mut self, section: &Section, program: &Program<'_>) {
        if program.numprocs <= i64::from(MAX_COUNT) {
            return;
        }
        if let Some(said) = self.raw(&section.name, "numprocs") {
            let message = format!("`numprocs` is more than the {MAX_COUNT} that a program can have");
            self.findings.error(said.problem(message).hinted("split it into several programs"));
        }
    }

    fn supervisor(
        &mut self,
        program: &Program<'_>,
        stopasgroup: bool,
        uid: Option<u32>,
        common: &Common,
    ) -> SupervisorGroup {
        let (key, names) = (program.section.name.as_str(), program.names.clone());
        let killasgroup = self.flag(key, "killasgroup", &names, stopasgroup);
        if stopasgroup && !killasgroup {
            let problem =
                program.section.problem(format!("[{key}] has `stopasgroup=true` and `killasgroup=false`"));
            self.findings
                .error(problem.hinted("remove `killasgroup`: who is stopped as a group is killed as one"));
        }
        let serverurl = self.text(key, "serverurl", &names).map(|said| said.text);
        let mut whole =
            |key_name: &str, usual| self.value(key, key_name, &names, value::integer).unwrap_or(usual);
        let (startsecs, startretries) = (whole("startsecs", 1), whole("startretries", 3));
        let stopwaitsecs = whole("stopwaitsecs", 10);
        let listener = if key.starts_with("eventlistener:") { self.listener(program.section) } else { None };
        let socket = if key.starts_with("fcgi-program:") { self.socket(program, uid) } else { None };
        SupervisorGroup {
            program: program.name.clone(),
            numprocs_start: program.first,
            autorestart: self
                .value(key, "autorestart", &names, autorestart)
                .unwrap_or(Autorestart::Unexpected),
            exitcodes: self.value(key, "exitcodes", &names, value::exitcodes).unwrap_or_else(|| vec![0]),
            startsecs,
            startretries,
            stopwaitsecs,
            killasgroup,
            redirect_stderr: self.flag(key, "redirect_stderr", &names, false),
            strip_ansi: common.strip_ansi,
            has_directory: self.raw(key, "directory").is_some(),
            uid,
            serverurl: serverurl.filter(|url| !url.is_empty() && url.trim().to_uppercase() != "AUTO"),
            stdout: self.stream(program, "stdout"),
            stderr: self.stream(program, "stderr"),
            listener,
            socket,
        }
    }

    /// What is said of an output. Keys in which `process_num` may stand have the value of worker 1.
    fn stream(&mut self, program: &Program<'_>, output: &str) -> SupervisorStream {
        let key = program.section.name.as_str();
        let mut of_worker = program.names.clone();
        of_worker.insert("process_num".to_owned(), Known::Number(program.first));
        of_worker.insert("numprocs".to_owned(), Known::Number(program.numprocs));
        let (names, own) = (&program.names, &of_worker);
        let named = |what: &str| format!("{output}_{what}");
        let is_syslog =
            self.raw(key, &named("logfile")).is_some_and(|said| said.text.to_lowercase() == "syslog");
        if let (true, Some(said)) = (is_syslog, self.raw(key, &named("logfile"))) {
            let message = format!("`{output}_logfile=syslog` is deprecated");
            self.findings.warn(said.problem(message).hinted(format!("write `{output}_syslog=true`")));
        }
        let capture_maxbytes =
            self.value(key, &named("capture_maxbytes"), names, value::byte_size).unwrap_or(0);
        let events_enabled = self.flag(key, &named("events_enabled"), names, false);
        if program.numprocs <= 0 {
            let syslog = false;
            return SupervisorStream {
                maxbytes: 50 << 20,
                backups: 10,
                capture_maxbytes,
                events_enabled,
                syslog,
            };
        }
        SupervisorStream {
            maxbytes: self.value(key, &named("logfile_maxbytes"), own, value::byte_size).unwrap_or(50 << 20),
            backups: self.value(key, &named("logfile_backups"), own, value::integer).unwrap_or(10),
            capture_maxbytes,
            events_enabled,
            syslog: self.flag(key, &named("syslog"), own, false) || is_syslog,
        }
    }

    /// The texts that may differ from worker to worker.
    fn templates(&mut self, program: &mut Program<'_>, common: &Common) -> Option<Templates> {
        let key = program.section.name.as_str();
        let raw = |name: &str| self.raw(key, name).map(|said| said.text);
        let usual = || "%(program_name)s".to_owned();
        let (process_name, texts) = (
            self.raw(key, "process_name"),
            Texts {
                command: raw("command").unwrap_or_default(),
                environment: raw("environment").unwrap_or_default(),
                directory: raw("directory"),
                stdout: raw("stdout_logfile"),
                stderr: raw("stderr_logfile"),
            },
        );
        program.names.insert("numprocs".to_owned(), Known::Number(program.numprocs));
        let name = match &process_name {
            Some(said) => self.converted(said, "process_name", value::name(&said.text))?,
            None => usual(),
        };
        let said = process_name.unwrap_or_else(|| place_of(program.section, &name));
        check_process_name(&said, &name, program.numprocs, self.findings);
        if program.numprocs > 0 && self.raw(key, "command").is_none() {
            let problem = program.section.problem(format!("[{key}] has no `command`"));
            self.findings.error(problem.hinted("write `command=/path/to/program arguments`"));
            return None;
        }
        let serverurl = self.text(key, "serverurl", &program.names).map(|said| said.text);
        let serverurl = serverurl.filter(|url| !url.is_empty() && url.trim().to_uppercase() != "AUTO");
        let environment = self.raw(key, "environment").unwrap_or_else(|| place_of(program.section, ""));
        Some(Templates {
            first: program.first,
            name,
            texts: Some(texts),
            names: self
                .env
                .iter()
                .chain(&program.names)
                .map(|(name, known)| (name.clone(), known.clone()))
                .collect(),
            origin: Origin::File { path: environment.path, line: environment.line },
            server_url: serverurl.or_else(|| common.server_url.clone()),
            base: common.dir.clone(),
            home: self.paths.home.clone(),
            line: String::new(),
            questions: BTreeMap::new(),
        })
    }

    /// The group as its first worker is. All workers are worked out, so that what is wrong with one shows now; what is the
    /// same for all is kept once.
    fn first_worker(
        &mut self,
        program: &Program<'_>,
        name: String,
        mut templates: Templates,
        common: &Common,
        supervisor: &SupervisorGroup,
    ) -> Option<(Group, Templates)> {
        let texts = templates.texts.take().unwrap_or_default();
        let last = u32::try_from(program.numprocs).unwrap_or(0).clamp(1, MAX_COUNT);
        for number in 1..=last {
            if self.looked > MAX_LOOKED && number != last {
                continue;
            }
            self.checked(program, &templates, &texts, number)?;
            self.check_name(program, &templates, &texts, number)?;
        }
        let first = templates.expanded(&texts, 1).ok()?;
        self.check_environment(program, &templates, &texts);
        let words = each::command_words(&first.line);
        let is_bad = words.is_err();
        if let (Err(message), Some(said)) = (&words, self.raw(&program.section.name, "command")) {
            let hint = "close every quote; the program is FATAL when it is started";
            self.findings.warn(said.problem(message.clone()).hinted(hint));
        }
        let command = Command::Words(words.unwrap_or_else(|_| vec![first.line.clone()]));
        let dir = first.dir.map_or_else(|| common.dir.clone(), |dir| common.dir.join(dir));
        let mut group = Group::new(name, command, dir);
        group.env = first.env;
        group.logs =
            self.logs(program, supervisor, (first.out.as_deref(), first.err.as_deref()), &common.dir)?;
        let differs = is_bad || templates.differs(&texts);
        let texts = differs.then_some(texts);
        Some((group, Templates { line: first.line, ..templates.with(texts) }))
    }

    /// What is dropped of the variables is told once.
    fn check_environment(&mut self, program: &Program<'_>, templates: &Templates, texts: &Texts) {
        let Some(said) = self.raw(&program.section.name, "environment") else { return };
        let lookup = |name: &str| match name {
            "process_num" => Some(Known::Number(templates.first).value()),
            name => templates.names.get(name).map(Known::value),
        };
        if let Ok(text) = super::expand::expand(&texts.environment, &lookup) {
            self.variables(&Said { text, ..said });
        }
    }

    fn checked(
        &mut self,
        program: &Program<'_>,
        templates: &Templates,
        texts: &Texts,
        number: u32,
    ) -> Option<()> {
        let bad = match templates.expanded(texts, number) {
            Ok(expanded) => {
                self.looked += expanded.line.len();
                return Some(());
            }
            Err(bad) => bad,
        };
        let said = self.raw(&program.section.name, bad.key).unwrap_or_else(|| place_of(program.section, ""));
        self.findings.error(unexpanded(&said, bad.key, &bad.problem, &program.names));
        None
    }

    fn check_name(
        &mut self,
        program: &Program<'_>,
        templates: &Templates,
        texts: &Texts,
        number: u32,
    ) -> Option<()> {
        let Err(bad) = templates.process_name(Some(texts), number) else { return Some(()) };
        let said = self.raw(&program.section.name, "process_name");
        let said = said.unwrap_or_else(|| place_of(program.section, &templates.name));
        self.findings.error(unexpanded(&said, "process_name", &bad, &program.names));
        None
    }

    /// How output is kept, by what worker 1 says.
    fn logs(
        &mut self,
        program: &Program<'_>,
        supervisor: &SupervisorGroup,
        (out, err): (Option<&str>, Option<&str>),
        base: &Path,
    ) -> Option<Logs> {
        let out = self.log_file(program, "stdout_logfile", out, supervisor.stdout, base)?;
        let err = self.log_file(program, "stderr_logfile", err, supervisor.stderr, base)?;
        if supervisor.redirect_stderr
            && let (LogFile::Path(_), Some(said)) = (&err, self.raw(&program.section.name, "stderr_logfile"))
        {
            let problem = said.problem("`stderr_logfile` is not written: `redirect_stderr` is true");
            self.findings.warn(problem.hinted("remove one of the two"));
        }
        let (out, err) = (out.sent(supervisor.stdout.syslog), err.sent(supervisor.stderr.syslog));
        let (out_size, err_size) = (size(supervisor.stdout, &out), size(supervisor.stderr, &err));
        let is_apart = !supervisor.redirect_stderr;
        Some(Logs {
            max_size: Some(out_size.max_size),
            keep: Some(out_size.keep),
            stderr: if is_apart { Stderr::Separate } else { Stderr::Together },
            out,
            err: if is_apart { err } else { LogFile::Dropped },
            err_size: (is_apart && err_size != out_size).then_some(err_size),
            ..Logs::default()
        })
    }

    fn log_file(
        &mut self,
        program: &Program<'_>,
        key: &str,
        text: Option<&str>,
        stream: SupervisorStream,
        base: &Path,
    ) -> Option<LogFile> {
        let paths = Paths { base: base.to_owned(), home: self.paths.home.clone() };
        let file = text.map_or(LogFile::Store, |text| each::log_file(&paths, text));
        let said = self.raw(&program.section.name, key);
        match (&file, &said) {
            (LogFile::Path(_), Some(said)) => {
                let text = text.unwrap_or_default().to_owned();
                let checked = self.paths.existing_dirpath(&text);
                self.converted(said, key, checked)?;
            }
            (LogFile::Store, _) if stream.maxbytes == 0 => {
                let said = said.unwrap_or_else(|| place_of(program.section, ""));
                let problem =
                    said.problem(format!("`{key}` is AUTO and is never rotated: it may fill the disk"));
                self.findings.warn(problem.hinted(format!("write `{key}_maxbytes=50MB`")));
            }
            (
                LogFile::Path(_)
                | LogFile::Store
                | LogFile::Dropped
                | LogFile::Sent
                | LogFile::Echoed
                | LogFile::Auto(_),
                _,
            ) => {}
        }
        Some(file)
    }
}

/// Stands for a key that is not said, where its section is.
fn place_of(section: &Section, text: &str) -> Said {
    Said { text: text.to_owned(), path: section.path.clone(), line: section.line }
}

/// How far the log of an output may grow.
fn size(stream: SupervisorStream, file: &LogFile) -> LogSize {
    if *file == LogFile::Sent {
        return SENT_SIZE;
    }
    LogSize {
        max_size: u64::try_from(stream.maxbytes).ok().filter(|bytes| *bytes > 0).unwrap_or(u64::MAX),
        keep: u32::try_from(stream.backups).unwrap_or(0),
    }
}

/// A failed start is followed by another, a second later each time; an end after that by one at once.
fn restart(supervisor: &SupervisorGroup) -> Restart {
    let retries = u32::try_from(supervisor.startretries).unwrap_or(0);
    Restart {
        mode: match supervisor.autorestart {
            Autorestart::False => RestartMode::Never,
            Autorestart::Unexpected | Autorestart::True => RestartMode::Always,
        },
        startsecs: seconds(supervisor.startsecs),
        backoff: Backoff {
            initial: Duration::from_secs(1),
            factor_permille: 1000,
            step: Duration::from_secs(1),
            max: LONG,
            jitter_permille: 0,
        },
        budget: None,
        attempts: Some(retries.saturating_add(1)),
        early: Early::Retry,
    }
}

fn exits(supervisor: &SupervisorGroup) -> BTreeMap<u8, OnExit> {
    match supervisor.autorestart {
        Autorestart::Unexpected => supervisor.exitcodes.iter().map(|code| (*code, OnExit::Stop)).collect(),
        Autorestart::False | Autorestart::True => BTreeMap::new(),
    }
}
