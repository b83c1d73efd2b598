//! The command line of `supervisord`.

use std::path::PathBuf;

/// What the command line asks for.
pub(super) enum Parsed {
    Run(Given),
    Help,
    Version,
}

/// What stands on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) file: Option<PathBuf>,
    /// Where it was typed, told to the processes that are started for it.
    pub(super) at: Option<PathBuf>,
    /// Keys of `[supervisord]` with their values; those without one are true.
    pub(super) keys: Vec<(String, String)>,
}

/// A short and a long name, and whether a value follows.
const OPTIONS: [(char, &str, bool); 22] = [
    ('c', "configuration", true),
    ('n', "nodaemon", false),
    ('s', "silent", false),
    ('h', "help", false),
    ('?', "help", false),
    ('v', "version", false),
    ('u', "user", true),
    ('m', "umask", true),
    ('d', "directory", true),
    ('l', "logfile", true),
    ('y', "logfile_maxbytes", true),
    ('z', "logfile_backups", true),
    ('e', "loglevel", true),
    ('j', "pidfile", true),
    ('i', "identifier", true),
    ('q', "childlogdir", true),
    ('k', "nocleanup", false),
    ('a', "minfds", true),
    ('t', "strip_ansi", false),
    ('\0', "minprocs", true),
    ('\0', "profile_options", true),
    ('\0', AT, true),
];

/// The name of an option of ours.
pub(super) const AT: &str = "ganger-at";

/// Reads the words; an error is what is wrong with them.
pub(super) fn parse(words: &[String]) -> Result<Parsed, String> {
    let mut given = Given::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let (name, takes) = long_option(name)?;
            let value = match (takes, value) {
                (true, Some(value)) => value.to_owned(),
                (true, None) => {
                    words.next().cloned().ok_or_else(|| format!("option --{name} requires argument"))?
                }
                (false, Some(_)) => return Err(format!("option --{name} must not have an argument")),
                (false, None) => String::new(),
            };
            if let Some(shown) = given.set(name, value)? {
                return Ok(shown);
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                let option = OPTIONS.iter().find(|(short, _, _)| *short == letter && letter != '\0');
                let Some((_, name, takes)) = option else {
                    return Err(format!("option -{letter} not recognized"));
                };
                let mut value = String::new();
                if *takes {
                    value = letters.by_ref().collect();
                    if value.is_empty() {
                        let next = words.next().cloned();
                        value = next.ok_or_else(|| format!("option -{letter} requires argument"))?;
                    }
                }
                if let Some(shown) = given.set(name, value)? {
                    return Ok(shown);
                }
            }
        } else {
            return Err("positional arguments are not supported".to_owned());
        }
    }
    Ok(Parsed::Run(given))
}

fn long_option(name: &str) -> Result<(&'static str, bool), String> {
    let mut begun = OPTIONS.iter().filter(|(short, long, _)| long.starts_with(name) && *short != '?');
    let exact = OPTIONS.iter().find(|(_, long, _)| *long == name);
    match (exact, begun.next(), begun.next()) {
        (Some((_, long, takes)), _, _) | (None, Some((_, long, takes)), None) => Ok((long, *takes)),
        (None, Some(_), Some(_)) => Err(format!("option --{name} not a unique prefix")),
        (None, None, _) => Err(format!("option --{name} not recognized")),
    }
}

impl Given {
    /// Whether a key without a value is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(said, _)| said == key)
    }

    fn set(&mut self, name: &str, value: String) -> Result<Option<Parsed>, String> {
        match name {
            "help" => return Ok(Some(Parsed::Help)),
            "version" => return Ok(Some(Parsed::Version)),
            // Ours come first.
            "configuration" => drop(self.file.get_or_insert(value.into())),
            "profile_options" => {
                return Err("--profile_options: there is no Python here to profile".to_owned());
            }
            AT => drop(self.at.get_or_insert(value.into())),
            key => self.keys.push((key.to_owned(), value)),
        }
        Ok(None)
    }
}

/// What `-h` prints.
pub(super) fn help(program: &str) -> String {
    format!(
        "{program} -- run a set of applications as daemons, as supervisord does.

Usage: {program} [options]

Options:
-c/--configuration FILENAME -- the configuration file (looked for if not given)
-n/--nodaemon -- run in the foreground (as `nodaemon=true` in the file)
-s/--silent -- no logs to stdout (as `silent=true` in the file)
-h/--help -- print this message and exit
-v/--version -- print the version of supervisord that this takes the place of, and exit
-u/--user USER -- run programs as this user (or number)
-m/--umask UMASK -- the umask in the background (default is 022)
-d/--directory DIRECTORY -- the directory to go to in the background
-l/--logfile FILENAME -- the main log
-y/--logfile_maxbytes BYTES -- the size at which it is rotated
-z/--logfile_backups NUM -- how many rotated ones are kept
-e/--loglevel LEVEL -- how much it says (debug,info,warn,error,critical)
-j/--pidfile FILENAME -- the file that tells the number of the process
-i/--identifier STR -- the name of this supervisord
-q/--childlogdir DIRECTORY -- where logs of programs are
-k/--nocleanup -- keep old automatic logs of programs at the start
-a/--minfds NUM -- so many open files must be allowed
-t/--strip_ansi -- take escape sequences out of what programs write
--minprocs NUM -- so many processes must be allowed
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &str) -> Result<Given, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        match parse(&words)? {
            Parsed::Run(given) => Ok(given),
            Parsed::Help => Err("help".to_owned()),
            Parsed::Version => Err("version".to_owned()),
        }
    }

    #[test]
    fn words_are_read_as_getopt_reads_them() {
        let all = given("-nc s.conf -ldebug.log --loglevel=warn --minf 12 --minprocs 3 -k").unwrap();
        assert_eq!(all.file, Some("s.conf".into()));
        let keys: Vec<String> = all.keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let wanted =
            ["nodaemon=", "logfile=debug.log", "loglevel=warn", "minfds=12", "minprocs=3", "nocleanup="];
        assert_eq!(keys, wanted);
        for (words, error) in [
            ("-x", "option -x not recognized"),
            ("-c", "option -c requires argument"),
            ("--log x", "option --log not a unique prefix"),
            ("--nodaemon=1", "option --nodaemon must not have an argument"),
            ("--what", "option --what not recognized"),
            ("word", "positional arguments are not supported"),
            ("-nh", "help"),
            ("--version", "version"),
        ] {
            assert_eq!(given(words).unwrap_err(), error, "{words}");
        }
    }
}
