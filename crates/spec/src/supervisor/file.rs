//! The file as a whole: what it includes, its programs in the order in which they start, and the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::daemon::Daemon;
use super::each::Known;
use super::include;
use super::ini::{Ini, Section};
use super::keys;
use super::program::Common;
use super::reader::{Names, Reader};
use super::servers::Ctl;
use super::value::{self, Paths};
use crate::problem::{Findings, LoadError, Problem};
use crate::procfile::shown;
use crate::suggest::hint_for;
use crate::{Family, Group, MAX_GROUPS, Options, Source, SourceKind, Variable, input};

/// What a file of supervisord's says.
pub(crate) struct File {
    pub(crate) daemon: Daemon,
    pub(crate) env: Vec<Variable>,
    pub(crate) groups: Vec<Group>,
    pub(crate) list: Vec<Source>,
}

/// Where supervisord and supervisorctl look for their file, the first that is there counts. `program` is the path under
/// which they were started, `dir` the current directory.
pub fn search_paths(program: &Path, dir: &Path) -> Vec<PathBuf> {
    let above = program.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let relative = ["etc/supervisord.conf", "supervisord.conf"].map(|name| dir.join(above).join(name));
    let here = ["supervisord.conf", "etc/supervisord.conf"].map(|name| dir.join(name));
    let system = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"].map(PathBuf::from);
    relative.into_iter().chain(here).chain(system).collect()
}

/// Whether a file is supervisord's, by its name or by what is in it.
pub(crate) fn is_one(path: &Path) -> bool {
    if path.extension().is_some_and(|extension| extension == "toml") {
        return false;
    }
    if path.extension().is_some_and(|extension| extension == "conf" || extension == "ini") {
        return true;
    }
    let text = input::read(path).ok().flatten().unwrap_or_default();
    text.lines()
        .any(|line| ["[supervisord]", "[program:"].iter().any(|header| line.trim_start().starts_with(header)))
}

/// What `[supervisorctl]` of a file says; files that it includes are not read.
pub fn load_ctl(file: &Path, options: &Options) -> Result<Ctl, LoadError> {
    let mut findings = Findings::default();
    let mut ini = Ini::default();
    match input::read(file) {
        Ok(Some(text)) => ini.read(file, &text, &mut findings),
        Ok(None) => findings.error(Problem::in_file(file, "is not there").hinted("name a file that is")),
        Err(problem) => findings.error(problem),
    }
    let ctl = reader(&ini, file, options, &mut findings).ctl();
    if ctl.is_none() && !findings.has_errors() {
        let problem = Problem::in_file(file, "has no section [supervisorctl]");
        findings
            .error(problem.hinted("add `[supervisorctl]` with `serverurl=unix:///path/to/supervisor.sock`"));
    }
    findings.told_in(&options.dir).finish()?;
    match ctl {
        Some(ctl) => Ok(ctl),
        None => unreachable!("without the section there is an error"),
    }
}

fn reader<'a>(ini: &'a Ini, file: &Path, options: &Options, findings: &'a mut Findings) -> Reader<'a> {
    let paths = Paths { base: options.dir.clone(), home: variable(&options.inherited, "HOME") };
    let host = input::read(Path::new("/proc/sys/kernel/hostname")).ok().flatten().unwrap_or_default();
    let file = paths.normal(file);
    let here = file.parent().map_or_else(String::new, |dir| dir.display().to_string());
    let named = |(name, value): (&OsString, &OsString)| {
        (format!("ENV_{}", name.to_string_lossy()), Known::Text(value.to_string_lossy().into_owned()))
    };
    let env: Names = options.inherited.iter().map(named).collect();
    Reader {
        ini,
        findings,
        env,
        here,
        host: host.trim().to_owned(),
        paths,
        looked: 0,
        waits: BTreeMap::new(),
    }
}

