//! Rotation, and what heals it after a crash: the same code.
//!
//! A segment is a pair of files, `NAME.log` (exactly what the worker wrote) and `NAME.index` (where that begins
//! in the whole log, and when what came). Rotated pairs are `NAME.log.1` with `NAME.index.1` and so on,
//! the highest number being the oldest. A rotated text may be packed: `NAME.log.1.zst` (see `pack`). The cut is after
//! the last line end; what follows it, the torn tail, moves to the new segment.
//!
//! 1. Write the tail to `NAME.log.new`.
//! 2. Write `NAME.index.new`: where the new segment begins, and how long that leaves the old one. With
//!    its header whole on the disk (it bears a check sum), the rotation is *decided*.
//! 3. Shorten `NAME.log` to that length.
//! 4. Make slot 1 free: from the first free slot downwards rename each pair to the next number, index before text.
//!    Where a text is there plain and packed, the packed one is removed before that.
//! 5. Rename `NAME.index`, then `NAME.log`, to number 1.
//! 6. Rename `NAME.log.new` to `NAME.log`.
//! 7. Rename `NAME.index.new` to `NAME.index`. The rotation is *complete*.
//! 8. Remove pairs that are too old, text before index.
//!
//! After a crash, [`settle`] looks at `NAME.index.new`. Not whole: nothing was decided, nothing was touched;
//! both new files are removed. Whole: steps 3 to 7 are done again, each of which does nothing where it was done:
//! - `NAME.log.new` is gone: step 6 was done, only step 7 is left.
//! - `NAME.log` is gone, too: step 5 was done, go on with step 6.
//! - Else `NAME.log` is the old segment. Shortening it twice is shortening it once. The first number without
//!   a text is where the renaming in step 4 or 5 stopped, as text moves last; an index whose text has not
//!   followed is in its new place already.
//!
//! A number whose index has no text is a removal (step 8) that was cut short; [`survey`] completes it.
//! An index that is missing or torn is written anew: where the segment begins follows from its neighbours, and
//! its time is that of the file.
//!
//! A text may have a place of its own (see `home`), on another file system even: each rename stays within its directory.
//! Its `NAME.log.new` is then called `.NAME.ganger-new`.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::files::Files;
use crate::home::Home;
use crate::index::{self, HEADER, Header, Record};
use crate::log::{Log, LogFiles, Segment};
use crate::name::{PRIVATE, Paths};
use crate::pack::{self, Packed};
use crate::{Error, Result, Stamp};

/// A line that is longer than this may be cut by a rotation.
pub(crate) const LINE_BYTES: u64 = 64 * 1024;

/// What is to be cut.
pub(crate) struct Cut<'a, T> {
    /// The text being written.
    pub(crate) text: &'a T,
    pub(crate) base: u64,
    pub(crate) end: u64,
    /// The last stamp, which is that of the torn tail.
    pub(crate) stamp: Stamp,
    /// Only at a line end; else after the last byte where there is none.
    pub(crate) only_lines: bool,
}

/// Steps 1 and 2; `false` if there is no place to cut at.
pub(crate) fn decide<F: Files>(files: &F, paths: Paths<'_>, old: &Cut<'_, F::File>) -> Result<bool> {
    let Cut { text, stamp, .. } = *old;
    let len = old.end - old.base;
    let mut tail = vec![0; usize::try_from(len.min(LINE_BYTES)).unwrap_or(0)];
    let from = len - tail.len() as u64;
    let got = files.read_at(text, from, &mut tail).map_err(|e| Error::io("read", &paths.log(0), e))?;
    tail.truncate(got);
    let line_end = match memchr::memrchr(b'\n', &tail) {
        Some(n) => n + 1,
        None if old.only_lines && len < LINE_BYTES => return Ok(false),
        None => tail.len(),
    };
    let cut = from + line_end as u64;

    let path = paths.new_log();
    write_new(files, &path, paths.mode(), &tail[line_end..])?;
    let mut bytes = Header { base: old.base + cut, cut }.bytes(paths.seal()).to_vec();
    bytes.extend(Record { position: old.base + cut, stamp }.bytes());
    write_new(files, &paths.new_index(), PRIVATE, &bytes)?;
    Ok(true)
}

