use super::*;

fn shell(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/ann".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> (Vec<Variable>, Findings) {
    let mut findings = Findings::default();
    let text = crate::input::decode(Path::new(".env"), text.as_bytes().to_vec()).unwrap();
    let variables = parse(Path::new(".env"), &text, shell, &mut findings);
    (variables, findings)
}

fn values(text: &str) -> Vec<(String, String)> {
    let (variables, findings) = read(text);
    findings.finish().unwrap();
    variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

fn errors(text: &str) -> Vec<String> {
    let error = read(text).1.finish().unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn values_are_read_as_documented() {
    for (text, value) in [
        ("K=v", "v"),
        ("K=", ""),
        ("K=   ", ""),
        ("K= # note", ""),
        ("K=#note", ""),
        ("export K=v", "v"),
        ("\texport  K = v  ", "v"),
        ("K = v", "v"),
        ("K: v", "v"),
        ("K:v", "v"),
        ("K=a b  c", "a b  c"),
        ("K=a=b:c", "a=b:c"),
        ("K=a # note", "a"),
        ("K=a#b", "a#b"),
        ("K='a # b'", "a # b"),
        ("K='a $HOME \\n'  # note", "a $HOME \\n"),
        ("K=\"a\\nb\\tc\\\"\\\\\\$HOME\"", "a\nb\tc\"\\$HOME"),
        ("K=\"a\\qb\"", "aqb"),
        ("K=\"two \\\nlines\"", "two lines"),
        ("K='one\ntwo'", "one\ntwo"),
        ("K=\"one\n# two\"", "one\n# two"),
        ("K=$HOME/x", "/home/ann/x"),
        ("K=${HOME}x", "/home/annx"),
        ("K=\"<$HOME>\"", "</home/ann>"),
        ("K=${NONE:-a b}", "a b"),
        ("K=${EMPTY:-d}", "d"),
        ("K=${HOME:-d}", "/home/ann"),
        ("K=a$", "a$"),
        ("K=$1 $$ $(date) $-", "$1 $$ $(date) $-"),
        ("K=\\$HOME", "$HOME"),
        ("K=C:\\dir\\x", "C:\\dir\\x"),
        ("K=it's", "it's"),
        ("K=wörter", "wörter"),
    ] {
        assert_eq!(values(text), [("K".to_owned(), value.to_owned())], "{text:?}");
    }
}

#[test]
fn comments_blank_lines_marks_and_carriage_returns_are_no_values() {
    let text = "\u{feff}# head\r\n\r\nA=1\r\n   # note\r\nB=\"x\r\ny\"\r\n";
    assert_eq!(values(text), [("A", "1"), ("B", "x\ny")].map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn an_expansion_sees_what_was_said_before_then_the_shell() {
    let text = "A=1\nHOME=/file\nB=$A$HOME\nA=2\nC=$A";
    let said: Vec<String> = values(text).into_iter().map(|(_, value)| value).collect();
    assert_eq!(said, ["1", "/file", "1/file", "2", "2"]);
}

#[test]
fn each_variable_knows_its_line() {
    let (variables, _) = read("# a\nA='x\ny'\nB=2\n");
    let lines: Vec<Origin> = variables.into_iter().map(|variable| variable.origin).collect();
    assert_eq!(lines, [2, 4].map(|line| Origin::File { path: ".env".into(), line }));
}

#[test]
fn a_name_that_is_not_set_is_empty_and_told() {
    let (variables, findings) = read("A=1\nPASS=abc$def\nD=\"$x\"");
    assert_eq!(variables[1].value, "abc");
    let warnings = findings.finish().unwrap();
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [".env:2: $def is not set: it is empty here", ".env:3: $x is not set: it is empty here"]
    );
    assert!(warnings[0].hint.as_deref().unwrap().contains("single quotes"));
}

#[test]
fn a_bad_line_is_an_error_with_its_line() {
    for (text, message) in [
        ("A=1\nnothing", ".env:2: no `=` in `nothing`"),
        ("=x", ".env:1: `` is no name of a variable"),
        ("a b=x", ".env:1: `a b` is no name of a variable"),
        ("a-b=x", ".env:1: `a-b` is no name of a variable"),
        ("A='x\ny\n", ".env:1: the quote ' is never closed"),
        ("\nA=\"x\\", ".env:2: the quote \" is never closed"),
        ("A='x'y", ".env:1: `y` after the closing quote"),
        ("A=\"x\ny\"z", ".env:2: `z` after the closing quote"),
        ("A='x'#y", ".env:1: `#y` after the closing quote"),
        ("A=${HOME", ".env:1: `${HOME` cannot be expanded"),
        ("A=${}", ".env:1: `${}` cannot be expanded"),
        ("A=${B-c}", ".env:1: `${B-c}` cannot be expanded"),
        ("A=${B:-${C}}", ".env:1: `${B:-${C}` cannot be expanded"),
    ] {
        assert_eq!(errors(text), [message], "{text:?}");
    }
}

#[test]
fn reading_goes_on_after_a_bad_line() {
    assert_eq!(errors("one\nA=1\ntwo\n").len(), 2);
}

#[test]
fn a_value_may_be_as_long_as_the_bound_and_no_longer() {
    let most = "x".repeat(MAX_VALUE_BYTES);
    assert_eq!(values(&format!("A={most}"))[0].1.len(), MAX_VALUE_BYTES);
    assert_eq!(errors(&format!("\nA=y{most}")), [".env:2: the value of `A` is longer than 131072 bytes"]);
}

#[test]
fn values_that_double_with_each_line_are_refused() {
    let text = "A=xxxxxxxx\n".to_owned() + &"A=$A$A\n".repeat(40);
    assert_eq!(errors(&text)[0], ".env:16: the value of `A` is longer than 131072 bytes");
    let text = format!("A={}\n", "x".repeat(MAX_VALUE_BYTES)) + &"B=$A\n".repeat(15);
    assert_eq!(values(&text).len(), 16);
    let told = errors(&(text + "C=1\nD=1\nbad\n"));
    assert_eq!(told, [".env:17: the values of this file are longer than 2097152 bytes together"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[ -~\\n\\t\\r'\"$#{}é=:\\\\]{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(text) = crate::input::decode(Path::new(".env"), bytes) {
            parse(Path::new(".env"), &text, shell, &mut Findings::default());
        }
    }

    #[test]
    fn a_quoted_value_reads_back(value in "(?s)[^\0]{0,60}", more in "[a-z$'\"\\\\\n\r\t #]{0,20}") {
        let value = value + &more;
        let text = format!("A=1\nK={}\nZ=2\n", quote(&value));
        let read = values(&text);
        proptest::prop_assert_eq!(&read[1].1, &value);
        proptest::prop_assert_eq!(read.len(), 3);
    }
}
