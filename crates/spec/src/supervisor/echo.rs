//! At `loglevel=debug` the main log has what programs write, what has no file too.

use super::daemon::LogLevel;
use super::program::SENT_SIZE;
use crate::{Group, LogFile, LogSize, Stderr};

/// Keeps what has no file until the main log has it, if its level is for that.
pub(crate) fn echo(level: LogLevel, groups: &mut [Group]) {
    if level < LogLevel::Debug {
        return;
    }
    for group in groups {
        let Some(own) = &group.supervisor else { continue };
        let logs = &mut group.logs;
        let (max_size, keep) = (logs.max_size.unwrap_or(u64::MAX), logs.keep.unwrap_or(0));
        let mut out_size = LogSize { max_size, keep };
        let mut err_size = logs.err_size.unwrap_or(out_size);
        // The output of an event listener is its protocol.
        if logs.out == LogFile::Dropped && own.listener.is_none() {
            (logs.out, out_size) = (LogFile::Echoed, SENT_SIZE);
        }
        let is_apart = logs.stderr == Stderr::Separate;
        if logs.err == LogFile::Dropped && is_apart {
            (logs.err, err_size) = (LogFile::Echoed, SENT_SIZE);
        }
        (logs.max_size, logs.keep) = (Some(out_size.max_size), Some(out_size.keep));
        logs.err_size = (is_apart && err_size != out_size).then_some(err_size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, load};

    fn logs(level: &str, more: &str) -> Vec<(LogFile, LogFile)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.conf");
        let text = format!(
            "[supervisord]\nloglevel={level}\n[program:web]\ncommand=true\nstdout_logfile=NONE\n\
             stderr_logfile=NONE\n{more}"
        );
        std::fs::write(&path, text).unwrap();
        let options = Options { dir: dir.path().to_owned(), file: Some(path), ..Options::default() };
        let loaded = load(&options).unwrap();
        let of = |group: &Group| (group.logs.out.clone(), group.logs.err.clone());
        loaded.spec.groups.iter().map(of).collect()
    }

    #[test]
    fn what_has_no_file_is_kept_for_a_main_log_that_says_enough_and_what_has_one_stays() {
        let dropped = || (LogFile::Dropped, LogFile::Dropped);
        assert_eq!(logs("info", ""), [dropped()]);
        assert_eq!(logs("debug", ""), [(LogFile::Echoed, LogFile::Echoed)]);
        assert_eq!(logs("trace", "redirect_stderr=true\n"), [(LogFile::Echoed, LogFile::Dropped)]);
        assert_eq!(logs("debug", "stdout_syslog=true\n"), [(LogFile::Sent, LogFile::Echoed)]);
        let listener =
            "[eventlistener:e]\ncommand=true\nevents=TICK_5\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut all = logs("debug", listener);
        all.sort_by_key(|(out, _)| *out == LogFile::Echoed);
        assert_eq!(all[0], (LogFile::Dropped, LogFile::Echoed));
    }
}