fn write_new<F: Files>(files: &F, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let file = open_new(files, path, mode)?;
    files.write_at(&file, 0, bytes).map_err(|e| Error::io("write", path, e))
}

/// Opens a file and empties it.
pub(crate) fn open_new<F: Files>(files: &F, path: &Path, mode: u32) -> Result<F::File> {
    let wrap = |e| Error::io("create", path, e);
    let file = files.open(path, Some(mode)).map_err(wrap)?;
    let file = file.ok_or_else(|| wrap(std::io::ErrorKind::NotFound.into()))?;
    files.set_len(&file, 0).map_err(wrap)?;
    Ok(file)
}

/// What a new start makes of the files in these slots: heals what a crash left, and says what each slot holds.
pub(crate) fn recover<F: Files>(
    files: &F,
    (dir, name): (&Path, &str),
    home: Home,
    slots: &BTreeSet<usize>,
) -> Result<(Home, Vec<Segment>)> {
    let mut floor = home.floor;
    let paths = home.paths(dir, name);
    pack::forget(files, paths)?;
    settle(files, paths)?;
    // A rotation that was completed now has moved some of them by one.
    let moved = slots.iter().map(|slot| slot + 1);
    let mut slots = slots.iter().copied().chain(moved).chain([0, 1]).collect::<BTreeSet<_>>();
    if paths.file.is_some() {
        let mut next = 1;
        while text(files, paths, next)?.is_some() {
            slots.extend([next, next + 1]);
            next += 1;
        }
        floor = find_again(files, paths, &home)?;
    }
    let segments = survey(files, paths, slots.into_iter(), floor)?;
    Ok((Home { floor, ..home }, segments))
}

/// Finds out whether the text is the one that was written last, and where that is if it is not; how far the log was.
fn find_again<F: Files>(files: &F, paths: Paths<'_>, home: &Home) -> Result<u64> {
    let path = paths.index(0);
    let wrap = |e| Error::io("read", &path, e);
    let header = index::header(files, &path, paths.seal()).map_err(wrap)?;
    let (Some(Header { base, .. }), Some(index)) = (header, files.open(&path, None).map_err(wrap)?) else {
        return Ok(home.floor);
    };
    let records = index::records(files.len(&index).map_err(wrap)?);
    let last = match records {
        0 => None,
        n => index::record(files, &index, n - 1).map_err(wrap)?,
    };
    let end = last.map_or(base, |record| record.position.max(base));
    if size(files, &paths.log(0))?.is_some_and(|size| base + size >= end) {
        return Ok(home.floor);
    }
    let moved = follow(files, paths, base, end)?;
    let floor = home.floor.max(moved.unwrap_or(end));
    Home { floor, ..home.clone() }.write(files, paths)?;
    shift(files, paths, moved.is_some())?;
    Ok(floor)
}

/// Where the text that began at `base` ends, if somebody has renamed it to that of slot 1, or made a copy there.
fn follow<F: Files>(files: &F, paths: Paths<'_>, base: u64, end: u64) -> Result<Option<u64>> {
    let Some((Text::Plain, size)) = text(files, paths, 1)? else { return Ok(None) };
    let path = paths.index(1);
    let header = index::header(files, &path, paths.seal()).map_err(|e| Error::io("read", &path, e))?;
    let is_another = header.is_some_and(|header| header.base + size == base);
    Ok(Some(base + size).filter(|found| *found >= end && !is_another))
}

/// Lets the indexes follow texts that somebody has moved by one.
fn shift<F: Files>(files: &F, paths: Paths<'_>, is_moved: bool) -> Result<()> {
    if !is_moved {
        return Ok(());
    }
    let base = |slot| {
        let path = paths.index(slot);
        let header = index::header(files, &path, paths.seal()).map_err(|e| Error::io("read", &path, e))?;
        Ok::<_, Error>(header.map(|header| header.base))
    };
    let mut last = 0;
    while let (Some(size), Some(begin), Some(end)) =
        (size(files, &paths.log(last + 2))?, base(last + 1)?, base(last)?)
        && begin + size == end
    {
        last += 1;
    }
    for slot in (0..=last).rev() {
        rename(files, &paths.index(slot), &paths.index(slot + 1))?;
    }
    Ok(())
}

