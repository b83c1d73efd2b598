//! `%(name)s` as Python's `%` operator on a dictionary does it.
//!
//! The whole language: flags, width, precision, and the types `d i u o x X e E f F g G c r s a %`. One thing is refused
//! that Python takes: a conversion without a name, for which it prints the whole dictionary.

use std::fmt::Write;

/// A width or a precision beyond this is refused, so that a short text cannot ask for much.
pub(crate) const MAX_WIDTH: usize = 4096;

/// A text that grows beyond this is refused: more cannot be given to a process.
pub(crate) const MAX_EXPANDED: usize = 256 << 10;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadFormat {
    /// Nobody knows this name.
    Unknown(String),
    /// What is wrong, and what to write.
    Bad { message: String, hint: String },
}

const NAME_FORM: &str = "write `%(name)s`, or `%(process_num)02d` for a number; a plain `%` is written `%%`";

fn bad(message: impl Into<String>) -> BadFormat {
    BadFormat::Bad { message: message.into(), hint: NAME_FORM.to_owned() }
}

/// Expands a text; `lookup` knows the names.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<String, BadFormat> {
    let mut scan = Scan { chars: text.chars().collect(), at: 0 };
    let mut out = String::with_capacity(text.len());
    while let Some(c) = scan.next() {
        if c == '%' {
            scan.conversion(lookup, &mut out)?;
            if out.len() > MAX_EXPANDED {
                let message = format!("it grows to more than {MAX_EXPANDED} bytes");
                return Err(BadFormat::Bad { message, hint: "name less in it".to_owned() });
            }
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// What stands between `%` and the type.
#[expect(clippy::struct_excessive_bools, reason = "each flag is said by itself")]
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    left: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

struct Scan {
    chars: Vec<char>,
    at: usize,
}

impl Scan {
    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn conversion(
        &mut self,
        lookup: &dyn Fn(&str) -> Option<Value>,
        out: &mut String,
    ) -> Result<(), BadFormat> {
        let name = if self.peek() == Some('(') { Some(self.name()?) } else { None };
        let value = match &name {
            Some(name) => Some(lookup(name).ok_or_else(|| BadFormat::Unknown(name.clone()))?),
            None => None,
        };
        let form = self.form()?;
        let Some(kind) = self.next() else {
            let hint = name.map_or_else(|| NAME_FORM.to_owned(), |name| hint_of(&name));
            return Err(BadFormat::Bad { message: "incomplete format".to_owned(), hint });
        };
        if kind == '%' {
            out.push('%');
            return Ok(());
        }
        let Some(value) = value else {
            return Err(bad(format!("`%{kind}` has no name")));
        };
        match converted(kind, form, &value) {
            Ok(text) => {
                out.push_str(&text);
                Ok(())
            }
            Err(None) => {
                let index = self.at - 1;
                let message = format!(
                    "unsupported format character {kind:?} ({:#x}) at index {index}",
                    u32::from(kind)
                );
                let hint = name.map_or_else(|| NAME_FORM.to_owned(), |name| hint_of(&name));
                Err(BadFormat::Bad { message, hint })
            }
            Err(Some(message)) => Err(bad(message)),
        }
    }

    /// `(name)`, in which parentheses may nest.
    fn name(&mut self) -> Result<String, BadFormat> {
        self.at += 1;
        let (start, mut depth) = (self.at, 1);
        while let Some(c) = self.next() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.chars[start..self.at - 1].iter().collect());
            }
        }
        Err(bad("incomplete format key"))
    }

    fn form(&mut self) -> Result<Form, BadFormat> {
        let mut form = Form::default();
        while let Some(c) = self.peek() {
            match c {
                '-' => form.left = true,
                '+' => form.plus = true,
                ' ' => form.blank = true,
                '#' => form.alternate = true,
                '0' => form.zero = true,
                _ => break,
            }
            self.at += 1;
        }
        form.width = self.number("width")?;
        if self.peek() == Some('.') {
            self.at += 1;
            form.precision = Some(self.number("precision")?);
        }
        if let Some('h' | 'l' | 'L') = self.peek() {
            self.at += 1;
        }
        Ok(form)
    }

    fn number(&mut self, what: &str) -> Result<usize, BadFormat> {
        if self.peek() == Some('*') {
            return Err(bad(format!("a {what} of `*` has no number")));
        }
        let mut number = 0_usize;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit as usize);
            self.at += 1;
        }
        if number > MAX_WIDTH {
            return Err(bad(format!("the {what} is more than {MAX_WIDTH}")));
        }
        Ok(number)
    }
}

