use std::time::Duration;

use super::values::MAX_DURATION;
use super::*;

fn error(text: &str) -> (String, Option<String>) {
    let problem = Native::parse(Path::new("ganger.toml"), text.to_owned()).unwrap_err();
    (problem.to_string(), problem.hint)
}

fn group(line: &str) -> (String, Option<String>) {
    let (message, hint) = error(&format!("[groups.web]\n{line}\n"));
    (message.replace("ganger.toml:", ""), hint)
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_what_was_meant() {
    for (text, message, hint) in [
        ("ap = 'x'", "ganger.toml:1:1: unknown key `ap`", "did you mean `app`?"),
        (
            "\n[groups.web]\n  comand = 'x'",
            "ganger.toml:3:3: unknown key `comand`",
            "did you mean `command`?",
        ),
        ("[groups.web.stop]\nsig = 1", "ganger.toml:2:1: unknown key `sig`", "known: signal, timeout, scope"),
        (
            "[groups.web.limits]\nopenfiles = 1",
            "ganger.toml:2:1: unknown key `openfiles`",
            "did you mean `open_files`?",
        ),
    ] {
        assert_eq!(error(text), (message.to_owned(), Some(hint.to_owned())));
    }
    let (message, hint) = group("restart = 'alway'");
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("2:11: unknown value `alway`", Some("did you mean `always`?"))
    );
    let (message, hint) = group("exits = 'pass'");
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("2:9: unknown value `pass`", Some("did you mean `paas`?"))
    );
    let (message, hint) = group("exits = { 0 = 'stopp' }");
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("2:15: unknown value `stopp`", Some("did you mean `stop`?"))
    );
}

#[test]
fn a_bad_value_is_told_with_its_place() {
    for (line, message) in [
        ("port = 0", "2:8: `0` is no port: write 1 to 65535, `\"auto\"`, or `false` for none"),
        ("port = 65536", "2:8: `65536` is no port: write 1 to 65535, `\"auto\"`, or `false` for none"),
        ("port = true", "2:8: `true` is no port: write 1 to 65535, `\"auto\"`, or `false` for none"),
        ("umask = 22", "2:9: a umask is text of octal digits, such as \"022\""),
        ("umask = '1000'", "2:9: `1000` is no umask: write octal digits, such as \"022\""),
        ("umask = '089'", "2:9: `089` is no umask: write octal digits, such as \"022\""),
        ("command = ''", "2:11: the command is empty or has a NUL"),
        ("command = []", "2:11: the command is empty or has a NUL"),
        ("command = \"a\\u0000\"", "2:11: the command is empty or has a NUL"),
        ("command = 3", "2:11: `3` does not fit: write a command line, or a list of words"),
        ("stop.signal = 'TREM'", "2:15: unknown signal \"TREM\""),
        ("exits = { 256 = 'stop' }", "2:9: `256` is no exit code (0 to 255)"),
        ("limits.core = -1", "2:15: `-1` is no limit: write a number, `512MiB`, or `unlimited`"),
        (
            "limits.core = '5 apples'",
            "2:15: `5 apples` is no limit: write a number, `512MiB`, or `unlimited`",
        ),
        ("env.A = [1]", "2:9: expected text, a number, true or false"),
        ("count = -1", "2:9: `-1` does not fit: write a whole number from 0 to 4294967295"),
        ("count = 'two'", "2:9: `two` does not fit: write a whole number from 0 to 4294967295"),
        ("priority = 1.5", "2:12: `1.5` does not fit: write a whole number from -2147483648 to 2147483647"),
        ("tty = 3", "2:7: `3` does not fit: write true or false"),
        ("stop = 3", "2:8: `3` does not fit: write a table"),
        ("restart = 3", "2:11: write text or a table"),
        ("dir = { a = 1 }", "2:7: a table does not fit: write text"),
        ("user = ['a']", "2:8: a list does not fit: write text"),
    ] {
        assert_eq!(group(line).0, message, "{line}");
    }
    assert!(group("startsecs = '5 minutes'").0.starts_with("2:13: `5 minutes` is no duration"));
    assert!(error("app = ").0.starts_with("ganger.toml:1:"));
}

#[test]
fn columns_are_counted_in_characters() {
    assert_eq!(position("äöü = 1\n", "äöü".len()), (1, 4));
    assert_eq!(position("a\nb", 2), (2, 1));
    assert_eq!(position("a", 99), (1, 2));
}

#[test]
fn durations_are_read() {
    for (text, millis) in [
        ("500ms", 500),
        ("5s", 5000),
        ("1m30s", 90_000),
        ("2h", 7_200_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("7", 7000),
        ("0", 0),
        ("0.5", 500),
        ("366d", 31_622_400_000),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    assert_eq!(parse_duration("366d"), Ok(MAX_DURATION));
    for text in
        ["", "s", "5x", "5s5", "5s3m", "5s5s", "-1", "1e300", "nan", "inf", "5 s", "99999999999999999999s"]
    {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    assert_eq!(parse_duration("366d1ms").unwrap_err(), "`366d1ms` is longer than 366 days");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[ -~\\n\\[\\]=\"'é]{0,200}") {
        let _ = Native::parse(Path::new("ganger.toml"), text);
    }

    #[test]
    fn any_duration_is_read_or_refused_without_a_panic(text in "[0-9smhd. e-]{0,24}") {
        let _ = parse_duration(&text);
    }
}
