//! Leaving escape sequences out of what is stored.

/// What is left out of the bytes of a log, over all reads of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Strip {
    /// Nothing was begun.
    #[default]
    Text,
    /// An ESC, which may begin a sequence.
    Escape,
    /// Within a sequence.
    Sequence,
}

const ESC: u8 = 0x1B;

impl Strip {
    /// As a number that is not 0.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Text => 1,
            Self::Escape => 2,
            Self::Sequence => 3,
        }
    }

    /// What such a number means.
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        [Self::Text, Self::Escape, Self::Sequence].into_iter().find(|strip| strip.number() == number)
    }

    /// Takes sequences out of `bytes`: ESC, `[`, up to a byte from `@` to `~`. One that a control character interrupts
    /// ends before that. An ESC at the end waits for what comes next.
    pub(crate) fn strip(&mut self, bytes: &mut Vec<u8>) {
        if *self == Self::Text && memchr::memchr(ESC, bytes).is_none() {
            return;
        }
        let mut kept = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes.iter().copied() {
            *self = match (*self, byte) {
                (Self::Escape, b'[') | (Self::Sequence, 0x20..=0x3F) => Self::Sequence,
                (Self::Sequence, 0x40..=0x7E) => Self::Text,
                (Self::Text | Self::Sequence, ESC) => Self::Escape,
                (Self::Escape, ESC) => {
                    kept.push(ESC);
                    Self::Escape
                }
                (Self::Escape, _) => {
                    kept.extend([ESC, byte]);
                    Self::Text
                }
                (Self::Text | Self::Sequence, _) => {
                    kept.push(byte);
                    Self::Text
                }
            };
        }
        *bytes = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_left_out_however_they_are_split() {
        let text =
            b"a\x1b[31mred\x1b[0m \x1b[2K\x1b[38;5;1mx\x1bM\x1b[12\nb\x1b\x1b[Hc \x1b]0;t\x07 \x1b[\x1b[m.";
        let stripped = b"ared x\x1bM\nb\x1bc \x1b]0;t\x07 .";
        for size in 1..=text.len() {
            let (mut strip, mut all) = (Strip::default(), Vec::new());
            for part in text.chunks(size) {
                let mut part = part.to_vec();
                strip.strip(&mut part);
                all.extend(part);
            }
            assert_eq!(all, stripped, "in parts of {size}");
        }
    }
}