fn variable(inherited: &BTreeMap<OsString, OsString>, name: &str) -> Option<String> {
    inherited.get(std::ffi::OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
}

impl File {
    /// Reads a file and all that it includes; none if what is wrong leaves nothing to say.
    pub(crate) fn read(path: &Path, options: &Options, findings: &mut Findings) -> Option<Self> {
        let mut list = Vec::new();
        let mut ini = Ini::default();
        read_one(path, &mut ini, &mut list, findings)?;
        include_files(path, options, &mut ini, &mut list, findings)?;
        if findings.has_errors() {
            return None;
        }
        keys::check(&ini, findings);
        if ini.section("supervisord").is_none() {
            let problem = Problem::in_file(path, "has no section [supervisord]");
            findings.error(problem.hinted("add a line `[supervisord]`"));
            return None;
        }
        let mut reader = reader(&ini, path, options, findings);
        let (daemon, env) = reader.daemon(path.to_owned());
        let dir = daemon.directory.clone().filter(|_| !daemon.nodaemon);
        let common = Common {
            dir: dir.unwrap_or_else(|| options.dir.clone()),
            server_url: daemon.server_url(),
            strip_ansi: daemon.strip_ansi,
        };
        let groups = reader.groups(&common);
        reader.missing(path, &daemon);
        Some(Self { daemon, env, groups, list })
    }
}

/// Reads a file over those before; says how long it is, and whether `%(here)s` stands in it.
fn read_one(
    path: &Path,
    ini: &mut Ini,
    list: &mut Vec<Source>,
    findings: &mut Findings,
) -> Option<(usize, bool)> {
    let text = findings.take(input::read(path))?;
    list.push(Source { path: path.to_owned(), kind: SourceKind::Supervisor, found: text.is_some() });
    let Some(text) = text else {
        findings.error(Problem::in_file(path, "is not there").hinted("name a file that is"));
        return None;
    };
    ini.read(path, &text, findings);
    Some((text.len(), text.contains("%(here)s")))
}

/// `[include]` of the first file; what is included includes nothing.
fn include_files(
    path: &Path,
    options: &Options,
    ini: &mut Ini,
    list: &mut Vec<Source>,
    findings: &mut Findings,
) -> Option<()> {
    let Some(section) = ini.section("include").cloned() else { return Some(()) };
    let dir = |file: &Path| {
        let file = Paths { base: options.dir.clone(), home: None }.normal(file);
        file.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned)
    };
    let base = dir(path);
    ini.expand_here(&base.display().to_string());
    let Some(said) = ini.get("include", "files").cloned() else {
        findings.error(section.problem("[include] has no `files`").hinted("write `files = conf.d/*.conf`"));
        return None;
    };
    let files = {
        let first = ini.clone();
        let mut reader = reader(&first, path, options, findings);
        let mut names = reader.usual();
        names.insert("host_node_name".to_owned(), Known::Text(reader.host.clone()));
        reader.text("include", "files", &names)?.text
    };
    let (mut included, mut bytes) = (0, 0);
    for pattern in files.split(super::ini::is_space).filter(|pattern| !pattern.is_empty()) {
        let Ok(found) = include::glob(&base, pattern) else {
            let problem = said.problem(format!("{} names more files than can be read", shown(pattern)));
            findings.error(problem.hinted("name a directory that has only such files"));
            return None;
        };
        if found.is_empty() {
            let problem = said.problem(format!("no file is named by {}", shown(pattern)));
            findings.warn(problem.hinted(format!("patterns begin at {}", base.display())));
        }
        for file in found.iter().filter(|file| !file.is_dir()) {
            included += 1;
            if included > include::MAX_INCLUDES || bytes > include::MAX_BYTES {
                findings
                    .error(said.problem("more files are included than can be read").hinted("include fewer"));
                return None;
            }
            let (length, has_here) = read_one(file, ini, list, findings)?;
            bytes += length;
            if has_here {
                ini.expand_here(&dir(file).display().to_string());
            }
        }
    }
    Some(())
}

