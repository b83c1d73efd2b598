//! What earlier versions stored is read by this one. `tests/vX.Y.Z` is what a version that was released left of a worker
//! that wrote 400 lines, was restarted and wrote them again; it is never changed. A release adds a directory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use ganger_logs::{Capture, Limits, Merged, Query, Store, create_pipe};

fn versions() -> Vec<PathBuf> {
    let tests = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
    let all: Vec<PathBuf> = tests.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert!(!all.is_empty());
    all
}

/// The texts of all lines of a log, the oldest first; each has a time and is of a run.
fn texts(dir: &Path, log: &str) -> Vec<String> {
    let mut merged = Merged::new(&Store::open(dir).unwrap(), &[log.to_owned()], Query::default()).unwrap();
    let mut all = Vec::new();
    loop {
        let batch = merged.next_batch(50).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch.into_iter().map(|line| {
            assert!(line.run == 1 || line.run == 5, "{}", line.run);
            String::from_utf8(line.text).unwrap()
        }));
    }
}

#[test]
fn the_lines_of_each_version_are_read_and_gone_on_with_at_their_end() {
    for version in versions() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        for file in std::fs::read_dir(&version).unwrap() {
            let path = file.unwrap().path();
            std::fs::copy(&path, logs.join(path.file_name().unwrap())).unwrap();
        }
        let lines = texts(&logs, "web.1");
        // The three rotated files, which are compressed, and the last one: the oldest were removed.
        assert!(lines.len() > 400, "{version:?}: {}", lines.len());
        assert_eq!(lines.last().unwrap(), "line 400 of web: twenty more bytes");
        let number = |line: &String| line.split(' ').nth(1).unwrap().parse::<u32>().unwrap();
        let in_order = lines.windows(2).all(|pair| number(&pair[1]) == number(&pair[0]) % 400 + 1);
        assert!(in_order, "{version:?}");
        assert_eq!(texts(&logs, "web.1.err"), ["warned", "warned"]);
        let end = Store::open(&logs).unwrap().end("web.1").unwrap();
        let capture =
            Capture::start(&logs, Limits::default(), Box::new(|event| panic!("{event:?}")), None).unwrap();
        let pipe = create_pipe(&dir.path().join("pipe"), None).unwrap();
        capture.add("web.1", pipe.reader, None).unwrap();
        std::io::Write::write_all(&mut std::fs::File::from(pipe.writer), b"more\n").unwrap();
        let (done, stored) = std::sync::mpsc::channel();
        capture.drain("web.1", Box::new(move |position| done.send(position).unwrap()));
        assert_eq!(stored.recv_timeout(std::time::Duration::from_secs(20)).unwrap(), end + 5, "{version:?}");
        capture.stop();
    }
}
