//! Compressing rotated texts, and reading them.
//!
//! A packed text is a file of zstd frames, each of which holds a part of the text, and a last frame that zstd skips and
//! that says how long each of them is: the seekable format of zstd, which `zstdcat` reads like any other. So a reader
//! decodes only the part that it wants.
//!
//! 1. Compress `NAME.log.N` into `NAME.log.zst.new`, and compare what is there with the text.
//! 2. Rename it to `NAME.log.M.zst`, M being the text's number by now.
//! 3. Remove `NAME.log.M`.
//!
//! After a crash, [`forget`] removes a file of step 1, and a packed text beside a plain one (step 2) does not count and
//! is removed by a rotation or survey. Nothing is synced: as with all of the store, a crash of the machine may cost what
//! the system had not written. Steps 2 and 3 hold the log's files, so that no rotation comes in between; a rotation may
//! come during step 1. The index stays as it is.

use std::io::{self, ErrorKind};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::files::Files;
use crate::log::{Log, Segment};
use crate::name::Paths;
use crate::rotate;
use crate::{Error, Result};

/// A frame holds so much text.
pub(crate) const FRAME_BYTES: usize = 256 * 1024;
/// A frame that says to hold more than this is not believed.
const FRAME_MAX: u32 = 64 << 20;
/// The default of zstd itself.
const LEVEL: i32 = 3;
/// A skippable frame's magic number, as the seekable format wants it, and its own at the end.
const TABLE_MAGIC: u32 = 0x184D_2A5E;
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
/// Bytes of the footer: how many frames, a description, the magic number.
const FOOTER: usize = 9;
const FOOTER_U64: u64 = FOOTER as u64;
/// Bytes of an entry: how long the frame is and how long its text is.
const ENTRY: usize = 8;

/// Removes what a crash left half compressed.
pub(crate) fn forget<F: Files>(files: &F, paths: Paths<'_>) -> Result<()> {
    rotate::remove(files, &paths.new_packed())
}

/// Compresses the oldest rotated text of a log that is plain; `false` when there is none, or nothing can be done now.
pub(crate) fn pack_one<F: Files>(
    files: &F,
    paths: Paths<'_>,
    log: &Log,
    is_stopped: &dyn Fn() -> bool,
) -> Result<bool> {
    let held = log.files();
    let plain = |s: &&Segment| s.slot > 0 && !s.packed && s.end > s.base;
    let Some(segment) = held.segments.iter().rev().find(plain).copied().filter(|_| !held.unsettled) else {
        return Ok(false);
    };
    let path = paths.log(segment.slot);
    let text = files.open(&path, None).map_err(|e| Error::io("open", &path, e))?;
    drop(held);
    let Some(text) = text else { return Ok(false) };
    let new = paths.new_packed();
    let packed = match pack(files, &text, paths, segment.end - segment.base, is_stopped) {
        Ok(Some(size)) => place(files, paths, log, segment, size),
        Ok(None) => Ok(false),
        Err(e) => Err(e),
    };
    // Where it was put in place, there is nothing to be removed; where the disk is full, it is the first to go. The text
    // is still open, so that freeing its blocks holds up nobody but this thread.
    if !matches!(packed, Ok(true)) {
        rotate::remove(files, &new)?;
    }
    packed
}

/// Step 1; how big the packed text is, or none if it was stopped.
fn pack<F: Files>(
    files: &F,
    text: &F::File,
    paths: Paths<'_>,
    len: u64,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<u64>> {
    let path = paths.new_packed();
    let new = rotate::open_new(files, &path, paths.mode())?;
    let wrap = |e| Error::io("compress into", &path, e);
    let Some(size) = compress(files, text, &new, len, is_stopped).map_err(wrap)? else { return Ok(None) };
    let mut packed = Packed::new(files, new).map_err(wrap)?;
    let same = compare(files, text, &mut packed, len, is_stopped).map_err(wrap)?;
    Ok(same.then_some(size))
}

/// Steps 2 and 3, unless the segment is gone meanwhile or a rotation waits to be completed.
fn place<F: Files>(files: &F, paths: Paths<'_>, log: &Log, packed: Segment, size: u64) -> Result<bool> {
    let mut held = log.files();
    if held.unsettled {
        return Ok(false);
    }
    let Some(segment) = held.segments.iter_mut().find(|s| s.base == packed.base && s.slot > 0) else {
        return Ok(false);
    };
    let (new, plain, place) = (paths.new_packed(), paths.log(segment.slot), paths.packed(segment.slot));
    files.rename(&new, &place).map_err(|e| Error::io("rename", &new, e))?;
    if let Err(error) = rotate::remove(files, &plain) {
        // If this fails, too, the plain text counts.
        rotate::remove(files, &place)?;
        return Err(error);
    }
    segment.disk = segment.disk.saturating_sub(segment.end - segment.base) + size;
    segment.packed = true;
    Ok(true)
}

fn compress<F: Files>(
    files: &F,
    text: &F::File,
    new: &F::File,
    len: u64,
    is_stopped: &dyn Fn() -> bool,
) -> io::Result<Option<u64>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    let mut part = vec![0; FRAME_BYTES];
    let (mut table, mut at, mut size) = (Vec::new(), 0, 0);
    while at < len {
        if is_stopped() {
            return Ok(None);
        }
        let wanted = usize::try_from(len - at).unwrap_or(FRAME_BYTES).min(FRAME_BYTES);
        let got = files.read_at(text, at, &mut part[..wanted])?;
        if got < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let frame = compressor.compress(&part[..got])?;
        files.write_at(new, size, &frame)?;
        for length in [frame.len(), got] {
            table.extend(word(length)?.to_le_bytes());
        }
        at += got as u64;
        size += frame.len() as u64;
    }
    let last = table_frame(&table)?;
    files.write_at(new, size, &last)?;
    Ok(Some(size + last.len() as u64))
}

