//! Reading gives the same, whichever texts are compressed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use proptest::prelude::*;

use crate::files::RealFiles;
use crate::name::Paths;
use crate::{Capture, From, Limits, Read, Reader, Stamp, Store, create_pipe, pack};

const LOG: &str = "web.1";

/// Stores these pieces, each of a run of its own.
fn store(dir: &Path, pieces: &[Vec<u8>], file_bytes: u64) {
    let limits = Limits { file_bytes, backups: 1000, ..Limits::default() };
    let capture = Capture::start(dir, limits, Box::new(|event| panic!("{event:?}")), None).unwrap();
    let pipe = create_pipe(&dir.join("pipe"), None).unwrap();
    capture.add(LOG, pipe.reader, None).unwrap();
    for (run, piece) in (1..).zip(pieces) {
        let (done, drained) = channel();
        capture.begin(LOG, run).wait();
        rustix::io::write(&pipe.writer, piece).unwrap();
        capture.drain(LOG, Box::new(move |end| done.send(end).unwrap()));
        drained.recv().unwrap();
    }
    capture.stop();
    std::fs::remove_file(dir.join("pipe")).unwrap();
}

/// Compresses up to so many texts, the oldest first; how many it was.
fn pack(dir: &Path, texts: usize) -> usize {
    let store = Store::open(dir).unwrap();
    let (log, paths) = (Arc::clone(&store.all()[0]), Paths { dir, name: LOG, file: None });
    (0..texts).take_while(|_| pack::pack_one(&RealFiles, paths, &log, &|| false).unwrap()).count()
}

fn rest(reader: &mut Reader, buffer: usize) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; buffer]);
    loop {
        match reader.read(&mut buf).unwrap() {
            Read::Bytes(n) => all.extend(&buf[..n]),
            Read::Skipped(n) => panic!("{n} bytes skipped"),
            Read::End => return all,
        }
    }
}

fn stamps(dir: &Path, positions: &[u64]) -> Vec<Stamp> {
    let store = Store::open(dir).unwrap();
    let mut reader = store.reader(LOG, From::Start).unwrap();
    positions.iter().map(|position| reader.stamp(*position).unwrap()).collect()
}

fn at_times(dir: &Path, stamps: &[Stamp]) -> Vec<u64> {
    let store = Store::open(dir).unwrap();
    stamps.iter().map(|s| store.reader(LOG, From::Time(s.time)).unwrap().position()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn what_is_read_does_not_depend_on_what_is_compressed(
        pieces in prop::collection::vec(prop::collection::vec(prop_oneof![5 => any::<u8>(), 1 => Just(b'\n')], 1..400), 1..20),
        file_bytes in 20u64..600,
        packed in 0usize..30,
        places in prop::collection::vec(0usize..10_000, 1..8),
        lines in 0usize..20,
        buffer in 1usize..700,
    ) {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path(), &pieces, file_bytes);
        let all = pieces.concat();
        let places = places.iter().map(|place| place % all.len()).collect::<Vec<_>>();
        let positions = places.iter().map(|p| *p as u64).collect::<Vec<_>>();
        let plain = Store::open(dir.path()).unwrap();
        let last = plain.reader(LOG, From::LastLines(lines)).unwrap().position();
        let expected = (stamps(dir.path(), &positions), last);
        let times = at_times(dir.path(), &expected.0);
        pack(dir.path(), packed);
        let store = Store::open(dir.path()).unwrap();
        for place in places {
            let mut reader = store.reader(LOG, From::Position(place as u64)).unwrap();
            prop_assert_eq!(&rest(&mut reader, buffer), &all[place..]);
        }
        let last = store.reader(LOG, From::LastLines(lines)).unwrap().position();
        prop_assert_eq!((stamps(dir.path(), &positions), last), expected.clone());
        prop_assert_eq!(at_times(dir.path(), &expected.0), times);
    }
}

#[test]
fn a_reader_goes_on_while_the_text_it_reads_is_compressed_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = (0..100).map(|n| format!("line {n}\n").into_bytes()).collect::<Vec<_>>();
    store(dir.path(), &pieces, 200);
    let store = Store::open(dir.path()).unwrap();
    let mut reader = store.reader(LOG, From::Start).unwrap();
    let mut begin = vec![0; 50];
    assert_eq!(reader.read(&mut begin).unwrap(), Read::Bytes(50));
    let (log, paths) = (Arc::clone(&store.all()[0]), Paths { dir: dir.path(), name: LOG, file: None });
    while pack::pack_one(&RealFiles, paths, &log, &|| false).unwrap() {}
    begin.extend(rest(&mut reader, 64));
    assert_eq!(begin, pieces.concat());
}

#[test]
fn a_compressed_text_of_many_frames_is_read_from_anywhere_and_is_smaller() {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: usize| format!("{n:08} the quick brown fox jumps over the lazy dog\n");
    let text = (0..30_000).map(line).collect::<String>();
    std::fs::write(dir.path().join("web.1.log.1"), &text).unwrap();
    assert_eq!(pack(dir.path(), 9), 1);
    let files =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<BTreeSet<_>>();
    assert_eq!(files, ["web.1.index.1", "web.1.log.1.zst"].map(Into::into).into());
    let compressed = std::fs::read(dir.path().join("web.1.log.1.zst")).unwrap();
    assert!(compressed.len() < text.len() / 5 && text.len() > 4 * pack::FRAME_BYTES);
    // Any tool that knows zstd reads it.
    assert_eq!(zstd::decode_all(compressed.as_slice()).unwrap(), text.as_bytes());
    let store = Store::open(dir.path()).unwrap();
    for place in [0, 1, pack::FRAME_BYTES - 1, pack::FRAME_BYTES, 3 * pack::FRAME_BYTES + 17, text.len() - 1]
    {
        let mut reader = store.reader(LOG, From::Position(place as u64)).unwrap();
        assert!(rest(&mut reader, 100_000) == text.as_bytes()[place..]);
    }
    let mut reader = store.reader(LOG, From::LastLines(20_000)).unwrap();
    assert!(rest(&mut reader, 100_000).starts_with(line(10_000).as_bytes()));
}

#[test]
fn a_compressed_text_that_is_garbage_is_skipped_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = (0..100).map(|n| format!("line {n}\n").into_bytes()).collect::<Vec<_>>();
    store(dir.path(), &pieces, 200);
    assert!(pack(dir.path(), 9) > 2);
    let damaged = dir.path().join("web.1.log.2.zst");
    let whole = std::fs::read(&damaged).unwrap();
    let text = pieces.concat();
    for damage in [Vec::new(), whole[..whole.len() - 3].to_vec(), [&[b'x'; 30], &whole[30..]].concat()] {
        std::fs::write(&damaged, damage).unwrap();
        let mut reader = Store::open(dir.path()).unwrap().reader(LOG, From::Start).unwrap();
        let (mut got, mut skipped, mut buf) = (Vec::new(), 0, [0; 64]);
        loop {
            match reader.read(&mut buf).unwrap() {
                Read::Bytes(n) => got.extend(&buf[..n]),
                Read::Skipped(n) => skipped += n,
                Read::End => break,
            }
        }
        assert!(skipped > 0 && got.len() as u64 + skipped == text.len() as u64, "{skipped}");
        assert!(text.ends_with(&got[got.len() - 100..]) && text.starts_with(&got[..100]));
    }
}
