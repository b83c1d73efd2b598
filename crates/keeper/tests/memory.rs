//! Memory that the next process finds. In a process of its own, which starts no other: a child that was being started for
//! another test would have the file, and its lock, until it became its program.

use std::fs::OpenOptions;

use ganger_keeper::LastingMemory;

const LENGTH: usize = 10_000;

#[test]
fn what_was_written_is_found_again_in_this_boot_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("memory");
    let mut memory = LastingMemory::open(&path, "boot-1", LENGTH).unwrap();
    assert_eq!(memory.as_ref(), [0; LENGTH]);
    memory.as_mut()[LENGTH - 5..].copy_from_slice(b"there");
    assert!(LastingMemory::open(&path, "boot-1", LENGTH).is_err(), "two have it");
    drop(memory);
    let memory = LastingMemory::open(&path, "boot-1", LENGTH).unwrap();
    assert_eq!(memory.as_ref()[LENGTH - 5..], *b"there");
    drop(memory);
    let memory = LastingMemory::open(&path, "boot-2", LENGTH).unwrap();
    assert_eq!(memory.as_ref(), [0; LENGTH]);
}

#[test]
fn a_file_that_was_cut_is_whole_again_and_of_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("memory");
    let mut memory = LastingMemory::open(&path, "boot-1", LENGTH).unwrap();
    memory.as_mut()[0] = 1;
    drop(memory);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    let memory = LastingMemory::open(&path, "boot-1", LENGTH).unwrap();
    assert_eq!(memory.as_ref(), [0; LENGTH]);
}

#[test]
fn a_link_in_the_way_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (target, path) = (dir.path().join("mine"), dir.path().join("memory"));
    std::fs::write(&target, "mine").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert!(LastingMemory::open(&path, "boot-1", LENGTH).is_err());
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
}