fn word(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| ErrorKind::FileTooLarge.into())
}

fn table_frame(table: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = TABLE_MAGIC.to_le_bytes().to_vec();
    frame.extend(word(table.len() + FOOTER)?.to_le_bytes());
    frame.extend(table);
    frame.extend(word(table.len() / ENTRY)?.to_le_bytes());
    frame.push(0);
    frame.extend(FOOTER_MAGIC.to_le_bytes());
    Ok(frame)
}

/// Is this the text, byte for byte? `false`, too, if it was stopped.
fn compare<F: Files>(
    files: &F,
    text: &F::File,
    packed: &mut Packed<F::File>,
    len: u64,
    is_stopped: &dyn Fn() -> bool,
) -> io::Result<bool> {
    let (mut plain, mut unpacked) = (vec![0; FRAME_BYTES], vec![0; FRAME_BYTES]);
    let mut at = 0;
    while at < len && !is_stopped() {
        let got = packed.read_at(files, at, &mut unpacked)?;
        let same = files.read_at(text, at, &mut plain[..got])? == got && plain[..got] == unpacked[..got];
        if got == 0 || !same {
            return Err(ErrorKind::InvalidData.into());
        }
        at += got as u64;
    }
    Ok(at == len && packed.len() == len)
}

/// A packed text that is open.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    file: T,
    /// Where each frame and its text begin, and at last where they end.
    frames: Vec<(u64, u64)>,
    /// The text that was decoded last, and where it begins.
    decoded: Vec<u8>,
    from: u64,
}

impl<T> Packed<T> {
    /// Reads the table of a packed text; [`ErrorKind::InvalidData`] if there is none.
    pub(crate) fn new<F: Files<File = T>>(files: &F, file: T) -> io::Result<Self> {
        let frames = frames(files, &file)?;
        Ok(Self { file, frames, decoded: Vec::new(), from: 0 })
    }

    /// How long the text is.
    pub(crate) fn len(&self) -> u64 {
        self.frames.last().map_or(0, |(_, text)| *text)
    }

    /// Reads some of the text from a place on; nothing at its end. [`ErrorKind::InvalidData`] if it cannot be decoded.
    pub(crate) fn read_at<F: Files<File = T>>(
        &mut self,
        files: &F,
        at: u64,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        if !(self.from..self.from + self.decoded.len() as u64).contains(&at) {
            self.decode(files, at)?;
        }
        let skip = usize::try_from(at - self.from).unwrap_or(usize::MAX);
        let rest = self.decoded.get(skip..).unwrap_or_default();
        let got = rest.len().min(buf.len());
        buf[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn decode<F: Files<File = T>>(&mut self, files: &F, at: u64) -> io::Result<()> {
        self.decoded.clear();
        self.from = at;
        let after = self.frames.partition_point(|(_, text)| *text <= at);
        let (Some(&(begin, text)), Some(&(end, text_end))) =
            (self.frames.get(after.wrapping_sub(1)), self.frames.get(after))
        else {
            return Ok(());
        };
        let mut frame = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        let got = files.read_at(&self.file, begin, &mut frame)?;
        let capacity = usize::try_from(text_end - text).unwrap_or(0);
        let decoded = Decompressor::new()?.decompress(&frame[..got], capacity);
        self.decoded = decoded.ok().filter(|d| d.len() == capacity).ok_or(ErrorKind::InvalidData)?;
        self.from = text;
        Ok(())
    }
}

/// Reads the table at the end of a packed text.
fn frames<F: Files>(files: &F, file: &F::File) -> io::Result<Vec<(u64, u64)>> {
    let size = files.len(file)?;
    let mut footer = [0; FOOTER];
    let footer_at = size.checked_sub(FOOTER_U64).ok_or(ErrorKind::InvalidData)?;
    files.read_at(file, footer_at, &mut footer)?;
    let [a, b, c, d, 0, magic @ ..] = footer else { return Err(ErrorKind::InvalidData.into()) };
    let count = u64::from(u32::from_le_bytes([a, b, c, d]));
    let table_at = footer_at.checked_sub(count * ENTRY as u64).filter(|at| *at >= 8);
    let (Some(table_at), FOOTER_MAGIC) = (table_at, u32::from_le_bytes(magic)) else {
        return Err(ErrorKind::InvalidData.into());
    };
    let mut table = vec![0; usize::try_from(footer_at - table_at).unwrap_or(0)];
    files.read_at(file, table_at, &mut table)?;
    let mut frames = vec![(0, 0)];
    let (mut frame, mut text) = (0, 0);
    let (words, _) = table.as_chunks::<4>();
    for pair in words.chunks_exact(2) {
        let [bytes, chars] = [u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1])];
        if chars > FRAME_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        frame += u64::from(bytes);
        text += u64::from(chars);
        frames.push((frame, text));
    }
    // The table's own frame begins where the last one ends.
    if frame + 8 == table_at { Ok(frames) } else { Err(ErrorKind::InvalidData.into()) }
}
