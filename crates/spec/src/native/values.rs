//! The values of `ganger.toml` that are more than one TOML type.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use toml::Spanned;

use super::tables::WatchTable;
use crate::{Check, Command, Condition, LimitValue, LogFile, OnExit};

/// The longest duration that can be said: a leap year.
pub(crate) const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// A value that is no list and no table.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected text, a number, true or false")]
pub(crate) enum Scalar {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A length of time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct DurationValue(pub(crate) Duration);

/// `"auto"`, a number, or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) enum PortRule {
    Auto,
    Fixed(u16),
    None,
}

/// The value of a variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct EnvValue(pub(crate) String);

/// A file mode mask.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct Umask(pub(crate) u32);

/// A command line, or a program and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct CommandValue(pub(crate) Command);

/// What exit codes mean.
#[derive(Clone, Debug)]
pub(crate) struct ExitsValue(pub(crate) BTreeMap<u8, OnExit>);

/// One limit, or a soft and a hard one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitPair(pub(crate) LimitValue);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct SizeValue(pub(crate) u64);

/// Where a log is: a path, or false.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct LogFileValue(pub(crate) LogFile);

/// Which groups are waited for, and until when.
#[derive(Clone, Debug, Default)]
pub(crate) struct DependsValue(pub(crate) Vec<(Spanned<String>, Condition)>);

/// Where a connection must be taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Scalar")]
pub(crate) struct TcpValue(pub(crate) Check);

/// Files that are watched: globs, or a table.
#[derive(Clone, Debug)]
pub(crate) struct WatchValue(pub(crate) WatchTable);

const DURATION_FORM: &str = "is no duration: write `500ms`, `5s`, `1m30s`, `2h`, or a number of seconds";

/// `500ms`, `5s`, `1m30s`, `2h`, `1d`, or a number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` {DURATION_FORM}");
    if let Ok(seconds) = text.parse::<f64>() {
        return of_seconds(seconds).ok_or_else(bad);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        let part =
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)).ok_or_else(bad)?;
        if millis >= last_unit {
            return Err(bad());
        }
        last_unit = millis;
        total = total.saturating_add(Duration::from_millis(part));
        rest = after;
    }
    if text.is_empty() {
        Err(bad())
    } else {
        bounded(total).ok_or_else(|| format!("`{text}` is longer than 366 days"))
    }
}

fn of_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().and_then(bounded)
}

fn bounded(duration: Duration) -> Option<Duration> {
    (duration <= MAX_DURATION).then_some(duration)
}

impl TryFrom<Scalar> for DurationValue {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            Scalar::Text(text) => parse_duration(&text).map(Self),
            Scalar::Integer(seconds) => parse_duration(&seconds.to_string()).map(Self),
            Scalar::Float(seconds) => {
                of_seconds(seconds).map(Self).ok_or_else(|| format!("`{seconds}` {DURATION_FORM}"))
            }
            Scalar::Bool(value) => Err(format!("`{value}` {DURATION_FORM}")),
        }
    }
}

impl TryFrom<Scalar> for PortRule {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let bad = |value: &dyn fmt::Display| {
            Err(format!("`{value}` is no port: write 1 to 65535, `\"auto\"`, or `false` for none"))
        };
        match scalar {
            Scalar::Bool(false) => Ok(Self::None),
            Scalar::Bool(true) => bad(&true),
            Scalar::Text(text) if text == "auto" => Ok(Self::Auto),
            Scalar::Text(text) => bad(&text),
            Scalar::Float(number) => bad(&number),
            Scalar::Integer(number) => match u16::try_from(number) {
                Ok(port) if port > 0 => Ok(Self::Fixed(port)),
                Ok(_) | Err(_) => bad(&number),
            },
        }
    }
}

impl TryFrom<Scalar> for EnvValue {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let text = match scalar {
            Scalar::Text(text) => text,
            Scalar::Integer(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Bool(value) => value.to_string(),
        };
        if text.contains('\0') { Err("a value cannot have a NUL".to_owned()) } else { Ok(Self(text)) }
    }
}

impl TryFrom<Scalar> for Umask {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let Scalar::Text(text) = scalar else {
            return Err("a umask is text of octal digits, such as \"022\"".to_owned());
        };
        match u32::from_str_radix(&text, 8) {
            Ok(mask) if mask <= 0o777 && text.len() <= 4 && !text.starts_with('+') => Ok(Self(mask)),
            Ok(_) | Err(_) => Err(format!("`{text}` is no umask: write octal digits, such as \"022\"")),
        }
    }
}

