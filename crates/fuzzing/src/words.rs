//! What the command line says, as text.

use ganger_spec::{MAX_COUNT, Options, load};

use crate::files;

pub(crate) const FORMATION: &[&str] =
    &["web", "worker", "all", "=", ",", "0", "1", "99999999999", "-1", " ", "web=2", "all=1", "\0", "ü"];
pub(crate) const OPTIONS: &[&str] = &[
    "\n",
    "5000",
    "65535",
    "65536",
    "0",
    "-1",
    "1m30s",
    "500ms",
    "1.5s",
    "1h",
    "99999999999999999999h",
    "web",
    "all",
    ",",
    "worker",
    " ",
    "s",
    "ü",
];

/// `-m TEXT`.
pub(crate) fn formation(bytes: &[u8]) {
    check(bytes, |text, options| options.formation = Some(text.to_owned()));
}

/// `-p`, `--timeout`, `--can-die`, `--auto-restart` and a group, a line each.
pub(crate) fn options(bytes: &[u8]) {
    check(bytes, |text, options| {
        let mut lines = text.split('\n').map(ToOwned::to_owned);
        options.port = lines.next().filter(|line| !line.is_empty());
        options.timeout = lines.next().filter(|line| !line.is_empty());
        options.can_die = lines.next().filter(|line| !line.is_empty());
        options.auto_restart = lines.next().filter(|line| !line.is_empty());
        options.groups = lines.collect();
    });
}

fn check(bytes: &[u8], set: impl Fn(&str, &mut Options)) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory for the app: {error}"));
    files::app(dir.path());
    let mut options = Options { dir: dir.path().to_owned(), ..Options::default() };
    set(text, &mut options);
    match load(&options) {
        Ok(loaded) => {
            assert!(
                loaded.spec.groups.iter().all(|group| group.count <= MAX_COUNT),
                "more workers than there may be"
            );
            files::round_trip(&loaded.spec);
        }
        Err(error) => {
            for problem in error.problems() {
                assert!(!problem.message.is_empty(), "nothing is said: {problem:?}");
            }
        }
    }
}