/// The text being written is not what was written, as somebody has shortened, renamed or removed it: the log goes on
/// with what is there now, and that ends where the log does.
pub(crate) fn anew<F: Files>(files: &F, paths: Paths<'_>, log: &Log, held: &mut LogFiles) -> Result<()> {
    let end = log.end();
    let mut home = (*log.home()).clone();
    home.floor = end;
    home.write(files, paths)?;
    log.settle_in(home);
    let base = held.segments.first().filter(|s| s.slot == 0).map_or(end, |s| s.base);
    let moved = follow(files, paths, base, end)?;
    shift(files, paths, moved.is_some())?;
    take_stock(files, paths, log, held)
}

/// Surveys a log's files anew.
pub(crate) fn take_stock<F: Files>(
    files: &F,
    paths: Paths<'_>,
    log: &Log,
    held: &mut LogFiles,
) -> Result<()> {
    let top = held.segments.iter().map(|s| s.slot).max().unwrap_or(0) + 1;
    held.segments = survey(files, paths, 0..=top, log.home().floor)?;
    let end = held.segments.first().map_or(0, |s| s.end);
    log.end.fetch_max(end, Ordering::AcqRel);
    held.unsettled = false;
    Ok(())
}

/// Steps 3 to 7, or nothing: completes a rotation that was decided and forgets one that was not.
pub(crate) fn settle<F: Files>(files: &F, paths: Paths<'_>) -> Result<()> {
    let decided = paths.new_index();
    let header = index::header(files, &decided, paths.seal()).map_err(|e| Error::io("read", &decided, e))?;
    let Some(header) = header else {
        remove(files, &decided)?;
        return remove(files, &paths.new_log());
    };
    if exists(files, &paths.new_log())? {
        if exists(files, &paths.log(0))? {
            shorten(files, &paths.log(0), header.cut)?;
            make_way(files, paths)?;
        }
        rename(files, &paths.new_log(), &paths.log(0))?;
    }
    rename(files, &decided, &paths.index(0))
}

fn shorten<F: Files>(files: &F, path: &Path, len: u64) -> Result<()> {
    let wrap = |e| Error::io("shorten", path, e);
    if let Some(file) = files.open(path, None).map_err(wrap)? {
        files.set_len(&file, len).map_err(wrap)?;
    }
    Ok(())
}

/// Steps 4 and 5: moves every pair up to the first free slot by one.
fn make_way<F: Files>(files: &F, paths: Paths<'_>) -> Result<()> {
    let mut slots = vec![Text::Plain];
    while let Some((text, _)) = text(files, paths, slots.len())? {
        slots.push(text);
    }
    for (slot, text) in slots.into_iter().enumerate().rev() {
        rename(files, &paths.index(slot), &paths.index(slot + 1))?;
        match text {
            Text::Plain => rename(files, &paths.log(slot), &paths.log(slot + 1))?,
            Text::Packed => rename(files, &paths.packed(slot), &paths.packed(slot + 1))?,
        }
    }
    Ok(())
}

/// How a text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Plain,
    Packed,
}

/// How the text of a slot is kept, and its size on the disk. A packed one beside a plain one was not completed.
fn text<F: Files>(files: &F, paths: Paths<'_>, slot: usize) -> Result<Option<(Text, u64)>> {
    let (plain, packed) = (paths.log(slot), paths.packed(slot));
    if let Some(size) = size(files, &plain)? {
        remove(files, &packed)?;
        return Ok(Some((Text::Plain, size)));
    }
    Ok(size(files, &packed)?.map(|size| (Text::Packed, size)))
}

/// How long a packed text is: nothing, if it is garbage.
fn unpacked<F: Files>(files: &F, path: &Path) -> Result<u64> {
    let wrap = |e| Error::io("read", path, e);
    let Some(file) = files.open(path, None).map_err(wrap)? else { return Ok(0) };
    match Packed::new(files, file) {
        Ok(packed) => Ok(packed.len()),
        Err(e) if e.kind() == ErrorKind::InvalidData => Ok(0),
        Err(e) => Err(wrap(e)),
    }
}