impl Reader<'_> {
    /// All programs, in the order in which they start.
    fn groups(&mut self, common: &Common) -> Vec<Group> {
        let ini = self.ini;
        let mut taken = BTreeSet::new();
        let mut in_families: BTreeSet<&str> = BTreeSet::new();
        let mut groups = Vec::new();
        for section in ini.sections.iter().filter(|section| section.name.starts_with("group:")) {
            let Some((family, programs)) = self.family(section) else { continue };
            for program in programs {
                let Some(section) = member(ini, section, &program, self.findings) else { continue };
                in_families.insert(&section.name);
                groups.extend(self.program(section, Some(family.clone()), common, &mut taken));
            }
        }
        for kind in ["program:", "eventlistener:", "fcgi-program:"] {
            for section in ini.sections.iter().filter(|section| section.name.starts_with(kind)) {
                if kind == "eventlistener:" || !in_families.contains(section.name.as_str()) {
                    let family = if kind == "eventlistener:" { self.pool(section) } else { None };
                    groups.extend(self.program(section, family, common, &mut taken));
                }
            }
        }
        if groups.len() > MAX_GROUPS {
            let message = format!("{} programs are more than the {MAX_GROUPS} that can be", groups.len());
            self.findings.error(Problem::new(message).hinted("give one program several processes"));
            groups.truncate(MAX_GROUPS);
        }
        let program = |group: &Group| group.supervisor.as_ref().map(|own| own.program.clone());
        self.check_names(&groups);
        self.settle_waits(&mut groups);
        groups.sort_by_cached_key(|group| {
            (group.family_priority(), family_of(group), group.priority, program(group))
        });
        groups
    }

    /// Two processes of one name in one family are one to supervisord, which forgets the other.
    fn check_names(&mut self, groups: &[Group]) {
        let mut names: BTreeSet<(String, String)> = BTreeSet::new();
        for group in groups {
            let family = family_of(group);
            let twice = (1..=group.count).map(|number| group.process_name(number));
            if let Some(name) = twice.into_iter().find(|name| !names.insert((family.clone(), name.clone()))) {
                let program = group.supervisor.as_ref().map_or(&group.name, |own| &own.program);
                let message =
                    format!("two processes of `{family}` have the name `{name}`, one of them of `{program}`");
                let hint = "write `process_name=%(program_name)s_%(process_num)02d`: supervisord would run one of them";
                self.findings.warn(Problem::new(message).hinted(hint));
            }
        }
    }

    /// `[group:x]`: its name and priority, and its programs.
    fn family(&mut self, section: &Section) -> Option<(Family, Vec<String>)> {
        let names = self.usual();
        let name = self.name_of(section)?;
        let priority = self.priority(section, &names, crate::USUAL_PRIORITY);
        let programs = self.text(&section.name, "programs", &names).map(|said| value::list(&said.text));
        if programs.as_ref().is_none_or(Vec::is_empty) {
            let problem = section.problem(format!("[{}] has no `programs`", section.name));
            self.findings.warn(
                problem.hinted("write `programs=a,b` with the names of programs, or remove the section"),
            );
        }
        Some((Family { name, priority }, programs.unwrap_or_default()))
    }

    fn priority(&mut self, section: &Section, names: &Names, usual: i32) -> i32 {
        let said = self.value(&section.name, "priority", names, value::integer);
        said.and_then(|priority| i32::try_from(priority).ok()).unwrap_or(usual)
    }

    /// An event listener is a family of its own, which starts first and stops last.
    fn pool(&mut self, section: &Section) -> Option<Family> {
        let names = self.usual();
        let name = section.name.split_once(':').map(|(_, name)| name.trim().to_owned())?;
        let priority = self.priority(section, &names, -1);
        Some(Family { name, priority })
    }

    /// Tells of sections without which less works than is probably meant.
    fn missing(&mut self, path: &Path, daemon: &Daemon) {
        if daemon.servers.is_empty() {
            let problem = Problem::in_file(path, "has no [unix_http_server] and no [inet_http_server]");
            let hint =
                "supervisorctl cannot reach it: add `[unix_http_server]` with `file=/run/supervisor.sock`";
            self.findings.warn(problem.hinted(hint));
        } else if !daemon.has_rpcinterface {
            let problem = Problem::in_file(path, "has no [rpcinterface:supervisor]");
            let hint = "supervisord would refuse every command of supervisorctl; ganger takes them. Add \
                        `[rpcinterface:supervisor]` with \
                        `supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface`";
            self.findings.warn(problem.hinted(hint));
        }
    }
}

/// The section of a program of a group.
fn member<'a>(ini: &'a Ini, group: &Section, program: &str, findings: &mut Findings) -> Option<&'a Section> {
    let found = ["program", "fcgi-program"].map(|kind| ini.section(&format!("{kind}:{program}")));
    let place = ini.get(&group.name, "programs").map_or_else(|| group.problem(""), |said| said.problem(""));
    let tell = |message: String, hint: String| Problem { message, ..place.clone() }.hinted(hint);
    match found {
        [Some(section), None] | [None, Some(section)] => Some(section),
        [Some(_), Some(_)] => {
            let message = format!("{} is a program and an fcgi-program", shown(program));
            findings.error(tell(message, "give one of them another name".to_owned()));
            None
        }
        [None, None] => {
            let known = ini.sections.iter().filter_map(|section| section.name.strip_prefix("program:"));
            let known: Vec<&str> = known.collect();
            let hint = hint_for(program, known.iter().copied())
                .unwrap_or_else(|| "there is no [program:x]".to_owned());
            findings.error(tell(
                format!("[{}] names {}, and no such program is there", group.name, shown(program)),
                hint,
            ));
            None
        }
    }
}

/// The name of the group of supervisord that it is in.
pub(crate) fn family_of(group: &Group) -> String {
    let own = group.supervisor.as_ref().map_or(&group.name, |own| &own.program);
    group.family.as_ref().map_or(own, |family| &family.name).clone()
}
