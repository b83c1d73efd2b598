//! What event listeners say.

use ganger_api::supervisor::listener::{Expected, Heard, MAX_RESULT_BYTES, MAX_RESULT_LINE_BYTES, hear};

pub(crate) const LISTENER: &[&str] = &[
    "READY\n",
    "READY",
    "RESULT ",
    "RESULT 2\nOK",
    "RESULT 4\nFAIL",
    "RESULT 0\n",
    "32768",
    "32769",
    "-",
    "\n",
    "OK",
];

/// What is heard is the same however it comes in pieces, and nothing is waited for without a bound.
pub(crate) fn listener(bytes: &[u8]) {
    for expected in [Expected::Ready, Expected::Nothing, Expected::Result] {
        let heard = hear(expected, bytes);
        match &heard {
            Heard::More => assert!(bytes.len() < MAX_RESULT_LINE_BYTES + MAX_RESULT_BYTES, "waits for ever"),
            Heard::Ready { length } | Heard::Result { length, .. } => {
                assert!(*length > 0 && *length <= bytes.len());
                assert_eq!(hear(expected, &bytes[..*length]), heard, "what follows does not matter");
            }
            Heard::Nonsense(why) => assert!(!why.is_empty()),
        }
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 16) {
            let early = hear(expected, &bytes[..end]);
            assert!(early == Heard::More || early == heard, "{expected:?}: {early:?} then {heard:?}");
        }
    }
}
