//! The section `[supervisorctl]` of a supervisord's file: as much of its dialect as this section needs.

use std::fs;
use std::path::{Path, PathBuf, absolute};

/// What the file says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) server_url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// What is shown before each line that is typed, without `> `.
    pub(super) prompt: String,
    pub(super) history_file: Option<PathBuf>,
    /// The sections that load Python into the client, which we cannot.
    pub(super) plugins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_url: "http://localhost:9001".to_owned(),
            username: None,
            password: None,
            prompt: "supervisor".to_owned(),
            history_file: None,
            plugins: Vec::new(),
        }
    }
}

/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Where the file is if nobody says so; none if it is nowhere.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let above = above(program.split(' ').next().unwrap_or_default());
    let beside =
        above.into_iter().flat_map(|dir| [dir.join("etc/supervisord.conf"), dir.join("supervisord.conf")]);
    let common = [
        "supervisord.conf",
        "etc/supervisord.conf",
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
    ];
    beside.chain(common.map(PathBuf::from)).find(|path| path.exists())
}

/// The directory above that of the program.
fn above(program: &str) -> Option<PathBuf> {
    let program = Path::new(program);
    let found = if program.components().count() > 1 {
        program.to_owned()
    } else {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())?
    };
    Some(found.parent()?.parent()?.to_owned())
}

/// Reads the section. `[include]` does not count here.
pub(super) fn read(file: &Path) -> Result<Settings, String> {
    let shown = file.display();
    let size = fs::metadata(file).map_err(|_| format!("could not find config file {shown}"))?.len();
    let text = if size > MAX_FILE_BYTES { None } else { fs::read_to_string(file).ok() };
    let text = text.ok_or_else(|| format!("could not read config file {shown}"))?;
    let file = absolute(file).unwrap_or_else(|_| file.to_owned());
    let here = file.parent().unwrap_or(Path::new("/"));
    settings(&text, here)
}

fn settings(text: &str, here: &Path) -> Result<Settings, String> {
    let section = section(text).ok_or(".ini file does not include supervisorctl section")?;
    let get = |key: &str| {
        let found = section.iter().rev().find(|(known, _)| known == key);
        found.map(|(key, value)| expand(key, value, here)).transpose()
    };
    let mut settings = Settings { plugins: plugins(text), ..Settings::default() };
    if let Some(url) = get("serverurl")? {
        settings.server_url = match url.strip_prefix("unix://") {
            Some(path) => format!("unix://{}", normal(path).display()),
            None => url,
        };
    }
    if let Some(prompt) = get("prompt")? {
        settings.prompt = prompt;
    }
    settings.username = get("username")?;
    settings.password = get("password")?;
    settings.history_file = get("history_file")?.filter(|path| !path.is_empty()).map(|path| normal(&path));
    Ok(settings)
}

/// The keys and values of the section, in order; none if there is no such section.
fn section(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        let text = without_comment(line).trim_end();
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            inside = name == "supervisorctl";
            if inside {
                found.get_or_insert_with(Vec::new);
            }
            continue;
        }
        let Some(keys) = found.as_mut().filter(|_| inside) else { continue };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = keys.last_mut() {
                let value: &mut String = value;
                value.push('\n');
                value.push_str(text.trim());
            }
        } else if let Some((key, value)) = text.split_once(['=', ':']) {
            keys.push((key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    found
}

/// The name of the section that a line begins.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split_once(']').map(|(name, _)| name)
}

fn plugins(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(header).filter(|name| name.starts_with("ctlplugin:"));
    names.map(str::to_owned).collect()
}

/// The line up to a comment, which begins at a `;` or `#` after white space.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (index, char) in line.char_indices() {
        if matches!(char, ';' | '#') && before.is_whitespace() {
            return &line[..index];
        }
        before = char;
    }
    line
}

/// `%(here)s`, `%(ENV_NAME)s` and `%%` in the value.
fn expand(key: &str, value: &str, here: &Path) -> Result<String, String> {
    let bad = |why: &str| format!("Format string '{value}' for 'supervisorctl.{key}' {why}");
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let (name, after) =
            name.ok_or_else(|| bad("is badly formatted: not enough arguments for format string"))?;
        rest = after.strip_prefix('s').ok_or_else(|| bad("is badly formatted: incomplete format"))?;
        match name.strip_prefix("ENV_").and_then(std::env::var_os) {
            Some(variable) => out.push_str(&variable.to_string_lossy()),
            None if name == "here" => out.push_str(&here.to_string_lossy()),
            None => return Err(bad(&format!("contains names ('{name}') which cannot be expanded"))),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The path with `~` expanded, absolute, without `.` and `..`.
fn normal(path: &str) -> PathBuf {
    use std::path::Component;
    let path = match path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => format!("{}{rest}", std::env::var("HOME").unwrap_or_default()).into(),
        None => PathBuf::from(path),
    };
    let path = absolute(&path).unwrap_or(path);
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Settings, String> {
        settings(text, Path::new("/here"))
    }

    #[test]
    fn the_section_is_read_as_the_dialect_has_it() {
        let text = "[unix_http_server]\nusername = other\n[supervisorctl] ; c\n\
             ServerURL = unix://%(here)s/./a/../s ; the socket\n; c\n# c\nusername: u;v\npassword = 100%% #\n\
             history_file=/h\n[ctlplugin:y]\n[program:x]\nprompt = no\n[supervisorctl]\nprompt = mine\n";
        let settings = read_text(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.server_url, "unix:///here/s");
        assert_eq!(settings.username.as_deref(), Some("u;v"));
        assert_eq!(settings.password.as_deref(), Some("100%"));
        assert_eq!((settings.prompt.as_str(), settings.history_file), ("mine", Some("/h".into())));
        assert_eq!(settings.plugins, ["ctlplugin:y"]);
    }

    #[test]
    fn a_file_must_have_the_section_and_names_that_exist() {
        let error = |text: &str| read_text(text).err().unwrap_or_default();
        assert_eq!(error("[supervisord]\n"), ".ini file does not include supervisorctl section");
        let told = error("[supervisorctl]\nprompt=%(nope)s\n");
        assert_eq!(
            told,
            "Format string '%(nope)s' for 'supervisorctl.prompt' contains names ('nope') which cannot be expanded"
        );
        assert!(error("[supervisorctl]\nprompt=%(here)\n").contains("badly formatted"));
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let told = read(Path::new("/no/such/file")).err();
        assert_eq!(told.as_deref(), Some("could not find config file /no/such/file"));
    }
}