impl<'de> Deserialize<'de> for CommandValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CommandValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command line, or a list of words")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<CommandValue, E> {
                let line = line.trim();
                if line.is_empty() || line.contains('\0') {
                    return Err(E::custom("the command is empty or has a NUL"));
                }
                Ok(CommandValue(Command::Line(line.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CommandValue, A::Error> {
                let mut words: Vec<String> = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0'))
                {
                    return Err(de::Error::custom("the command is empty or has a NUL"));
                }
                Ok(CommandValue(Command::Words(words)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The meaning of exit codes by the name of a system that has it.
fn preset<E: de::Error>(name: &str) -> Result<BTreeMap<u8, OnExit>, E> {
    match name {
        "paas" => Ok(BTreeMap::from([(0, OnExit::Stop), (1, OnExit::Restart), (2, OnExit::Stop)])),
        "supervisord" => {
            let mut codes: BTreeMap<u8, OnExit> = (1..=u8::MAX).map(|code| (code, OnExit::Restart)).collect();
            codes.insert(0, OnExit::Stop);
            Ok(codes)
        }
        "procfile" => Ok(BTreeMap::new()),
        _ => Err(E::unknown_variant(name, &["paas", "supervisord", "procfile"])),
    }
}

impl<'de> Deserialize<'de> for ExitsValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ExitsValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a preset, or a table of exit codes")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ExitsValue, E> {
                preset(name).map(ExitsValue)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExitsValue, A::Error> {
                let mut base = BTreeMap::new();
                let mut own = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "preset" {
                        base = preset(&map.next_value::<String>()?)?;
                    } else if let Ok(code) = key.parse::<u8>() {
                        own.insert(code, map.next_value()?);
                    } else {
                        return Err(de::Error::custom(format!("`{key}` is no exit code (0 to 255)")));
                    }
                }
                base.append(&mut own);
                Ok(ExitsValue(base))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

fn limit(scalar: &Scalar) -> Result<Option<u64>, String> {
    let bad =
        |value: &dyn fmt::Display| format!("`{value}` is no limit: write a number, `512MiB`, or `unlimited`");
    match scalar {
        Scalar::Integer(number) => u64::try_from(*number).map(Some).map_err(|_| bad(number)),
        Scalar::Text(text) if text == "unlimited" => Ok(None),
        Scalar::Text(text) => {
            let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30)];
            let sized = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
            let number =
                sized.and_then(|(number, size)| number.trim_end().parse::<u64>().ok()?.checked_mul(size));
            number.map(Some).ok_or_else(|| bad(text))
        }
        Scalar::Float(number) => Err(bad(number)),
        Scalar::Bool(value) => Err(bad(value)),
    }
}

impl TryFrom<Scalar> for SizeValue {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let shown = match &scalar {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
        };
        match limit(&scalar) {
            Ok(Some(bytes)) => Ok(Self(bytes)),
            Ok(None) | Err(_) => {
                Err(format!("`{shown}` is no size: write a number of bytes, or `512KiB`, `10MiB`, `2GiB`"))
            }
        }
    }
}

impl TryFrom<Scalar> for LogFileValue {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            Scalar::Bool(false) => Ok(Self(LogFile::Dropped)),
            Scalar::Text(path) if !path.is_empty() && !path.contains('\0') => {
                Ok(Self(LogFile::Path(path.into())))
            }
            Scalar::Bool(_) | Scalar::Text(_) | Scalar::Integer(_) | Scalar::Float(_) => {
                Err("a log is in a file: write its path, or `false` to keep nothing".to_owned())
            }
        }
    }
}

impl TryFrom<Scalar> for TcpValue {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let place = match scalar {
            Scalar::Bool(true) => return Ok(Self(Check::Tcp { host: None, port: None })),
            Scalar::Bool(false) => "false".to_owned(),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Text(text) => text,
        };
        Check::tcp(&place).map(Self).map_err(|(message, hint)| format!("{message}: {hint}"))
    }
}

