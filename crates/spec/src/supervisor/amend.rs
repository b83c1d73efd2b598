//! What supervisord's command line says in place of what its file says.

use std::path::Path;

use super::auto::AutoLogs;
use super::daemon::{self, Daemon};
use super::echo::echo;
use super::value::{self, Paths, Wrong};
use crate::Spec;

/// Puts these keys of `[supervisord]` with their values in place of what the file says. Relative paths begin at `dir`.
pub fn amend(spec: &mut Spec, said: &[(String, String)], dir: &Path) -> Result<(), String> {
    let Some(daemon) = spec.supervisor.as_mut() else { return Ok(()) };
    let paths =
        Paths { base: dir.to_owned(), home: std::env::home_dir().map(|home| home.display().to_string()) };
    for (key, text) in said {
        daemon.set(key, text, &paths).map_err(|wrong| wrong.message)?;
    }
    let strip_ansi = daemon.strip_ansi;
    let level = daemon.loglevel;
    let start = daemon.directory.clone().filter(|_| !daemon.nodaemon).unwrap_or_else(|| dir.to_owned());
    for group in &mut spec.groups {
        if let Some(own) = &mut group.supervisor {
            own.strip_ansi |= strip_ansi;
            if !own.has_directory {
                group.dir.clone_from(&start);
                if let Some(watch) = &mut group.watch {
                    watch.base.clone_from(&start);
                }
            }
        }
    }
    echo(level, &mut spec.groups);
    Ok(())
}

impl Daemon {
    fn set(&mut self, key: &str, text: &str, paths: &Paths) -> Result<(), Wrong> {
        let file = || paths.existing_dirpath(text).map(|path| paths.normal(&path));
        let directory = || paths.existing_directory(text).map(|path| paths.normal(&path));
        match key {
            "logfile" if text == "syslog" => self.logfile = None,
            "logfile" => self.logfile = Some(file()?),
            "logfile_maxbytes" => self.logfile_maxbytes = value::byte_size(text)?,
            "logfile_backups" => self.logfile_backups = value::integer(text)?,
            "loglevel" => self.loglevel = daemon::level(text)?,
            "pidfile" => self.pidfile = file()?,
            "umask" => self.umask = value::octal(text)?,
            "nodaemon" => self.nodaemon = true,
            "silent" => self.silent = true,
            "nocleanup" => self.nocleanup = true,
            "strip_ansi" => self.strip_ansi = true,
            "minfds" => self.minfds = value::integer(text)?,
            "minprocs" => self.minprocs = value::integer(text)?,
            "childlogdir" => {
                self.childlogdir = directory()?;
                self.auto_logs = Some(AutoLogs { dir: self.childlogdir.clone(), key: String::new() });
            }
            "directory" => self.directory = Some(directory()?),
            "identifier" => text.clone_into(&mut self.identifier),
            "user" => self.user = Some(text.to_owned()),
            _ => {
                let message = format!("{key} is no key of [supervisord]");
                return Err(Wrong { message, hint: String::new() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogLevel, Options};

    fn spec(dir: &tempfile::TempDir) -> Spec {
        let file = dir.path().join("s.conf");
        std::fs::write(&file, "[supervisord]\nloglevel=warn\n[program:web]\ncommand=true\nwatch=x\n")
            .unwrap();
        let options = Options { dir: dir.path().to_owned(), file: Some(file), ..Options::default() };
        crate::load(&options).unwrap().spec
    }

    fn said(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_command_line_counts_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = spec(&dir);
        let words = said(&[
            ("loglevel", "debug"),
            ("logfile", "other.log"),
            ("logfile_maxbytes", "1KB"),
            ("umask", "077"),
            ("directory", "/"),
        ]);
        amend(&mut spec, &words, dir.path()).unwrap();
        let daemon = spec.supervisor.as_ref().unwrap();
        assert_eq!((daemon.loglevel, daemon.logfile_maxbytes, daemon.umask), (LogLevel::Debug, 1024, 0o77));
        assert_eq!(daemon.logfile, Some(dir.path().join("other.log")));
        assert_eq!(spec.groups[0].dir, Path::new("/"));
        assert_eq!(spec.groups[0].watch.as_ref().unwrap().base, Path::new("/"));
        amend(&mut spec, &said(&[("nodaemon", "")]), dir.path()).unwrap();
        assert_eq!(spec.groups[0].dir, dir.path(), "in the foreground nobody goes anywhere");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (key, text) in
            [("loglevel", "loud"), ("logfile_maxbytes", "1XB"), ("logfile", "/no/such/dir/log")]
        {
            let error = amend(&mut spec(&dir), &said(&[(key, text)]), dir.path()).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
