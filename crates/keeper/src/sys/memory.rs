//! Memory that outlives its process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, flock};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Memory that the next process finds as this one left it, however this one ended: a file, mapped. It does not outlive the
/// boot of the machine, for of a file that is on a disk some pages would.
pub struct LastingMemory {
    start: NonNull<u8>,
    length: usize,
    /// It is locked: nobody else maps it.
    _file: File,
}

impl LastingMemory {
    /// Opens the memory at `path`, of `length` bytes; it is made of zeros if there is none of this boot.
    ///
    /// # Errors
    /// The file cannot be opened, is too large for its disk, or is in use by somebody else.
    pub fn open(path: &Path, boot: &str, length: usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let mut seal = vec![0; boot.len()];
        let is_ours = file.read_exact_at(&mut seal, length as u64).is_ok() && seal == boot.as_bytes();
        if !is_ours {
            file.set_len(0)?;
        }
        // Without its place on the disk, a write to it would kill us.
        fallocate(&file, FallocateFlags::empty(), 0, (length + boot.len()) as u64)?;
        if !is_ours {
            file.write_all_at(boot.as_bytes(), length as u64)?;
        }
        // SAFETY: at no fixed place, so that nothing else is replaced.
        let start = unsafe {
            mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length, _file: file })
    }
}

impl AsRef<[u8]> for LastingMemory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: mapped as long as this lives, and locked: who has this has it alone.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl AsMut<[u8]> for LastingMemory {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for LastingMemory {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `open`, and nothing that was borrowed from it is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: it is a place in memory that belongs to this alone, whichever thread has it.
unsafe impl Send for LastingMemory {}