fn hint_of(name: &str) -> String {
    match name {
        "process_num" | "numprocs" => format!("write `%({name})02d`, or `%({name})s` without leading zeros"),
        _ => format!("write `%({name})s`"),
    }
}

/// The text of a value. The error is a message, or none for a type that does not exist.
fn converted(kind: char, form: Form, value: &Value) -> Result<String, Option<String>> {
    let cut = |text: String| match form.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text,
    };
    match (kind, value) {
        ('s', Value::Text(text)) => Ok(padded(&cut(text.clone()), form)),
        ('s' | 'r' | 'a', Value::Number(number)) => Ok(padded(&cut(number.to_string()), form)),
        ('r' | 'a', Value::Text(text)) => Ok(padded(&cut(quoted(text, kind == 'a')), form)),
        ('c', Value::Number(number)) => {
            let c = u32::try_from(*number).ok().and_then(char::from_u32);
            c.map(|c| padded(&c.to_string(), form))
                .ok_or_else(|| Some(format!("{number} is the number of no character")))
        }
        ('c', Value::Text(text)) if text.chars().count() == 1 => Ok(padded(text, form)),
        ('c', Value::Text(_)) => Err(Some("%c needs a number or one character".to_owned())),
        ('d' | 'i' | 'u' | 'o' | 'x' | 'X', Value::Number(number)) => Ok(integer(kind, form, *number)),
        ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Number(number)) => Ok(float(kind, form, *number)),
        ('d' | 'i' | 'u' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Text(_)) => {
            Err(Some(format!("%{kind} needs a number, and this name stands for text")))
        }
        _ => Err(None),
    }
}

fn padded(text: &str, form: Form) -> String {
    let missing = " ".repeat(form.width.saturating_sub(text.chars().count()));
    if form.left { format!("{text}{missing}") } else { format!("{missing}{text}") }
}

/// A text as Python prints it in quotes.
fn quoted(text: &str, ascii: bool) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        // A `String` takes everything that is written into it.
        let _ = match c {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if c == quote => write!(out, "\\{c}"),
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => write!(out, "\\x{:02x}", u32::from(c)),
            c if ascii && u32::from(c) > 0xffff => write!(out, "\\U{:08x}", u32::from(c)),
            c if ascii && u32::from(c) > 0xff => write!(out, "\\u{:04x}", u32::from(c)),
            c if ascii && u32::from(c) > 0x7e => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push(quote);
    out
}

fn integer(kind: char, form: Form, number: i64) -> String {
    let magnitude = number.unsigned_abs();
    let (prefix, digits) = match kind {
        'o' => ("0o", format!("{magnitude:o}")),
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        _ => ("", magnitude.to_string()),
    };
    let zeros = "0".repeat(form.precision.unwrap_or(0).saturating_sub(digits.len()));
    let prefix = if form.alternate { prefix } else { "" };
    signed(number < 0, prefix, &format!("{zeros}{digits}"), form)
}