impl<'de> Deserialize<'de> for DependsValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = DependsValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of groups, or a table of groups and `started`, `ready` or `completed`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<DependsValue, A::Error> {
                let mut waits = Vec::new();
                while let Some(name) = list.next_element()? {
                    waits.push((name, Condition::Ready));
                }
                Ok(DependsValue(waits))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DependsValue, A::Error> {
                let mut waits = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    waits.push(pair);
                }
                Ok(DependsValue(waits))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for WatchValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = WatchValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of globs, or a table with `paths`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WatchValue, A::Error> {
                let mut paths = Vec::new();
                while let Some(glob) = list.next_element()? {
                    paths.push(glob);
                }
                Ok(WatchValue(WatchTable { paths, ..WatchTable::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WatchValue, A::Error> {
                WatchTable::deserialize(de::value::MapAccessDeserializer::new(map)).map(WatchValue)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a limit, or a table of `soft` and `hard`")]
enum LimitForm {
    One(Scalar),
    Two(SoftHard),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SoftHard {
    soft: Scalar,
    hard: Scalar,
}

impl<'de> Deserialize<'de> for LimitPair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (soft, hard) = match LimitForm::deserialize(deserializer)? {
            LimitForm::One(one) => (limit(&one), limit(&one)),
            LimitForm::Two(SoftHard { soft, hard }) => (limit(&soft), limit(&hard)),
        };
        let (soft, hard) = (soft.map_err(de::Error::custom)?, hard.map_err(de::Error::custom)?);
        Ok(Self(LimitValue { soft, hard }))
    }
}

/// Says how a value looks like in the schema: its name, its words for people, its forms.
macro_rules! schema_of {
    ($type:ty, $name:literal, $($schema:tt)+) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($schema)+)
            }
        }
    };
}

schema_of!(DurationValue, "Duration", {
    "title": "duration",
    "description": "`\"500ms\"`, `\"5s\"`, `\"1m30s\"`, `\"2h\"`, `\"1d\"`, or a number of seconds. At most 366 days.",
    "anyOf": [
        { "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$|^[0-9.]+$" },
        { "type": "number", "minimum": 0 }
    ]
});
schema_of!(PortRule, "Port", {
    "title": "port",
    "description": "`\"auto\"` (the base, 100 more for each group before this one), a number from 1 to 65535, or `false`: \
                    ganger sets no `PORT`.",
    "anyOf": [{ "const": "auto" }, { "const": false }, { "type": "integer", "minimum": 1, "maximum": 65535 }]
});
schema_of!(EnvValue, "EnvValue", {
    "title": "text, number or true/false",
    "description": "The value of a variable; a number, `true` or `false` is written as text.",
    "type": ["string", "number", "boolean"]
});
schema_of!(Umask, "Umask", {
    "title": "octal text",
    "description": "Octal digits as text.",
    "type": "string",
    "pattern": "^[0-7]{1,4}$"
});
schema_of!(CommandValue, "Command", {
    "title": "command",
    "description": "A line for the shell, run without one where it needs none; or a list of a program and its arguments, \
                    which no shell sees.",
    "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "items": { "type": "string" }, "minItems": 1 }
    ]
});
schema_of!(ExitsValue, "Exits", {
    "title": "exits",
    "description": "A table of exit codes, `{ 0 = \"stop\", 1 = \"restart\", 2 = \"fatal\" }`: the worker is done, is started \
                    again whatever `restart` says, or has failed for good. Or a preset: `\"paas\"` (0 stop, 1 restart, 2 \
                    stop), `\"supervisord\"` (0 stop, all others restart), `\"procfile\"` (none). A table can begin with a \
                    preset: `{ preset = \"paas\", 3 = \"fatal\" }`.",
    "anyOf": [
        { "enum": ["paas", "supervisord", "procfile"] },
        {
            "type": "object",
            "properties": { "preset": { "enum": ["paas", "supervisord", "procfile"] } },
            "patternProperties": { "^[0-9]{1,3}$": { "enum": ["stop", "restart", "fatal"] } },
            "additionalProperties": false
        }
    ]
});
schema_of!(LimitPair, "Limit", {
    "title": "limit",
    "description": "A number, text such as `\"512MiB\"` (KiB, MiB, GiB), `\"unlimited\"`, or a table of what a run starts with and \
                    what it may raise it to: `{ soft = 1024, hard = 4096 }`.",
    "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string" },
        {
            "type": "object",
            "properties": { "soft": { "type": ["integer", "string"] }, "hard": { "type": ["integer", "string"] } },
            "required": ["soft", "hard"],
            "additionalProperties": false
        }
    ]
});
schema_of!(LogFileValue, "LogFile", {
    "title": "log file",
    "description": "The path of a file, in a directory that is there, or `false`: nothing is kept. `{number}` stands for the \
                    worker's number. To what cannot be rotated, such as `/dev/stdout`, lines are copied from the store.",
    "anyOf": [{ "const": false }, { "type": "string", "minLength": 1 }]
});
schema_of!(SizeValue, "Size", {
    "title": "size",
    "description": "A number of bytes, or text such as `\"512KiB\"`, `\"10MiB\"`, `\"2GiB\"`.",
    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+ ?([KMG]iB)?$" }]
});
schema_of!(DependsValue, "Depends", {
    "title": "dependencies",
    "description": "A list of groups, which must be ready, or a table that says how far each must have come: `\"started\"` (each \
                    of its workers has a process, or is done), `\"ready\"` (each is up, and passes its readiness probe if it \
                    has one) or `\"completed\"` (each has ended with success).",
    "anyOf": [
        { "type": "array", "items": { "type": "string" } },
        { "type": "object", "additionalProperties": { "enum": ["started", "ready", "completed"] } }
    ]
});
schema_of!(TcpValue, "Tcp", {
    "title": "`true`, port or place",
    "description": "`true` for the worker's own port, a port, or `\"HOST:PORT\"`.",
    "anyOf": [{ "const": true }, { "type": "integer", "minimum": 1, "maximum": 65535 }, { "type": "string" }]
});

impl JsonSchema for WatchValue {
    fn schema_name() -> Cow<'static, str> {
        "WatchValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<WatchTable>();
        json_schema!({
            "title": "list of globs, or table",
            "description": "A list of globs, or the table `[groups.NAME.watch]`.",
            "anyOf": [{ "type": "array", "items": { "type": "string" } }, table]
        })
    }
}