/// Finds out what each of these slots holds, the newest first, and heals their indexes.
pub(crate) fn survey<F: Files>(
    files: &F,
    paths: Paths<'_>,
    slots: impl Iterator<Item = usize>,
    floor: u64,
) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for slot in slots {
        let beside = paths.index(slot);
        match text(files, paths, slot)? {
            Some((text, disk)) => found.push(look_at(files, paths, slot, text, disk)?),
            None => remove(files, &beside)?,
        }
    }
    let segments = place(&found, floor);
    for (segment, found) in segments.iter().zip(&found) {
        if found.1 != Some(segment.base) {
            rebuild(files, paths, segment)?;
        }
    }
    Ok(segments)
}

/// What a slot holds, as if it began at 0, and where its index says that it begins.
fn look_at<F: Files>(
    files: &F,
    paths: Paths<'_>,
    slot: usize,
    text: Text,
    disk: u64,
) -> Result<(Segment, Option<u64>)> {
    let beside = paths.index(slot);
    let header = index::header(files, &beside, paths.seal()).map_err(|e| Error::io("read", &beside, e))?;
    let index = size(files, &beside)?.unwrap_or(0);
    let (packed, end) = match text {
        Text::Plain => (false, disk),
        Text::Packed => (true, unpacked(files, &paths.packed(slot))?),
    };
    // A text is packed later than it was written; its index is not.
    let ended = files.modified(&beside);
    Ok((Segment { slot, base: 0, end, packed, disk: disk + index, ended }, header.map(|h| h.base)))
}

/// Works out the bases that no index tells, or not rightly, from those of the neighbours, and for the newest from how far
/// the log was. `found` is the newest first.
fn place(found: &[(Segment, Option<u64>)], floor: u64) -> Vec<Segment> {
    let Some(((newest, said), older)) = found.split_first() else { return Vec::new() };
    let before = || older.iter().rev().fold(0, |end, (s, base)| base.unwrap_or(end) + s.end);
    let said = said.filter(|base| base + newest.end >= floor);
    let mut next = said.unwrap_or_else(|| before().max(floor.saturating_sub(newest.end)));
    let mut segments = vec![Segment { base: next, end: next + newest.end, ..*newest }];
    for &(segment, said) in older {
        let len = segment.end;
        let said = said.filter(|base| base + len <= next);
        // What cannot be before what comes next has no position: it is somebody else's.
        let (base, end) = match said.or_else(|| next.checked_sub(len)) {
            Some(base) => (base, base + len),
            None => (next, next),
        };
        segments.push(Segment { base, end, ..segment });
        next = base;
    }
    segments
}

fn rebuild<F: Files>(files: &F, paths: Paths<'_>, segment: &Segment) -> Result<()> {
    let &Segment { slot, base, .. } = segment;
    let stamp = Stamp { time: files.modified(&paths.text(*segment)), run: 0 };
    let path = paths.index(slot);
    let file = open_new(files, &path, PRIVATE)?;
    let wrap = |e| Error::io("write", &path, e);
    files.write_at(&file, HEADER, &Record { position: base, stamp }.bytes()).map_err(wrap)?;
    files.write_at(&file, 0, &Header { base, cut: 0 }.bytes(paths.seal())).map_err(wrap)
}

/// Removes the oldest rotated segment of a log, text before index; how much room that made.
pub(crate) fn drop_oldest<F: Files>(files: &F, paths: Paths<'_>, log: &Log) -> Result<u64> {
    let mut held = log.files();
    let Some(oldest) = held.oldest().filter(|_| !held.unsettled) else { return Ok(0) };
    // One that cannot be removed is not forgotten, lest it stay for ever.
    remove(files, &paths.text(oldest))?;
    held.segments.pop();
    remove(files, &paths.index(oldest.slot))?;
    Ok(oldest.disk)
}

fn size<F: Files>(files: &F, path: &Path) -> Result<Option<u64>> {
    files.size(path).map_err(|e| Error::io("inspect", path, e))
}

fn exists<F: Files>(files: &F, path: &Path) -> Result<bool> {
    Ok(size(files, path)?.is_some())
}

/// Removes a file if it is there.
pub(crate) fn remove<F: Files>(files: &F, path: &Path) -> Result<()> {
    // A file system that cannot be written refuses even to remove what is not there.
    if exists(files, path)? { files.remove(path).map_err(|e| Error::io("remove", path, e)) } else { Ok(()) }
}

fn rename<F: Files>(files: &F, from: &Path, to: &Path) -> Result<()> {
    files.rename(from, to).map(|_| ()).map_err(|e| Error::io("rename", from, e))
}