/// Sign, prefix and digits, filled up to the width.
fn signed(is_negative: bool, prefix: &str, digits: &str, form: Form) -> String {
    let sign = match (is_negative, form.plus, form.blank) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let missing = form.width.saturating_sub(sign.len() + prefix.len() + digits.len());
    match (form.left, form.zero) {
        (true, _) => format!("{sign}{prefix}{digits}{}", " ".repeat(missing)),
        (false, true) => format!("{sign}{prefix}{}{digits}", "0".repeat(missing)),
        (false, false) => format!("{}{sign}{prefix}{digits}", " ".repeat(missing)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Python's float of a large integer")]
fn float(kind: char, form: Form, number: i64) -> String {
    let value = number.unsigned_abs() as f64;
    let precision = form.precision.unwrap_or(6);
    let digits = match kind.to_ascii_lowercase() {
        'f' => fixed(value, precision, form.alternate),
        'e' => exponent(value, precision, form.alternate),
        _ => general(value, precision.max(1), form.alternate),
    };
    let digits = if kind.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
    signed(number < 0, "", &digits, form)
}

fn fixed(value: f64, precision: usize, alternate: bool) -> String {
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{value:.precision$}{point}")
}

fn exponent(value: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if alternate && precision == 0 { "." } else { "" };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{point}e{sign}{:02}", exponent.abs())
}

/// So many significant digits, without trailing zeros; with an exponent where the number is long.
fn general(value: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{value:.*e}", precision - 1);
    let size: i32 = text.split_once('e').and_then(|(_, size)| size.parse().ok()).unwrap_or(0);
    let is_long = usize::try_from(size).is_ok_and(|size| size >= precision);
    if is_long {
        let text = exponent(value, precision - 1, alternate);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", shortened(mantissa, alternate));
    }
    let decimals = precision.saturating_sub(1 + usize::try_from(size).unwrap_or(0));
    let text = fixed(value, decimals, alternate);
    shortened(&text, alternate).to_owned()
}

fn shortened(text: &str, alternate: bool) -> &str {
    if alternate || !text.contains('.') { text } else { text.trim_end_matches('0').trim_end_matches('.') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Option<Value> {
        match name {
            "n" => Some(Value::Number(7)),
            "big" => Some(Value::Number(1_234_567)),
            "minus" => Some(Value::Number(-7)),
            "process_num" => Some(Value::Number(2)),
            "s" => Some(Value::Text("ab'c".to_owned())),
            "a(b)" => Some(Value::Text("x".to_owned())),
            _ => None,
        }
    }

    #[test]
    fn every_conversion_is_as_in_python() {
        for (text, expected) in [
            ("a%%b", "a%b"),
            ("%(s)s-%(n)s", "ab'c-7"),
            ("%(a(b))s", "x"),
            ("%(n)02d|%(n)5d|%(n)-5d|%(n)+d|%(n) d|%(n).3d", "07|    7|7    |+7| 7|007"),
            ("%(minus)05d|%(minus)x|%(minus)#6x|%(minus)#06x", "-0007|-7|  -0x7|-0x007"),
            ("%(big)x|%(big)X|%(big)#X|%(big)o|%(big)#o", "12d687|12D687|0X12D687|4553207|0o4553207"),
            (
                "%(big)e|%(big).2E|%(big)g|%(n)g|%(n)#g|%(n)f|%(n).0f",
                "1.234567e+06|1.23E+06|1.23457e+06|7|7.00000|7.000000|7",
            ),
            ("%(s).2s|%(s)6s|%(s)-6s|%(s)06s", "ab|  ab'c|ab'c  |  ab'c"),
            ("%(s)r|%(n)r|%(n)5c|%(n)ld", "\"ab'c\"|7|    \u{7}|7"),
            ("my-app-%(process_num)-app", "my-app-2pp"),
            ("my-app-%(process_num)x", "my-app-2"),
            ("%(n)5%", "%"),
        ] {
            assert_eq!(expand(text, &names).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused_with_what_to_write() {
        for (text, message, hint) in [
            ("w-%(process_num)", "incomplete format", "write `%(process_num)02d`"),
            (
                "%(process_num)_w",
                "unsupported format character '_' (0x5f) at index 14",
                "write `%(process_num)02d`",
            ),
            ("%(n", "incomplete format key", "write `%(name)s`"),
            ("%(s)d", "%d needs a number, and this name stands for text", "write `%(name)s`"),
            ("%(s)c", "%c needs a number or one character", "write `%(name)s`"),
            ("100%", "incomplete format", "a plain `%` is written `%%`"),
            ("date +%s", "`%s` has no name", "a plain `%` is written `%%`"),
            ("%(n)*d", "a width of `*` has no number", "write `%(name)s`"),
            ("%(n)99999d", "the width is more than 4096", "write `%(name)s`"),
        ] {
            let Err(BadFormat::Bad { message: said, hint: hinted }) = expand(text, &names) else {
                panic!("{text} is taken")
            };
            assert_eq!(said, message, "{text}");
            assert!(hinted.contains(hint), "{text}: {hinted}");
        }
        assert_eq!(expand("%(x)s", &names), Err(BadFormat::Unknown("x".to_owned())));
    }

    #[test]
    fn a_short_text_cannot_grow_without_bound() {
        let text = "%(n)4096d".repeat(65);
        assert!(
            matches!(expand(&text, &names), Err(BadFormat::Bad { message, .. }) if message.contains("grows"))
        );
        assert!(expand(&text["%(n)4096d".len()..], &names).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_expanded_or_refused_without_a_panic(text in "[%()a-z0-9.*+# -]{0,40}") {
            let _ = expand(&text, &names);
        }
    }
}
