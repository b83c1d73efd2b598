//! Names of logs and of their files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::log::Segment;
use crate::{Error, Result};

/// The longest name of a log: leaves room for the endings within a file name's 255 bytes.
const MAX_NAME: usize = 100;

/// Who may use a file of the store: nobody else.
pub(crate) const PRIVATE: u32 = 0o600;
/// Who may use a file that has a place of its own: whoever the umask lets.
const SHARED: u32 = 0o666;

/// Says whether `name` can safely be (a part of) a file's name.
pub(crate) fn check(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'@');
    let good =
        !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.bytes().all(plain);
    if good { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

/// Where the files of one log are.
#[derive(Clone, Copy)]
pub(crate) struct Paths<'a> {
    /// The directory of the store.
    pub(crate) dir: &'a Path,
    /// The log's name.
    pub(crate) name: &'a str,
    /// The text being written, where it has a place of its own: the rotated ones are beside it, the indexes are in the
    /// store.
    pub(crate) file: Option<&'a Path>,
}

impl Paths<'_> {
    /// The text of the segment in a slot: 0 is the one being written, 1 the one before it, and so on.
    pub(crate) fn log(&self, slot: usize) -> PathBuf {
        match (self.file, slot) {
            (None, _) => self.in_slot("log", slot),
            (Some(file), 0) => file.to_owned(),
            (Some(file), _) => beside(file, "", &format!(".{slot}")),
        }
    }

    /// The index beside it.
    pub(crate) fn index(&self, slot: usize) -> PathBuf {
        self.in_slot("index", slot)
    }

    /// The text in a slot, compressed.
    pub(crate) fn packed(&self, slot: usize) -> PathBuf {
        match self.file {
            None => self.dir.join(format!("{}.log.{slot}.zst", self.name)),
            Some(file) => beside(file, "", &format!(".{slot}.zst")),
        }
    }

    /// The text of a segment, as it is on the disk.
    pub(crate) fn text(&self, segment: Segment) -> PathBuf {
        if segment.packed { self.packed(segment.slot) } else { self.log(segment.slot) }
    }

    /// A text that is being compressed.
    pub(crate) fn new_packed(&self) -> PathBuf {
        match self.file {
            None => self.dir.join(format!("{}.log.zst.new", self.name)),
            Some(file) => beside(file, ".", ".ganger-zst"),
        }
    }

    /// The text of a segment that a rotation prepares.
    pub(crate) fn new_log(&self) -> PathBuf {
        match self.file {
            None => self.dir.join(format!("{}.log.new", self.name)),
            Some(file) => beside(file, ".", ".ganger-new"),
        }
    }

    /// The index of a segment that a rotation prepares; once it is whole, the rotation is decided.
    pub(crate) fn new_index(&self) -> PathBuf {
        self.dir.join(format!("{}.index.new", self.name))
    }

    /// What is kept of where the log is, and how far it was when it came there.
    pub(crate) fn home(&self) -> PathBuf {
        self.dir.join(format!("{}.place", self.name))
    }

    /// The same, while it is written.
    pub(crate) fn new_home(&self) -> PathBuf {
        self.dir.join(format!("{}.place.new", self.name))
    }

    /// Who may read and write a new text.
    pub(crate) fn mode(&self) -> u32 {
        if self.file.is_some() { SHARED } else { PRIVATE }
    }

    /// Tells the indexes of one place from those of another.
    pub(crate) fn seal(&self) -> u64 {
        let Some(file) = self.file else { return 0 };
        let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        file.as_os_str().as_encoded_bytes().iter().fold(0xCBF2_9CE4_8422_2325, mix)
    }

    fn in_slot(&self, kind: &str, slot: usize) -> PathBuf {
        self.dir.join(if slot == 0 {
            format!("{}.{kind}", self.name)
        } else {
            format!("{}.{kind}.{slot}", self.name)
        })
    }
}

/// A file in the directory of another one, its name with something before and after it.
fn beside(file: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(file.file_name().unwrap_or_default());
    name.push(after);
    file.with_file_name(name)
}

/// The log that a file of the store belongs to, and its slot unless it is one being prepared.
pub(crate) fn of_file(file: &str) -> Option<(&str, Option<usize>)> {
    let split = |ending: &str| {
        let cut = file.rfind(ending)?;
        let slot = match file[cut + ending.len()..].strip_prefix('.') {
            None if file.ends_with(ending) => Some(0),
            Some("new" | "zst.new") => None,
            Some(number) => {
                let number = number.strip_suffix(".zst").unwrap_or(number);
                Some(number.parse().ok().filter(|n| *n > 0)?)
            }
            None => return None,
        };
        Some((&file[..cut], slot))
    };
    let home = file.strip_suffix(".place").map(|name| (name, None));
    split(".log").or_else(|| split(".index")).or(home).filter(|(name, _)| check(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_the_directory_is_refused() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "a\nb", "é", &"x".repeat(101)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for good in ["web.1", "a", "queue-x_y.12", "app:web.1", &"x".repeat(100)] {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn every_file_of_a_log_names_its_log() {
        let paths = Paths { dir: Path::new("/d"), name: "web.1", file: None };
        let slots = [(paths.log(0), 0), (paths.log(12), 12), (paths.index(0), 0), (paths.index(3), 3)];
        let slots = slots.into_iter().chain([(paths.packed(4), 4)]).map(|(path, slot)| (path, Some(slot)));
        let new =
            [paths.new_log(), paths.new_index(), paths.new_packed(), paths.home()].map(|path| (path, None));
        for (path, slot) in slots.chain(new) {
            let file = path.file_name().and_then(|f| f.to_str()).unwrap();
            assert_eq!(of_file(file), Some(("web.1", slot)), "{file}");
        }
        assert_eq!(of_file("ledger"), None);
        assert_eq!(of_file("web.1.log.old"), None);
    }
}
