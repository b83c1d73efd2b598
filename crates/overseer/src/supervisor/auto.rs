//! AUTO logs of a start before this one.

use ganger_spec::Daemon;
use regex::Regex;

/// Removes the AUTO logs of before from their directory, rotated ones too: whatever has such a name and our identifier.
pub(crate) fn clear_auto_logs(daemon: &Daemon) {
    let Some(auto) = &daemon.auto_logs else { return };
    let pattern = format!(r"^.+?---{}-\S+\.log\.?\d{{0,4}}", regex::escape(&daemon.identifier));
    // A pattern that is escaped is one; a directory that cannot be read has nothing to remove.
    let (Ok(pattern), Ok(entries)) = (Regex::new(&pattern), std::fs::read_dir(&auto.dir)) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| pattern.is_match(name)) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use ganger_spec::{Options, load};

    use super::*;

    #[test]
    fn what_an_identifier_left_goes_and_all_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.conf");
        std::fs::write(&file, "[supervisord]\nidentifier=a.b\nchildlogdir=%(here)s\n").unwrap();
        let options = Options { dir: dir.path().to_owned(), file: Some(file), ..Options::default() };
        let gone = ["web-stdout---a.b-x_1.log", "web-stderr---a.b-x_1.log.1", "w---a.b-1.log.12"];
        let kept = ["web-stdout---axb-x_1.log", "---a.b-x.log", "web.log", "web-stdout---a.b-x y.txt"];
        for name in gone.iter().chain(&kept) {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let daemon = load(&options).unwrap().spec.supervisor.unwrap();
        clear_auto_logs(&daemon);
        assert!(gone.iter().all(|name| !dir.path().join(name).exists()));
        assert!(kept.iter().all(|name| dir.path().join(name).exists()));
    }
}
